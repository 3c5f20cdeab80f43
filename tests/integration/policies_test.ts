import assert from "node:assert/strict";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { textBackend } from "../support/backends.ts";
import { backend, documents, Edge, gateway, route } from "../support/edge.ts";
import { get, HttpConnection } from "../support/http_client.ts";
import { freePort } from "../support/programs.ts";

function policy(name: string, target: string, settings: string): string {
  return `apiVersion: novaedge.io/v1alpha1
kind: ProxyPolicy
metadata: { name: ${name} }
spec:
  targetRef: ${target}
${settings}
`;
}

/** Policies that cannot be kept: what they protect is never served, whatever was wrong with them. */
const BROKEN: Readonly<Record<string, string>> = {
  "a Secret that is not there": "  type: BasicAuth\n  basicAuth: { secretRef: { name: absent } }",
  "a type that is not served yet": "  type: WAF\n  waf: {}",
  "a field that is not served yet":
    "  type: JWT\n  jwt: { issuer: i, jwksUri: 'https://i', vaultSecretRef: { path: p, key: k } }",
  "settings of another type": "  type: JWT\n  cors: {}",
  "no settings": "  type: IPAllowList",
  "a network that is none": "  type: IPAllowList\n  ipList: { cidrs: [10.0.0.0/99] }",
  "keys that are none": "  type: JWT\n  jwt: { issuer: i, jwks: '{}' }",
  "a URL that is none": "  type: ForwardAuth\n  forwardAuth: { address: 'http://' }",
  "a field that nobody knows": "  type: RateLimit\n  rateLimit: { requestsPerSecond: 1, bust: 3 }",
  "a value out of range": "  type: RateLimit\n  rateLimit: { requestsPerSecond: 0 }",
  "a type that nobody knows": "  type: JWTs",
  "text that is no YAML": "  type: 'JWT",
};

Deno.test("a policy that cannot be kept lets nobody through, from the start on", async (t) => {
  await using served = textBackend("secret");
  for (const [what, settings] of Object.entries(BROKEN)) {
    for (
      const target of [
        "{ kind: ProxyGateway, name: edge }",
        "{ kind: ProxyGateway, name: edge, sectionName: http }",
        "{ kind: ProxyRoute, name: all }",
        "{ kind: ProxyBackend, name: b }",
      ]
    ) {
      // Each target once, with a different fault: all pairs would only start more processes.
      const turn = Object.keys(BROKEN).indexOf(what) % 4;
      const kinds = ["edge }", "sectionName", "ProxyRoute", "ProxyBackend"];
      if (!target.includes(kinds[turn]) || (turn === 0 && target.includes("sectionName"))) continue;
      await t.step(`${what}: ${target}`, async () => {
        const port = freePort();
        await using _edge = await Edge.start({
          "edge.yaml": documents(
            gateway("edge", port),
            route("all", "b"),
            backend("b", served.port),
          ),
          "policy.yaml": policy("guard", target, settings),
        }, { workers: 1 });
        const { status, body } = await get(port);
        assert.deepEqual([status, body], [500, "500 policy_closed\n"]);
        assert.deepEqual(served.requests, []);
      });
    }
  }
});

Deno.test("an issuer that is down at the start, comes, rotates its keys and goes", async () => {
  const keys = await Promise.all([0, 1].map(() => generateKeyPair("ES256", { extractable: true })));
  const jwk = async (i: number) => ({ ...await exportJWK(keys[i].publicKey), kid: String(i) });
  const token = (i: number) =>
    new SignJWT({}).setProtectedHeader({ alg: "ES256", kid: String(i) })
      .setIssuer("me").setExpirationTime("1h").sign(keys[i].privateKey);
  const [first, second] = [await token(0), await token(1)];
  let served = [await jwk(0)];
  let fetches = 0;
  const issuerPort = freePort();
  const startIssuer = () =>
    Deno.serve({ port: issuerPort, hostname: "127.0.0.1", onListen() {} }, () => {
      fetches++;
      return Response.json({ keys: served });
    });
  await using shop = textBackend("ok");
  const port = freePort();
  await using edge = await Edge.start({
    "edge.yaml": documents(
      gateway("edge", port),
      route("all", "b"),
      backend("b", shop.port),
      policy(
        "tokens",
        "{ kind: ProxyRoute, name: all }",
        `  type: JWT
  jwt: { issuer: me, jwksUri: "http://127.0.0.1:${issuerPort}/keys", jwksTimeout: 2s }`,
      ),
    ),
  }, { workers: 2 });
  using connection = await HttpConnection.open(port);
  const ask = async (token: string) => {
    const fields = { authorization: `Bearer ${token}` };
    const { status, body } = await connection.request("GET", "/", fields);
    return status === 200 ? body : body.trim();
  };
  assert.equal(await ask(first), "503 keys_unavailable");
  const issuer = startIssuer();
  await edge.dataplane.line(/keys are there again/);
  assert.equal(await ask(first), "ok");
  assert.equal(await ask("nonsense"), "401 jwt_malformed");
  // The issuer has a new key, and the gateway hears of it by a token: the one fetch in 30 s may be
  // taken by the request before the keys were there.
  served = [await jwk(0), await jwk(1)];
  const known = fetches;
  const verdict = await ask(second);
  assert.ok(verdict === "ok" || verdict === "401 jwt_unknown_key", verdict);
  assert.ok(fetches - known <= 1);
  // Without its issuer the gateway goes on with what it knows.
  await issuer.shutdown();
  assert.equal(await ask(first), "ok");
});

Deno.test("requests that wait for a decision keep their bodies, and clients that leave are forgotten", async () => {
  const waiting: (() => void)[] = [];
  const decider = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
    if (request.headers.get("x-forwarded-uri") === "/slow") {
      await new Promise<void>((resolve) => waiting.push(resolve));
    }
    return request.headers.get("x-forwarded-method") === "DELETE"
      ? new Response("no deletes", { status: 403, headers: { "x-why": "policy" } })
      : new Response(null, { status: 204, headers: { "x-user": "ann" } });
  });
  const shop = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    async (request) =>
      new Response(`${request.headers.get("x-user")} ${(await request.text()).length}`),
  );
  const port = freePort();
  await using edge = await Edge.start({
    "edge.yaml": documents(
      gateway("edge", port),
      route("all", "b"),
      backend("b", shop.addr.port),
      policy(
        "ask",
        "{ kind: ProxyRoute, name: all }",
        `  type: ForwardAuth
  forwardAuth: { address: "http://127.0.0.1:${decider.addr.port}/", responseHeaders: [X-User] }`,
      ),
    ),
  }, { workers: 1 });
  using connection = await HttpConnection.open(port);
  // Larger than what is kept for a second try.
  const body = "x".repeat(300_000);
  const posted = await connection.request("POST", "/", { "x-user": "root" }, body);
  assert.equal(posted.body, "ann 300000");
  const refused = await connection.request("DELETE", "/");
  assert.deepEqual([refused.status, refused.body, refused.headers.get("x-why")], [
    403,
    "no deletes",
    "policy",
  ]);
  const leaving = await HttpConnection.open(port);
  leaving.write("GET /slow HTTP/1.1\r\nHost: test.example.com\r\n\r\n");
  while (waiting.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  // By a reset: who only ends its side may still wait for the answer.
  leaving.socket.resetAndDestroy();
  await edge.dataplane.line(/"path":"\/slow".*"reason":"client_gone"/);
  for (const resolve of waiting) resolve();
  assert.equal((await connection.request("GET", "/")).body, "ann 0");
  await Promise.all([decider.shutdown(), shop.shutdown()]);
});
