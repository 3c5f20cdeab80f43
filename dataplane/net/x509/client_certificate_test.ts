import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { generateKeyPairSync, sign } from "node:crypto";
import fc from "fast-check";
import { Authority, type Subject } from "../../../tests/support/authority.ts";
import {
  constructed,
  type DerNode,
  leaf as derLeaf,
  readTree,
  writeTree,
} from "../../../tests/support/der_tree.ts";
import { LIMIT } from "../../config/defaults.ts";
import { OpenSsl } from "../native/openssl.ts";
import { nativeProblem } from "../native/native_problem.ts";
import { opensslVerifier } from "../native/verify_signature.ts";
import { type Certificate, readCertificate } from "./certificate.ts";
import { checkClientCertificate, type ClientCertificatePolicy } from "./client_certificate.ts";
import { type VerifySignature, verifySignature } from "./verify_signature.ts";

const PEM = /(?:# (\S+)\n)?-----BEGIN CERTIFICATE-----([^-]+)/g;

/** Certificates of a PEM text, with the names in front of them. */
function ders(pem: string): [string, Uint8Array][] {
  return Array.from(
    pem.matchAll(PEM),
    ([, name = "", text]) => [name, Buffer.from(text, "base64")],
  );
}

const der = (pem: string) => ders(pem)[0][1];
const testdata = (name: string) =>
  ders(Deno.readTextFileSync(new URL(`testdata/${name}`, import.meta.url)));

const ISSUER = "issuer of strangers";
const root = await Authority.create("root");
const rootDer = der(root.certificate);

/** Counts the signatures that are checked. */
class Counting {
  checked = 0;
  readonly verify: VerifySignature = (certificate, issuer) => {
    this.checked++;
    return this.inner(certificate, issuer);
  };
  constructor(readonly inner: VerifySignature = verifySignature) {}
}

function check(
  chain: readonly Uint8Array[],
  policy: Partial<ClientCertificatePolicy> = {},
  trusted: readonly Uint8Array[] = [rootDer],
) {
  return checkClientCertificate(chain, {
    authorities: trusted.map(readCertificate),
    verify: verifySignature,
    revocations: [],
    commonNames: [],
    sans: [],
    ...policy,
  }, Date.now());
}

const leafOf = async (authority: Authority, subject: Subject) =>
  der((await authority.issue(subject)).certificate);

Deno.test("a chain leads to an authority by intermediates in any order", async () => {
  const middle = await root.subordinate("middle");
  const low = await middle.subordinate("low");
  const leaf = await leafOf(low, { name: "client" });
  const between = [der(low.certificate), der(middle.certificate)];
  const extra = der((await Authority.create("unrelated")).certificate);
  assert.equal(check([leaf, ...between]).kind, "verified");
  assert.equal(check([leaf, rootDer, extra, ...between.toReversed()]).kind, "verified");
  assert.equal(check([leaf, between[0]]).kind, "refused", "a link is missing");
  assert.equal(check([leaf]).kind, "refused");
  assert.equal(check([leaf], {}, [der(low.certificate)]).kind, "verified", "trusted itself");
});

Deno.test("an authority that may have no others below it vouches for clients only", async () => {
  const last = await root.subordinate("last", { pathLength: 0 });
  const beyond = await last.subordinate("beyond");
  const chain = [
    await leafOf(beyond, { name: "client" }),
    ...[beyond, last].map(({ certificate }) => der(certificate)),
  ];
  assert.equal(check(chain).kind, "refused");
  assert.equal(
    check([await leafOf(last, { name: "client" }), der(last.certificate)]).kind,
    "verified",
  );
});

Deno.test("a client's certificate is no authority", async () => {
  const client = await root.issue({ name: "issuer" });
  const forger = await Authority.create("issuer");
  const leaf = await leafOf(forger, { name: "admin" });
  assert.equal(check([leaf, der(client.certificate)]).kind, "refused");
  assert.equal(check([rootDer]).kind, "refused", "nor is an authority a client");
});

Deno.test("bug: issuers with keys of any kind, as strangers send them, are refused and never thrown", async () => {
  const stranger = await Authority.create(ISSUER);
  const leaf = await leafOf(stranger, { name: "stranger" });
  const issuers = testdata("strange_issuers.pem");
  assert.ok(issuers.length >= 12);
  const trusted = der((await Authority.create(ISSUER)).certificate);
  for (const [kind, issuer] of issuers) {
    assert.equal(check([leaf, issuer]).kind, "refused", kind);
    // Even where the name of the issuer is that of an authority.
    assert.equal(check([leaf, issuer], {}, [trusted]).kind, "refused", kind);
    assert.equal(check([leaf, issuer], {}, [issuer]).kind, "refused", kind);
  }
  assert.equal(check([leaf, ...issuers.slice(0, 9).map(([, bytes]) => bytes)]).kind, "refused");
});

Deno.test({
  name: `OpenSSL verifies clients of authorities with keys of every kind ${nativeProblem()}`,
  ignore: nativeProblem() !== "",
  fn() {
    const issuers = new Map(testdata("strange_issuers.pem"));
    const verify = opensslVerifier(new OpenSsl());
    const outcomes = testdata("clients.pem").map(([kind, leaf]) => {
      const issuer = issuers.get(kind)!;
      return [
        check([leaf], { verify }, [issuer]).kind,
        check([leaf], { verify }, [issuers.get(kind === "P-384" ? "P-224" : "P-384")!]).kind,
      ].join();
    });
    assert.deepEqual(outcomes, Array(10).fill("verified,refused"));
  },
});

Deno.test("the runtime verifies clients of authorities with the keys that it knows", () => {
  const issuers = new Map(testdata("strange_issuers.pem"));
  const verified = testdata("clients.pem")
    .filter(([kind, leaf]) => check([leaf], {}, [issuers.get(kind)!]).kind === "verified")
    .map(([kind]) => kind);
  assert.deepEqual(verified, ["P-384", "P-224", "secp256k1", "RSA-1024", "Ed25519"]);
});

Deno.test("bug: self-made authorities of one name and key cost no search through their orders", async () => {
  const keys = await crypto.subtle.generateKey(
    { name: "ECDSA", namedCurve: "P-256" },
    true,
    ["sign", "verify"],
  );
  const first = await (await Authority.create("maze")).subordinate("maze", { keys });
  const maze: Uint8Array[] = [];
  for (let i = 0; i < 9; i++) {
    maze.push(der((await first.subordinate("maze", { keys })).certificate));
  }
  const counting = new Counting();
  const leaf = await leafOf(first, { name: "client" });
  assert.equal(check([leaf, ...maze], { verify: counting.verify }).kind, "refused");
  assert.equal(counting.checked, 0, "no key of theirs is computed with");
});

Deno.test("forged issuers that bear the name of an authority cost two signatures at most", async () => {
  const forger = await Authority.create("root");
  const chain = [await leafOf(forger, { name: "client" })];
  for (let i = 0; i < 9; i++) chain.push(der((await forger.subordinate("root")).certificate));
  const counting = new Counting();
  const outcome = check(chain, { verify: counting.verify });
  assert.equal(outcome.kind, "refused");
  assert.ok(counting.checked <= 2, `${counting.checked} signatures were checked`);
});

/** A client of the authority below whose name is what the test writes, with a signature that holds. */
async function named(name: Uint8Array): Promise<[Uint8Array, Uint8Array]> {
  const keys = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const spki = readTree(keys.publicKey.export({ type: "spki", format: "der" }));
  const seal = (certificate: DerNode, subject: DerNode, issuer: DerNode): Uint8Array => {
    const [tbs, algorithm] = certificate.children!;
    tbs.children!.splice(3, 1, issuer);
    tbs.children!.splice(5, 2, subject, spki);
    const signature = sign("sha256", writeTree(tbs), keys.privateKey);
    const bits = derLeaf(0x03, Buffer.concat([Buffer.of(0), signature]));
    return writeTree(constructed(0x30, tbs, algorithm, bits));
  };
  const own = readTree(rootDer).children![0].children![5];
  const leaf = readTree(await leafOf(root, { name: "x" }));
  return [seal(leaf, readTree(name), own), seal(readTree(rootDer), own, own)];
}

const attribute = (id: Uint8Array): DerNode =>
  constructed(0x31, constructed(0x30, derLeaf(0x06, id), derLeaf(0x0c, Buffer.from("x"))));

Deno.test("bug: an object identifier of 60 KB in a name was printed digit by digit", async () => {
  const outcome = async (length: number) => {
    const id = Buffer.alloc(length, 0xff);
    id[length - 1] = 1;
    const [leaf, authority] = await named(writeTree(constructed(0x30, attribute(id))));
    return check([leaf], {}, [authority]).kind;
  };
  assert.equal(await outcome(64), "verified");
  assert.equal(await outcome(65), "refused");
  assert.equal(await outcome(60_000), "refused");
});

Deno.test("names of thousands of attributes are refused", async () => {
  const outcome = async (count: number) => {
    const attributes = Array.from({ length: count }, () => attribute(Buffer.of(0x55, 4, 3)));
    const [leaf, authority] = await named(writeTree(constructed(0x30, ...attributes)));
    return check([leaf], {}, [authority]).kind;
  };
  assert.equal(await outcome(64), "verified");
  assert.equal(await outcome(65), "refused");
});

Deno.test("certificates of more bytes than the limit are refused, one alone or all together", async () => {
  const leaf = await leafOf(root, { name: "client" });
  const extra = Buffer.alloc(LIMIT.certificateChainBytes - leaf.length);
  assert.equal(check([leaf, rootDer, extra.subarray(rootDer.length)]).kind, "verified");
  assert.deepEqual(check([leaf, rootDer, extra]), {
    kind: "refused",
    reason: `more than ${LIMIT.certificateChainBytes} bytes of certificates`,
  });
  const long = Buffer.concat([leaf, Buffer.alloc(LIMIT.certificateChainBytes)]);
  assert.throws(() => readCertificate(long), /certificate too long/);
});

Deno.test("longer chains than the limit are refused unread", async () => {
  const leaf = await leafOf(root, { name: "client" });
  const chain = (length: number) => [leaf, ...Array<Uint8Array>(length - 1).fill(rootDer)];
  assert.equal(check(chain(LIMIT.certificateChain)).kind, "verified");
  assert.equal(check(chain(LIMIT.certificateChain + 1)).kind, "refused");
});

Deno.test("bug: a name within another name counts for nothing", async () => {
  const named = async (subject: Partial<Subject>, sans: string[]) =>
    check([await leafOf(root, { name: "x", ...subject })], { sans }).kind;
  assert.equal(await named({ dns: ["boss.test"] }, ["boss.test"]), "verified");
  assert.equal(await named({ dns: ["BOSS.test"] }, ["boss.test"]), "verified");
  for (
    const hidden of [
      { uris: ["http://x/, DNS:boss.test"] },
      { uris: ["boss.test"] },
      { emails: ["boss.test"] },
      { emails: ["x@x, DNS:boss.test"] },
      { dns: ["x, DNS:boss.test"] },
      { dns: ["*.test"] },
      { dns: ["boss.test\0.evil.test"] },
    ]
  ) assert.equal(await named(hidden, ["boss.test"]), "refused", JSON.stringify(hidden));
  assert.equal(await named({ uris: ["spiffe://a/b"] }, ["spiffe://a/b"]), "verified");
  assert.equal(await named({ dns: ["spiffe://a/b"] }, ["spiffe://a/b"]), "refused");
  assert.equal(await named({ ips: ["::1"] }, ["0:0::1"]), "verified");
  assert.equal(await named({ ips: ["10.0.0.1"] }, ["10.0.0.1"]), "verified");
  assert.equal(await named({ dns: ["10.0.0.1"] }, ["10.0.0.1"]), "refused");
  assert.equal(await named({ emails: ["A@b.test"] }, ["a@b.test"]), "verified");
});

Deno.test("bug: a common name within another attribute counts for nothing", async () => {
  const named = async (subject: Subject, commonNames: string[]) =>
    check([await leafOf(root, subject)], { commonNames }).kind;
  assert.equal(await named({ name: "boss" }, ["boss"]), "verified");
  assert.equal(await named({ name: "a.boss" }, ["*.boss"]), "verified");
  assert.equal(await named({ name: "x", attributes: { O: "x\nCN=boss" } }, ["boss"]), "refused");
  assert.equal(await named({ name: "boss\nCN=x" }, ["boss"]), "refused");
});

Deno.test("bug: any character may stand in a name, and none ends the field that backends get", async () => {
  const names = ["\u{1F600}", 'a";Subject="CN=boss', "a\r\nx-user: boss", "a,b+c", "ä", "\\"];
  for (const name of names) {
    const outcome = check([await leafOf(root, { name, organization: name, uris: ["spiffe://a"] })]);
    assert.equal(outcome.kind, "verified");
    const { fields } = outcome as { fields: string };
    const subject = /^x-forwarded-client-cert: Hash=\w{64};Subject="([^"]*)";URI=spiffe:\/\/a\r\n$/
      .exec(fields)?.[1];
    assert.equal(subject, `O=${escaped(name)},CN=${escaped(name)}`);
  }
});

