import assert from "node:assert/strict";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { type Backend, Policy } from "../../proto/gen/novaedge/v1/config.ts";
import { GET, Harness, OK } from "../../tests/support/exchange_harness.ts";
import { endpointAt } from "../../tests/support/route_builders.ts";

const ISSUER = "https://issuer.example.com";
const keys = await generateKeyPair("ES256", { extractable: true });
const JWKS = JSON.stringify({ keys: [{ ...await exportJWK(keys.publicKey), kid: "1" }] });
const YES = "HTTP/1.1 200 OK\r\nX-User: admin\r\nContent-Length: 0\r\n\r\n";

type Rule = NonNullable<Policy["rule"]>;

function add(test: Harness, name: string, rule: Rule): void {
  test.policies.prepare(name, Policy.fromPartial({ rule }))();
}

const asks = (backend: string, changes: object = {}): Rule =>
  ({
    $case: "forwardAuth",
    value: {
      backend,
      host: backend,
      path: "/verify",
      requestFields: [],
      answerFields: ["x-user"],
      clientFields: [],
      timeoutMs: 5_000,
      cacheMs: 0,
      signin: "",
      signinVariables: false,
      ...changes,
    },
  }) as Rule;

const verifies = (changes: object = {}): Rule =>
  ({
    $case: "jwt",
    value: {
      issuer: ISSUER,
      jwks: JWKS,
      algorithms: ["ES256"],
      header: "authorization",
      prefix: "Bearer ",
      claimsToHeaders: [{ claim: "sub", header: "x-user" }],
      ...changes,
    },
  }) as Rule;

function token(sub: string): Promise<string> {
  return new SignJWT({ sub }).setProtectedHeader({ alg: "ES256", kid: "1" }).setIssuer(ISSUER)
    .setExpirationTime("1h").sign(keys.privateKey);
}

/** Lets what was promised come. */
function settled(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 5));
}

/** A worker whose requests are judged by servers named "auth" and "other". */
function edge(): Harness {
  const test = new Harness();
  test.backend("b");
  const at = (host: string): Partial<Backend> => ({ endpoints: [endpointAt(host)] });
  test.backend("auth", at("10.0.0.9"));
  test.backend("other", at("10.0.0.8"));
  return test;
}

/** What was written to the newest connection to a host. */
function sentTo(test: Harness, host: string): string {
  const index = test.transport.opened.findLastIndex(({ options }) => options.host === host);
  return test.upstream(index).take();
}

function answer(test: Harness, host: string, text: string): void {
  test.transport.opened.findLast(({ options }) => options.host === host)!.connection.receive(text);
}

for (const way of ["leaves", "times out"]) {
  Deno.test(`bug: what a policy says of a client that ${way} is said of nobody else`, async () => {
    const test = edge();
    add(test, "first", asks("auth"));
    add(test, "second", asks("other", { answerFields: ["x-team"] }));
    test.route("/a", { policies: [["first"]], requestTimeout: 1_000 });
    test.route("/b", { policies: [["second"]] });
    const victim = test.client();
    victim.receive("GET /a HTTP/1.1\r\nHost: h\r\nCookie: admin\r\n\r\n");
    sentTo(test, "10.0.0.9");
    if (way === "leaves") victim.gone();
    else test.pass(2_000);
    const other = test.client();
    other.receive("GET /b HTTP/1.1\r\nHost: h\r\n\r\n");
    sentTo(test, "10.0.0.8");
    answer(test, "10.0.0.9", YES);
    await settled();
    answer(test, "10.0.0.8", "HTTP/1.1 200 OK\r\nX-Team: guests\r\nContent-Length: 0\r\n\r\n");
    await settled();
    const sent = sentTo(test, "10.0.0.1");
    assert.match(sent, /^GET \/b /);
    assert.match(sent, /x-team: guests/);
    assert.doesNotMatch(sent, /x-user/i);
  });
}

