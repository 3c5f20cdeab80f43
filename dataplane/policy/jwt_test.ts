import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { exportJWK, exportSPKI, generateKeyPair, SignJWT } from "jose";
import { Jwt as JwtMessage } from "../../proto/gen/novaedge/v1/config.ts";
import { policyContext, TestRequest, verdictOf } from "../../tests/support/policies.ts";
import { editHead } from "../message/field_edit.ts";
import { Jwt } from "./jwt.ts";

const ISSUER = "https://issuer.example.com";
const NOW = Date.UTC(2030, 0, 1) / 1000 + 1;

const rs = await generateKeyPair("RS256", { extractable: true });
const es = await generateKeyPair("ES256", { extractable: true });
const stranger = await generateKeyPair("RS256", { extractable: true });
const rsKey = { ...await exportJWK(rs.publicKey), kid: "rs", alg: "RS256" };
const esKey = { ...await exportJWK(es.publicKey), kid: "es" };
const JWKS = JSON.stringify({ keys: [rsKey, esKey] });

function policy(changes: Partial<JwtMessage> = {}, context = policyContext()): Jwt {
  return new Jwt(
    JwtMessage.fromPartial({
      issuer: ISSUER,
      audiences: ["shop"],
      jwks: JWKS,
      algorithms: ["RS256", "ES256"],
      header: "authorization",
      prefix: "Bearer ",
      leewayMs: 5_000,
      ...changes,
    }),
    context,
  );
}

function sign(
  payload: Readonly<Record<string, unknown>> = {},
  header: Record<string, unknown> = {},
  key: Parameters<SignJWT["sign"]>[0] = rs.privateKey,
): Promise<string> {
  return new SignJWT({ iss: ISSUER, aud: "shop", sub: "ann", exp: NOW + 60, ...payload })
    .setProtectedHeader({ alg: "RS256", kid: "rs", ...header })
    .sign(key);
}

function bearer(token: string): TestRequest {
  return new TestRequest({ authorization: `Bearer ${token}` });
}

