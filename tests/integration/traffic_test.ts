import assert from "node:assert/strict";
import { httpBackend, type TestBackend } from "../support/backends.ts";
import { documents, Edge, gateway } from "../support/edge.ts";
import { HttpConnection } from "../support/http_client.ts";
import { freePort } from "../support/programs.ts";

/** A backend that answers with what it was asked. */
function echo(name: string): TestBackend {
  return httpBackend((request) => {
    const { pathname, search } = new URL(request.url);
    const fields = [...request.headers].map(([field, value]) => `${field}: ${value}`).sort();
    return new Response([`${request.method} ${pathname}${search}`, ...fields].join("\n"), {
      headers: { "x-name": name, "x-internal": "secret" },
    });
  });
}

function backend(name: string, ports: number[], rest = ""): string {
  const endpoints = ports.map((port) => `{ address: 127.0.0.1, port: ${port} }`);
  return `apiVersion: novaedge.io/v1alpha1
kind: ProxyBackend
metadata: { name: ${name} }
spec:
  endpoints: [${endpoints.join(", ")}]
${rest}`;
}

function route(name: string, spec: string): string {
  return `apiVersion: novaedge.io/v1alpha1
kind: ProxyRoute
metadata: { name: ${name} }
spec:
${spec}`;
}

Deno.test("filters of a route change what both sides see, redirect and answer", async () => {
  await using one = echo("one");
  const port = freePort();
  await using edge = await Edge.start({
    "all.yaml": documents(
      gateway("edge", port),
      backend("one", [one.port]),
      route(
        "web",
        `  hostnames: ["api.*"]
  rules:
    - matches: [{ path: { type: PathPrefix, value: /v1 } }]
      filters:
        - { type: SetHeader, set: [{ name: X-Team, value: edge }] }
        - { type: RemoveHeader, remove: [X-Debug] }
        - { type: ResponseRemoveHeader, responseRemove: [X-Internal] }
        - { type: ResponseSetHeader, responseSet: [{ name: Cache-Control, value: no-store }] }
        - { type: URLRewrite, rewrite: { hostname: inner.example, path: { type: ReplacePrefixMatch, value: /internal } } }
      backendRefs: [{ name: one }]
    - matches: [{ path: { type: PathPrefix, value: /old } }]
      filters:
        - { type: RequestRedirect, redirect: { scheme: https, path: { type: ReplacePrefixMatch, value: /new }, statusCode: 308 } }
    - matches: [{ path: { type: Exact, value: /health } }]
      filters: [{ type: DirectResponse, directResponse: { statusCode: 200, body: "fine\\n" } }]
    - matches: [{ headers: [{ name: X-Blocked, type: Present }] }]
      filters: [{ type: DirectResponse, directResponse: { statusCode: 403 } }]
`,
      ),
    ),
  });
  const connection = await HttpConnection.open(port);
  const host = "api.example.com";
  const changed = await connection.request("GET", "/v1/users?q=1", { host, "x-debug": "1" });
  assert.equal(changed.status, 200);
  const seen = changed.body.split("\n");
  assert.equal(seen[0], "GET /internal/users?q=1");
  assert.ok(seen.includes("host: inner.example"));
  assert.ok(seen.includes("x-team: edge"));
  assert.ok(!changed.body.includes("x-debug"));
  assert.equal(changed.headers.get("cache-control"), "no-store");
  assert.equal(changed.headers.has("x-internal"), false);
  assert.equal(changed.headers.get("x-name"), "one");

  const redirected = await connection.request("GET", "/old/page?a=b", { host });
  assert.equal(redirected.status, 308);
  assert.equal(redirected.headers.get("location"), "https://api.example.com/new/page?a=b");
  const health = await connection.request("GET", "/health", { host });
  assert.deepEqual([health.status, health.body], [200, "fine\n"]);
  const blocked = await connection.request("GET", "/x", { host, "x-blocked": "" });
  assert.deepEqual([blocked.status, blocked.body], [403, ""]);
  const other = await connection.request("GET", "/v1/users", { host: "www.example.com" });
  assert.equal(other.status, 404);
  assert.equal(one.requests.length, 1);
  connection.socket.destroy();

  const why = await edge.json(`/why?url=http://${host}:${port}/old/page`);
  assert.match(why.reason, /^308: redirect by prefix path \/old/);
  assert.equal(why.becomes, "https://api.example.com/new/page");
});

Deno.test("copies of requests reach a mirror, whose answers reach nobody", async () => {
  await using one = echo("one");
  const bodies: string[] = [];
  let arrived = () => {};
  await using shadow = httpBackend(async (request) => {
    bodies.push(await request.text());
    arrived();
    return new Response("never seen", { status: 500 });
  });
  const port = freePort();
  await using edge = await Edge.start({
    "all.yaml": documents(
      gateway("edge", port),
      backend("one", [one.port]),
      backend("shadow", [shadow.port]),
      route(
        "web",
        `  rules:
    - filters: [{ type: RequestMirror, mirrorBackend: { name: shadow } }]
      backendRefs: [{ name: one }]
`,
      ),
    ),
  });
  const connection = await HttpConnection.open(port);
  for (const body of ["", "hello"]) {
    const copied = new Promise<void>((resolve) => arrived = resolve);
    const answer = await connection.request(body === "" ? "GET" : "POST", "/x", {}, body);
    assert.deepEqual([answer.status, answer.headers.get("x-name")], [200, "one"]);
    await copied;
  }
  connection.socket.destroy();
  assert.deepEqual(bodies, ["", "hello"]);
  assert.deepEqual(shadow.requests, ["GET /x", "POST /x"]);
  assert.equal(await edge.metric("novaedge_mirrored_total"), 2);
});