Deno.test("bug: an authentication server judges the path that the backend gets, told by us alone", () => {
  const test = edge();
  add(test, "auth", asks("auth", { requestFields: [] }));
  test.route("/", { policies: [["auth"]] });
  test.client().receive(
    "GET /public/%2e%2e/admin?a=b HTTP/1.1\r\nHost: h\r\nX-Forwarded-Uri: /public\r\n" +
      "X-Forwarded-Method: OPTIONS\r\nIf-None-Match: x\r\n\r\n",
  );
  const disguised = test.client();
  disguised.receive("GET / HTTP/1.1\r\nHost: h\r\nX_Forwarded_Uri: /public\r\n\r\n");
  assert.match(disguised.take(), /^HTTP\/1.1 400 /);
  const asked = sentTo(test, "10.0.0.9");
  assert.deepEqual(asked.match(/^x.forwarded.(uri|method):.*$/gim), [
    "x-forwarded-method: GET",
    "x-forwarded-uri: /admin?a=b",
  ]);
  assert.doesNotMatch(asked, /if-none-match/);
});

Deno.test("bug: an authentication server that is told of Host is told it once", () => {
  const test = edge();
  add(test, "auth", asks("auth", { requestFields: ["host", "cookie"] }));
  test.route("/", { policies: [["auth"]] });
  test.client().receive(GET);
  assert.deepEqual(sentTo(test, "10.0.0.9").match(/^host:.*$/gim), ["host: auth"]);
});

Deno.test("bug: what was not asked about does not count as what an answer was for", async () => {
  const test = edge();
  add(test, "auth", asks("auth", { requestFields: ["x-tenant"], cacheMs: 60_000 }));
  test.route("/", { policies: [["auth"]] });
  const attacker = test.client();
  attacker.receive("GET / HTTP/1.1\r\nHost: h\r\nConnection: x-tenant\r\nX-Tenant: victim\r\n\r\n");
  assert.doesNotMatch(sentTo(test, "10.0.0.9"), /victim/);
  answer(test, "10.0.0.9", YES);
  await settled();
  test.client().receive("GET / HTTP/1.1\r\nHost: h\r\nX-Tenant: victim\r\n\r\n");
  assert.match(
    test.transport.opened.find(({ options }) => options.host === "10.0.0.9")!.connection
      .take(),
    /x-tenant: victim/,
  );
});

Deno.test("bug: a refusal that is too long is not passed on as if it were complete", async () => {
  const test = edge();
  add(test, "auth", asks("auth"));
  test.route("/", { policies: [["auth"]] });
  const client = test.client();
  client.receive(GET);
  sentTo(test, "10.0.0.9");
  const head =
    'HTTP/1.1 401 No\r\nContent-Length: 100000\r\nETag: "x"\r\nWWW-Authenticate: Basic\r\n\r\n';
  answer(test, "10.0.0.9", head + "y".repeat(70_000));
  await settled();
  const got = client.take();
  assert.match(got, /^HTTP\/1\.1 401 .*www-authenticate: Basic.*content-length: 0\r\n\r\n$/s);
  assert.doesNotMatch(got, /etag/i);
});

Deno.test("bug: trailers do not say what policies say of a client", async () => {
  const test = edge();
  add(test, "jwt", verifies());
  test.route("/", { policies: [["jwt"]] });
  const client = test.client();
  client.receive(
    `POST / HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer ${await token(
      "ann",
    )}\r\nTE: trailers\r\n` +
      "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-User: root\r\nX_User: root\r\nX-Sum: 1\r\n\r\n",
  );
  for (let i = 0; i < 20 && test.connects === 0; i++) await settled();
  const sent = sentTo(test, "10.0.0.1");
  assert.deepEqual(sent.match(/^x.user:.*$/gim), ["x-user: ann"]);
  assert.match(sent, /x-sum: 1/i);
});