function escaped(name: string): string {
  return encodeURIComponent(name).replaceAll("%3D", "=").replaceAll("%20", " ")
    .replaceAll("%3A", ":");
}

Deno.test("names that would fill a request's head are refused", async () => {
  const dns = Array.from({ length: 400 }, (_, i) => `${"x".repeat(20)}${i}.test`);
  const outcome = check([await leafOf(root, { name: "wide", dns })]);
  assert.deepEqual(outcome, { kind: "refused", reason: "its names are too long" });
});

const samples: readonly Uint8Array[] = [
  rootDer,
  await leafOf(root, { name: "a", dns: ["b"], uris: ["c:d"], ips: ["::1"], emails: ["e@f"] }),
  ...testdata("strange_issuers.pem").map(([, bytes]) => bytes),
];

Deno.test("property: no bytes make a check throw, and none but the authority's are verified", () => {
  const mutation = fc.record({
    sample: fc.nat(samples.length - 1),
    at: fc.nat(2_000),
    length: fc.nat(4),
    bytes: fc.uint8Array({ maxLength: 6 }),
  });
  fc.assert(
    fc.property(mutation, ({ sample, at, length, bytes }) => {
      const whole = samples[sample];
      const place = at % whole.length;
      const changed = Buffer.concat([
        whole.subarray(0, place),
        bytes,
        whole.subarray(place + length),
      ]);
      if (Buffer.compare(changed, whole) === 0) return;
      assert.equal(check([changed, rootDer]).kind, "refused");
      assert.notEqual(check([samples[1], changed]).kind, "none");
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("property: reading a certificate is linear: each byte is visited a bounded number of times", () => {
  const nested = (depth: number): Buffer => {
    let bytes = Buffer.alloc(0);
    for (let i = 0; i < depth; i++) {
      const { length } = bytes;
      const head = length < 0x80
        ? [0x30, length]
        : length < 0x100
        ? [0x30, 0x81, length]
        : [0x30, 0x82, length >> 8, length & 0xff];
      bytes = Buffer.concat([Buffer.from(head), bytes]);
    }
    return bytes;
  };
  const visits = (length: number) => {
    const bytes = nested(length);
    let count = 0;
    const watched = new Proxy(bytes, {
      get: (target, name) => {
        if (typeof name === "string" && /^\d+$/.test(name)) count++;
        const value = Reflect.get(target, name);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    assert.throws(() => readCertificate(watched as Certificate["raw"]));
    return count / bytes.length;
  };
  assert.ok(visits(5_000) <= 2 && visits(10_000) <= 2);
});