Deno.test("a backend that answers 503 is not the last word, and a key stays with its endpoint", async () => {
  await using good = echo("good");
  await using other = echo("other");
  await using busy = httpBackend(() => new Response("busy", { status: 503 }));
  const port = freePort();
  await using edge = await Edge.start({
    "all.yaml": documents(
      gateway("edge", port),
      backend("shaky", [busy.port, good.port]),
      backend(
        "keyed",
        [good.port, other.port],
        "  lbPolicy: Maglev\n  hashKey: { type: Header, name: X-User }\n",
      ),
      route(
        "web",
        `  rules:
    - matches: [{ path: { type: PathPrefix, value: /retried } }]
      retry: { maxRetries: 2, retryOn: ["503"], backoffBase: 1ms, retryBudget: 1 }
      backendRefs: [{ name: shaky }]
    - matches: [{ path: { type: PathPrefix, value: /keyed } }]
      backendRefs: [{ name: keyed }]
`,
      ),
    ),
  });
  const connection = await HttpConnection.open(port);
  for (let i = 0; i < 20; i++) {
    const answer = await connection.request("GET", `/retried/${i}`);
    assert.deepEqual([answer.status, answer.headers.get("x-name")], [200, "good"]);
  }
  assert.ok(busy.requests.length >= 5);
  assert.equal(await edge.metric("novaedge_retries_total"), busy.requests.length);
  const before = busy.requests.length;
  const posts: number[] = [];
  for (let i = 0; i < 4; i++) {
    const { status } = await connection.request("POST", "/retried/post", { "content-length": "0" });
    posts.push(status);
  }
  assert.equal(posts.filter((status) => status === 503).length, busy.requests.length - before);
  assert.ok(posts.includes(503), "a POST is asked once");

  const names = new Map<string, Set<string>>();
  for (let i = 0; i < 40; i++) {
    const user = `user-${i % 10}`;
    const fresh = await HttpConnection.open(port);
    const { headers } = await fresh.request("GET", "/keyed", { "x-user": user });
    names.set(user, (names.get(user) ?? new Set()).add(headers.get("x-name")!));
    fresh.socket.destroy();
  }
  assert.ok([...names.values()].every((seen) => seen.size === 1));
  assert.equal(new Set([...names.values()].flatMap((seen) => [...seen])).size, 2);
  connection.socket.destroy();
});

Deno.test("bug: a pattern that cannot be used closes its own rule and no other", async () => {
  await using one = echo("one");
  const port = freePort();
  await using _edge = await Edge.start({
    "all.yaml": documents(
      gateway("edge", port),
      backend("one", [one.port]),
      route(
        "web",
        `  rules:
    - matches: [{ path: { type: PathPrefix, value: /admin } }]
      filters: [{ type: DirectResponse, directResponse: { statusCode: 403 } }]
    - matches: [{ path: { type: PathPrefix, value: /x } }]
      filters: [{ type: URLRewrite, rewrite: { path: { type: ReplaceRegularExpression, pattern: "(?=a)", value: b } } }]
      backendRefs: [{ name: one }]
    - matches: [{ path: { type: RegularExpression, value: "(" } }, { path: { type: Exact, value: /y } }]
      backendRefs: [{ name: one }]
`,
      ),
      route("rest", `  rules: [{ backendRefs: [{ name: one }] }]\n`),
    ),
  });
  const connection = await HttpConnection.open(port);
  const statuses: number[] = [];
  for (const path of ["/admin", "/x/1", "/y", "/z"]) {
    statuses.push((await connection.request("GET", path)).status);
  }
  assert.deepEqual(statuses, [403, 500, 500, 200]);
  connection.socket.destroy();
});

Deno.test("bug: answers whose status has no body say nothing of its length", async () => {
  const port = freePort();
  const rule = (path: string, statusCode: number) =>
    `    - matches: [{ path: { type: Exact, value: ${path} } }]
      filters: [{ type: DirectResponse, directResponse: { statusCode: ${statusCode} } }]
`;
  await using _edge = await Edge.start({
    "all.yaml": documents(
      gateway("edge", port),
      route("web", `  rules:\n${rule("/none", 204)}${rule("/same", 304)}${rule("/reset", 205)}`),
    ),
  });
  const connection = await HttpConnection.open(port);
  const lengths: (string | undefined)[] = [];
  for (const path of ["/none", "/same", "/reset"]) {
    lengths.push((await connection.request("GET", path)).headers.get("content-length"));
  }
  assert.deepEqual(lengths, [undefined, undefined, "0"]);
  connection.socket.destroy();
});