Deno.test("bug: a token that is not forwarded is in no cookie and no query either", async () => {
  const test = edge();
  add(test, "jwt", verifies({ cookie: "session", queryParam: "token", stripToken: true }));
  test.route("/", { policies: [["jwt"]] });
  const secret = await token("ann");
  const requests = [
    `GET /x?a=%20b&token=${secret}&c HTTP/1.1\r\nHost: h\r\n\r\n`,
    `GET /x?a=%20b&c HTTP/1.1\r\nHost: h\r\nCookie: a=b; session=${secret}; c=d\r\n\r\n`,
    // Known by now.
    `GET /x?a=%20b&c HTTP/1.1\r\nHost: h\r\nCookie: a=b; session=${secret}; c=d\r\n\r\n`,
  ];
  for (const [i, request] of requests.entries()) {
    const client = test.client();
    client.receive(request);
    for (let n = 0; n < 20 && test.connects === 0; n++) await settled();
    await settled();
    const sent = i === 0 ? sentTo(test, "10.0.0.1") : test.transport.opened[0].connection.take();
    assert.match(sent, /^GET \/x\?a=%20b&c HTTP/);
    assert.ok(!sent.includes(secret));
    assert.equal(/^cookie: (.*)$/im.exec(sent)?.[1], i === 0 ? undefined : "a=b; c=d");
    answer(test, "10.0.0.1", OK);
  }
});

Deno.test("bug: answers of our own have one field of each name, also when an authentication server answers", async () => {
  const test = edge();
  const value = { remove: ["x-frame-options"], add: [{ name: "x-frame-options", value: "DENY" }] };
  add(test, "headers", { $case: "answerFields", value });
  add(test, "auth", asks("auth"));
  test.route("/", { policies: [["headers", "auth"]] });
  test.route("/closed", { policies: [["headers"]], closedReason: "why" });
  const client = test.client();
  client.receive(GET);
  sentTo(test, "10.0.0.9");
  const no = "HTTP/1.1 401 No\r\nX-Frame-Options: ALLOWALL\r\nContent-Length: 0\r\n\r\n";
  answer(test, "10.0.0.9", no);
  await settled();
  assert.deepEqual(client.take().match(/^x-frame-options:.*$/gim), ["x-frame-options: DENY"]);
  client.receive("GET /closed HTTP/1.1\r\nHost: h\r\n\r\n");
  assert.match(client.take(), /^HTTP\/1\.1 500 .*x-frame-options: DENY/s);
});

Deno.test("bug: fields of every answer are on the answer that opens a tunnel", () => {
  const test = edge();
  const value = { remove: [], add: [{ name: "x-content-type-options", value: "nosniff" }] };
  add(test, "headers", { $case: "answerFields", value });
  test.route("/", { policies: [["headers"]] });
  const client = test.client();
  client.receive(
    "GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\n" +
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
  );
  const backend = test.upstream(0);
  backend.receive(
    "HTTP/1.1 101 x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n" +
      "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
  );
  assert.match(client.take(), /^HTTP\/1\.1 101 .*x-content-type-options: nosniff/s);
});

Deno.test("bug: cookies that an authentication server renews never reached the client", async () => {
  const test = edge();
  const fields = { clientFields: ["set-cookie", "x-expires"], requestFields: ["cookie"] };
  add(test, "auth", asks("auth", { ...fields, cacheMs: 60_000 }));
  test.route("/", { policies: [["auth"]] });
  const client = test.client();
  client.receive(GET);
  sentTo(test, "10.0.0.9");
  answer(
    test,
    "10.0.0.9",
    "HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-Expires: soon\r\nX-Other: no\r\n" +
      "Content-Length: 0\r\n\r\n",
  );
  await settled();
  sentTo(test, "10.0.0.1");
  answer(test, "10.0.0.1", OK.replace("\r\n\r\n", "\r\nSet-Cookie: c=3\r\n\r\n"));
  const got = client.take();
  for (const line of ["Set-Cookie: c=3", "set-cookie: a=1", "set-cookie: b=2", "x-expires: soon"]) {
    assert.ok(got.includes(`${line}\r\n`), got);
  }
  assert.doesNotMatch(got, /x-other/i);
  // A decision that is remembered was told once.
  client.receive(GET);
  await settled();
  sentTo(test, "10.0.0.1");
  answer(test, "10.0.0.1", OK);
  assert.doesNotMatch(client.take(), /set-cookie/);
});
