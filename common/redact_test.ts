import assert from "node:assert/strict";
import { join } from "node:path";
import fc from "fast-check";
import {
  isSecretName,
  REDACTED,
  redactText,
  redactTree,
  redactValue,
  SECRET_PARTS,
  SECRET_WORDS,
} from "./redact.ts";

/** Secrets as people choose them and machines make them: what may stand in a header field and in a URL. */
const secret = fc.string({
  unit: fc.constantFrom(..."abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789-._~+/"),
  minLength: 8,
  maxLength: 40,
}).filter((text) => !"[redacted]".includes(text));

Deno.test("names of header fields, cookies and parameters whose values are secrets", () => {
  const secrets = [
    ...["Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie", "X-API-Key", "api_key"],
    ...["X-Auth-Token", "X-Forwarded-Client-Cert", "ssl-client-cert", "access_token", "key"],
    ...["X-Amz-Signature", "sig", "client_secret", "PHPSESSID_session", "X-Vault-Token", "pwd"],
    ...["Ocp-Apim-Subscription-Key", "X-CSRF-Token", "db.password", "id_token"],
  ];
  for (const name of secrets) assert.ok(isSecretName(name), name);
  const others = [
    ...["Accept", "Host", "X-Request-Id", "Content-Type", "Cache-Control", "User-Agent", "x-user"],
    ...["Author", "X-Keyboard", "monkey", "page", "Location", "Strict-Transport-Security", "color"],
  ];
  for (const name of others) assert.ok(!isSecretName(name), name);
});

Deno.test("texts lose what has the form of a secret, and nothing else", () => {
  const cases: [string, string][] = [
    ["Bearer abc.def", `Bearer ${REDACTED}`],
    ["use basic dXNlcjpwYXNz, please", `use basic ${REDACTED}, please`],
    ["https://user:pa@ss@a.example/x", `https://${REDACTED}@a.example/x`],
    ["redis://:pw@redis:6379", `redis://${REDACTED}@redis:6379`],
    ["http://a/x?page=2&access_token=t0p&b=c", `http://a/x?page=2&access_token=${REDACTED}&b=c`],
    ["/x?%74oken=abc", `/x?%74oken=${REDACTED}`],
    ["Cookie: a=b; c=d\nHost: x", `Cookie: ${REDACTED}\nHost: x`],
    ["a eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl b", `a ${REDACTED} b`],
    ["u:$2y$10$abcdefghijklmnopqrstuv", `u:${REDACTED}`],
    ["u:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", `u:${REDACTED}`],
    [
      "x -----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY----- y",
      `x ${REDACTED} y`,
    ],
    ["x -----BEGIN PRIVATE KEY-----\nAAAA", `x ${REDACTED}`],
    ["tls.key: LS0tLS1CRUdJTiBQUklWQVRFIEtFWQ==", `tls.key: ${REDACTED}`],
  ];
  for (const [text, shown] of cases) assert.equal(redactText(text), shown);
  const unchanged = [
    "Secret default/api-token: not found",
    "spec.rules[0].matches[0].path: must begin with /",
    "no ReferenceGrant for Secret other/cookie: not allowed",
    "http://a.example:8080/x?page=2#top",
    "mail a@b.example",
    "policy ProxyPolicy/default/basic-auth needs spec.basicAuth",
    "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
    "edge.yaml:12: spec.tls.secretRef: required field is missing",
  ];
  for (const text of unchanged) assert.equal(redactText(text), text);
});

Deno.test("values are redacted by their name, or where only a machine writes such a text", () => {
  assert.equal(redactValue("Authorization", "x"), REDACTED);
  assert.equal(redactValue("X-Origin-Verify", "8f3aC01d9b27e45f60a1"), REDACTED);
  assert.equal(redactValue("X-Id", "3e21f6cc-0f3c-4a54-93c6-55c2a4fd13b0"), REDACTED);
  assert.equal(redactValue("Authorization", ""), "");
  for (const value of ["no-cache, max-age=60", "nosniff", "a-service-with-a-long-name.v2.svc"]) {
    assert.equal(redactValue("X-Plain", value), value);
  }
});

