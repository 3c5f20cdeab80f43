import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { Authority } from "../../tests/support/authority.ts";
import { type PemPair, readPemPair } from "./pem_pair.ts";

const root = await Authority.create("root");
const [first, second] = [await root.subordinate("first"), await root.subordinate("second")];
const pair = await first.issue({ name: "a.test", dns: ["a.test"] });
const other = await second.issue({ name: "b.test", dns: ["b.test"] });
const chain = [first.certificate, root.certificate].map((text) => `${text}\n`).join("");

const read = (certificate: string | Uint8Array, key: string | Uint8Array) =>
  readPemPair(Buffer.from(certificate), Buffer.from(key));

Deno.test("a certificate and its key are read as people have them", () => {
  const { certificate, key } = pair;
  const encryptedOther =
    `-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n`;
  const forms: [string, string, string][] = [
    ["alone", certificate, key],
    ["leaf first", `${certificate}\n${chain}`, key],
    ["leaf last", `${chain}${certificate}`, key],
    [
      "authority first, leaf in the middle",
      `${root.certificate}\n${certificate}\n${first.certificate}`,
      key,
    ],
    ["both in both", `${certificate}\n${key}`, `${certificate}\n${key}`],
    ["both in the certificate", `${key}\n${certificate}`, ""],
    ["both in the key", "", `${certificate}\n${key}`],
    ["byte order mark", `\uFEFF${certificate}`, `\uFEFF${key}`],
    ["Windows line ends", certificate.replaceAll("\n", "\r\n"), key.replaceAll("\n", "\r\n")],
    ["text around", `subject=CN=a.test\n${certificate}\nbye\n`, `hello\n${key}`],
    ["parameters of the curve", certificate, `${encryptedOther}${key}`],
    ["another certificate", `${other.certificate}\n${certificate}`, key],
    ["another key", certificate, `${other.key}\n${key}`],
    ["twice", `${certificate}\n${certificate}`, key],
  ];
  for (const [name, crt, secret] of forms) {
    const found = read(crt, secret) as PemPair;
    assert.equal(typeof found, "object", `${name}: ${found}`);
    const [leaf, ...rest] = found.certificates;
    assert.equal(leaf.subject, "CN=a.test", name);
    if (rest.length === 2) {
      assert.deepEqual(rest.map(({ subject }) => subject), ["CN=first", "CN=root"], name);
    }
    assert.ok(new X509Certificate(found.certPem).checkPrivateKey(createPrivateKey(found.keyPem)));
  }
});

Deno.test("what cannot be used says what to do, and shows nothing of a key", () => {
  const { certificate, key } = pair;
  const encrypted =
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----";
  const old =
    "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nMIIB\n" +
    "-----END EC PRIVATE KEY-----";
  const request = "-----BEGIN CERTIFICATE REQUEST-----\nMIIB\n-----END CERTIFICATE REQUEST-----";
  const wrongs: [string | Uint8Array, string | Uint8Array, RegExp][] = [
    [
      certificate,
      encrypted,
      /tls\.key is encrypted; take its passphrase away, as with openssl pkey/,
    ],
    [certificate, old, /tls\.key is encrypted/],
    [certificate, other.key, /^tls\.key does not belong to tls\.crt$/],
    [certificate, "x", /^tls\.key is not a PEM private key$/],
    [certificate, certificate, /^tls\.key is not a PEM private key$/],
    [
      certificate,
      new Uint8Array([0x30, 1, 0]),
      /binary; convert it, as with openssl pkey -inform der/,
    ],
    [
      new X509Certificate(certificate).raw,
      key,
      /binary; convert it, as with openssl x509 -inform der/,
    ],
    ["x", key, /^tls\.crt is not a PEM certificate$/],
    [request, key, /certificate request; give the certificate/],
    [key, key, /tls\.crt is a private key/],
    ["-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----", key, /certificate 1 of it/],
    [certificate.repeat(33), key, /more than 32/],
  ];
  for (const [crt, secret, expected] of wrongs) {
    const problem = read(crt, secret);
    assert.match(String(problem), expected);
    assert.doesNotMatch(String(problem), /MIIB|BEGIN/);
  }
});

Deno.test("bug: beginnings of blocks without an end took quadratic time", () => {
  const many = "-----BEGIN A-----\n".repeat(50_000);
  assert.match(String(read(many, many)), /^tls\.crt is not a PEM certificate$/);
  assert.equal(typeof read(`${many}${pair.certificate}`, pair.key), "object");
});