/** A token as text, signed by nobody. */
function unsigned(header: unknown, payload: unknown): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part(header)}.${part(payload)}.`;
}

const GOOD = { iss: ISSUER, aud: "shop", exp: NOW + 60 };

const TABLE: readonly [string, string, () => Promise<TestRequest> | TestRequest][] = [
  ["RS256", "pass", async () => bearer(await sign())],
  ["ES256", "pass", async () => bearer(await sign({}, { alg: "ES256", kid: "es" }, es.privateKey))],
  [
    "the scheme in lower case",
    "pass",
    async () => new TestRequest({ authorization: `bearer ${await sign()}` }),
  ],
  ["one of several audiences", "pass", async () => bearer(await sign({ aud: ["x", "shop"] }))],
  ["without kid", "pass", async () => bearer(await sign({}, { kid: undefined }))],
  ["no token", "401 jwt_missing", () => new TestRequest()],
  ["another scheme", "401 jwt_malformed", () => new TestRequest({ authorization: "Basic YTpi" })],
  ["no JWT", "401 jwt_malformed", () => bearer("a.b")],
  ["not even base64", "401 jwt_malformed", () => bearer("\u00e4.\u00f6.\u00fc")],
  ["huge", "401 jwt_malformed", async () => bearer(await sign({ x: "a".repeat(8192) }))],
  ["alg none", "401 jwt_algorithm", () => bearer(unsigned({ alg: "none" }, GOOD))],
  ["alg None", "401 jwt_algorithm", () => bearer(unsigned({ alg: "None", kid: "rs" }, GOOD))],
  ["no alg", "401 jwt_malformed", () => bearer(unsigned({ kid: "rs" }, GOOD))],
  ["an algorithm that is not allowed", "401 jwt_algorithm", async () => {
    const key = await generateKeyPair("ES384");
    return bearer(await sign({}, { alg: "ES384", kid: "es" }, key.privateKey));
  }],
  ["the public key as shared secret", "401 jwt_algorithm", async () => {
    const secret = new TextEncoder().encode(await exportSPKI(rs.publicKey));
    return bearer(await sign({}, { alg: "HS256" }, secret));
  }],
  [
    "the kid of a key of another type",
    "401 jwt_unknown_key",
    async () => bearer(await sign({}, { kid: "es" })),
  ],
  ["an unknown kid", "401 jwt_unknown_key", async () => bearer(await sign({}, { kid: "new" }))],
  [
    "somebody else's signature",
    "401 jwt_signature",
    async () => bearer(await sign({}, {}, stranger.privateKey)),
  ],
  ["a changed payload", "401 jwt_signature", async () => {
    const [header, , signature] = (await sign()).split(".");
    const payload = Buffer.from(JSON.stringify({ ...GOOD, sub: "root" })).toString("base64url");
    return bearer(`${header}.${payload}.${signature}`);
  }],
  ["without end", "pass", async () => bearer(await sign({ exp: undefined }))],
  ["expired", "401 jwt_expired", async () => bearer(await sign({ exp: NOW - 6 }))],
  ["expired within the leeway", "pass", async () => bearer(await sign({ exp: NOW - 4 }))],
  ["not yet valid", "401 jwt_not_yet_valid", async () => bearer(await sign({ nbf: NOW + 6 }))],
  ["valid within the leeway", "pass", async () => bearer(await sign({ nbf: NOW + 4 }))],
  ["another issuer", "401 jwt_issuer", async () => bearer(await sign({ iss: "https://evil" }))],
  ["no issuer", "401 jwt_issuer", async () => bearer(await sign({ iss: undefined }))],
  ["another audience", "401 jwt_audience", async () => bearer(await sign({ aud: "bank" }))],
  ["jku", "401 jwt_malformed", async () => bearer(await sign({}, { jku: "https://evil" }))],
  ["x5u", "401 jwt_malformed", async () => bearer(await sign({}, { x5u: "https://evil" }))],
  ["a key of its own", "401 jwt_malformed", async () => bearer(await sign({}, { jwk: rsKey }))],
];

for (const [what, expected, request] of TABLE) {
  Deno.test(`JWT: ${what}: ${expected}`, async () => {
    const jwt = policy();
    assert.equal(await verdictOf(jwt.check(await request())), expected);
    // And again, when it might be remembered.
    assert.equal(await verdictOf(jwt.check(await request())), expected);
  });
}

Deno.test("a remembered token passes at once until it expires, and not beyond", async () => {
  const context = policyContext();
  const jwt = policy({}, context);
  const request = bearer(await sign());
  assert.equal(await verdictOf(jwt.check(request)), "pass");
  assert.equal(jwt.check(request), null);
  context.time += 66_000;
  assert.equal(await verdictOf(jwt.check(request)), "401 jwt_expired");
});

Deno.test("required claims: by value, in lists and words, nested", async () => {
  const cases: [Record<string, unknown>, string, string[], string][] = [
    [{ role: "a" }, "role", ["a", "b"], "pass"],
    [{ role: "c" }, "role", ["a", "b"], "403 jwt_claim"],
    [{}, "role", [], "403 jwt_claim"],
    [{ role: "any" }, "role", [], "pass"],
    [{ scope: "read write" }, "scope", ["write"], "pass"],
    [{ scope: "read writer" }, "scope", ["write"], "403 jwt_claim"],
    [{ roles: ["x", "y"] }, "roles", ["y"], "pass"],
    [{ realm_access: { roles: ["y"] } }, "realm_access.roles", ["y"], "pass"],
    [{ realm_access: "roles" }, "realm_access.roles", ["y"], "403 jwt_claim"],
    [{ "a.b": "c" }, "a.b", ["c"], "pass"],
    [{ admin: true }, "admin", ["true"], "pass"],
    [{}, "__proto__.x", [], "403 jwt_claim"],
    [{}, "constructor", [], "403 jwt_claim"],
  ];
  for (const [payload, name, values, expected] of cases) {
    const jwt = policy({ requiredClaims: [{ name, values }] });
    const verdict = await verdictOf(jwt.check(bearer(await sign(payload))));
    assert.equal(verdict, expected, `${JSON.stringify(payload)} ${name} ${values}`);
  }
});

Deno.test("claims go to the backend, whatever the client says under their names", async () => {
  const jwt = policy({
    claimsToHeaders: [
      { claim: "sub", header: "x-user" },
      { claim: "groups", header: "x-groups" },
      { claim: "deep", header: "x-deep" },
      { claim: "evil", header: "x-evil" },
      { claim: "absent", header: "x-absent" },
    ],
    stripToken: true,
  });
  const request = bearer(
    await sign({ sub: "\u00e4nn", groups: ["a", "b"], deep: { a: 1 }, evil: "a\r\nx: y" }),
  );
  assert.equal(await verdictOf(jwt.check(request)), "pass");
  assert.deepEqual(request.requestLines, ["x-user: Ã¤nn", "x-groups: a,b"]);
  assert.deepEqual(
    [...request.requestEdits[0].removed],
    ["x-user", "x-groups", "x-deep", "x-evil", "x-absent", "authorization"],
  );
});

Deno.test("tokens from a cookie and from the query, where the header is absent", async () => {
  const jwt = policy({ cookie: "session", queryParam: "token" });
  const token = await sign();
  const cases: [TestRequest, string][] = [
    [new TestRequest({ cookie: `a=b; session=${token}` }), "pass"],
    [new TestRequest({}, { query: `x=y&token=${token}` }), "pass"],
    [new TestRequest({ cookie: "session=bad" }, { query: `token=${token}` }), "401 jwt_malformed"],
    [
      new TestRequest({ authorization: "Bearer bad", cookie: `session=${token}` }),
      "401 jwt_malformed",
    ],
  ];
  for (const [request, expected] of cases) {
    assert.equal(await verdictOf(jwt.check(request)), expected);
  }
});

Deno.test("keys that come later, change, and go", async () => {
  let give: (json: string) => void = () => {};
  let asked = 0;
  let next: string | null = null;
  const context = policyContext({
    followKeys: (_url, _refresh, _timeout, onKeys) => {
      give = onKeys;
      return {
        refresh: () => {
          asked++;
          if (next !== null) give(next);
          return Promise.resolve();
        },
        close() {},
      };
    },
  });
  const jwt = policy({ jwks: "", jwksUri: "https://issuer/keys" }, context);
  const old = bearer(await sign());
  assert.equal(await verdictOf(jwt.check(old)), "503 keys_unavailable");
  give(JSON.stringify({ keys: [rsKey] }));
  assert.equal(await verdictOf(jwt.check(old)), "pass");
  // What is no set of keys does not replace one.
  give("{}");
  assert.equal(await verdictOf(jwt.check(old)), "pass");
  const young = bearer(await sign({}, { alg: "ES256", kid: "es" }, es.privateKey));
  asked = 0;
  assert.equal(await verdictOf(jwt.check(young)), "401 jwt_unknown_key");
  assert.equal(asked, 1);
  next = JSON.stringify({ keys: [esKey] });
  assert.equal(await verdictOf(jwt.check(young)), "pass");
  // The old key is gone, and with it what it signed.
  assert.equal(await verdictOf(jwt.check(old)), "401 jwt_unknown_key");
});

Deno.test("bug: a client's field with an underscore does not pass for a claim", async () => {
  const jwt = policy({ claimsToHeaders: [{ claim: "sub", header: "x-user-id" }] });
  const request = bearer(await sign());
  assert.equal(await verdictOf(jwt.check(request)), "pass");
  const head = Buffer.from(
    "GET / HTTP/1.1\r\nX_User-ID: root\r\nx-user_id: root\r\nx_other: a\r\n\r\n",
  );
  const edited = editHead(head, request.requestEdits[0]).toString();
  assert.equal(edited, "GET / HTTP/1.1\r\nx_other: a\r\nx-user-id: ann\r\n\r\n");
});

Deno.test("bug: a token is not found right by keys that went while it was looked at", async () => {
  let give: (json: string) => void = () => {};
  const context = policyContext({
    followKeys: (_url, _refresh, _timeout, onKeys) => {
      give = onKeys;
      return { refresh: () => Promise.resolve(), close() {} };
    },
  });
  const jwt = policy({ jwks: "", jwksUri: "https://issuer/keys" }, context);
  give(JSON.stringify({ keys: [rsKey] }));
  const request = bearer(await sign());
  const verdict = jwt.check(request);
  give(JSON.stringify({ keys: [esKey] }));
  assert.equal(await verdictOf(verdict), "401 jwt_unknown_key");
  assert.equal(await verdictOf(jwt.check(request)), "401 jwt_unknown_key");
});

Deno.test("bug: a token without its scheme does not pass because a cookie had it", async () => {
  const jwt = policy({ cookie: "session" });
  const token = await sign();
  assert.equal(await verdictOf(jwt.check(new TestRequest({ cookie: `session=${token}` }))), "pass");
  const bare = new TestRequest({ authorization: token });
  assert.equal(await verdictOf(jwt.check(bare)), "401 jwt_malformed");
});

Deno.test("bug: a key that cannot be used does not stand in the way of another", async () => {
  const { kid: _, ...key } = rsKey;
  const jwks = JSON.stringify({ keys: [{ ...key, n: "AQAB" }, key] });
  const jwt = policy({ jwks });
  assert.equal(await verdictOf(jwt.check(bearer(await sign({}, { kid: undefined })))), "pass");
  const other = bearer(await sign({}, { kid: undefined }, stranger.privateKey));
  assert.equal(await verdictOf(jwt.check(other)), "401 jwt_signature");
  const old = bearer(await sign({ exp: NOW - 60 }, { kid: undefined }));
  assert.equal(await verdictOf(jwt.check(old)), "401 jwt_expired");
});

Deno.test("tokens without end are refused where that is asked for, and verified again now and then", async () => {
  const token = await sign({ exp: undefined });
  const strict = policy({ requiresExpiration: true });
  assert.equal(await verdictOf(strict.check(bearer(token))), "401 jwt_without_expiration");
  assert.equal(await verdictOf(strict.check(bearer(await sign()))), "pass");
  const context = policyContext();
  let now = NOW * 1_000;
  const lax = policy({}, { ...context, wallClock: () => now });
  assert.ok(lax.check(bearer(token)) instanceof Promise);
  assert.equal(await verdictOf(lax.check(bearer(token))), "pass");
  assert.equal(lax.check(bearer(token)), null, "remembered");
  now += 300_001;
  assert.ok(lax.check(bearer(token)) instanceof Promise, "verified again");
});