Deno.test("property: a secret in any of these places does not show", () => {
  const wrap = fc.constantFrom<(text: string) => unknown>(
    (text) => ({ name: "authorization", value: text }),
    (text) => ({ name: "X-Api-Key", value: text }),
    (text) => ({ add: [{ name: "set-cookie", value: `sid=${text}; Path=/` }] }),
    (text) => ({ headers: [{ type: 1, name: "X-Auth", value: text, invert: false }] }),
    (text) => ({ message: `"Bearer ${text}" is not a field name` }),
    (text) => ({ message: `Authorization: ${text}` }),
    (text) => ({ url: `https://u:${text.replaceAll("/", "")}@a.example/` }),
    (text) => ({ url: `https://${text.replaceAll("/", "")}@a.example/` }),
    (text) => ({ path: `/health?access_token=${text}&full=1` }),
    (text) => ({ reason: `"/x?page=1&apikey=${text}" has ? or #` }),
    (text) => ({ name: "location", value: `/next?token=${text}` }),
    (text) => ({ reason: `-----BEGIN RSA PRIVATE KEY-----\n${text}\n-----END` }),
    (text) => ({ reason: `token eyJ${text.replaceAll(/[^\w-]/g, "x")}.${"abc"}` }),
    (text) => ({ key: new TextEncoder().encode(text) }),
  );
  fc.assert(
    fc.property(secret, wrap, fc.string({ maxLength: 20 }), (text, place, around) => {
      const tree = { around, deep: [place(text)] };
      const shown = JSON.stringify(redactTree(tree));
      const hidden = text.replaceAll(/[^\w-]/g, "x");
      for (const part of [text, text.replaceAll("/", ""), hidden]) {
        if (part.length >= 8 && !around.includes(part)) assert.ok(!shown.includes(part), shown);
      }
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("property: what was redacted stays as it is", () => {
  const piece = fc.oneof(
    fc.string({ maxLength: 12 }),
    fc.constantFrom("Bearer ", "token=", "//a@", "Cookie: ", "eyJabcdefgh", "&", "=", "@", " "),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
      const once = redactText(pieces.join(""));
      assert.equal(redactText(once), once);
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("a tree keeps its other values, and the bodies that every client gets", () => {
  const tree = {
    version: 3,
    on: true,
    none: null,
    missing: undefined,
    names: ["authorization"],
    affinity: { cookie: "stick", key: new Uint8Array(0) },
    directResponse: { status: 200, body: "token=shown to all" },
  };
  assert.deepEqual(redactTree(tree), { ...tree, affinity: { cookie: "stick", key: "" } });
});

Deno.test("redaction looks at each character a bounded number of times", () => {
  // Beginnings of every pattern, without an end: quadratic work would take hours for this length.
  const beginnings = [
    "a",
    "a.",
    "//",
    "//a:",
    "eyJ",
    "-----BEGIN ",
    "basic ",
    "bearer\t",
    "=",
    "%",
  ];
  for (
    const beginning of [...beginnings, "-----BEGIN PRIVATE KEY-----", "cookie:", "$2y$", "{SHA}"]
  ) {
    const text = beginning.repeat(Math.ceil(2_000_000 / beginning.length));
    assert.equal(typeof redactText(text), "string");
    assert.equal(typeof redactValue("x", text), "string");
  }
});

Deno.test("docs/guides/observing.md lists the names that are redacted, all of them", async () => {
  const path = join(import.meta.dirname!, "../docs/guides/observing.md");
  const [, listed] = /^By name: (.*?)\. `X-API-Key`/ms.exec(await Deno.readTextFile(path))!;
  const names = [...listed.matchAll(/`([^`]+)`/g)].map(([, name]) => name);
  assert.deepEqual(names, [...SECRET_PARTS, ...SECRET_WORDS]);
});
