import assert from "node:assert/strict";
import { httpBackend } from "../support/backends.ts";
import { backend, documents, Edge, route } from "../support/edge.ts";
import { get, HttpConnection } from "../support/http_client.ts";
import { freePort } from "../support/programs.ts";

function listeners(...specs: string[]): string {
  return `apiVersion: novaedge.io/v1alpha1
kind: ProxyGateway
metadata: { name: edge }
spec:
  listeners:${
    specs.map((spec) => `\n    - { ${spec}, protocol: HTTP, address: 127.0.0.1 }`).join("")
  }
`;
}

/** A backend that answers with the fields it got. */
function fieldsBackend() {
  return httpBackend(async (request) => {
    const body = await request.text().catch(() => "");
    return Response.json({ ...Object.fromEntries(request.headers), body: body.length });
  });
}

Deno.test("what a client says about itself counts only from a trusted proxy", async () => {
  await using fields = fieldsBackend();
  const [open, trusting, forwarding] = [freePort(), freePort(), freePort()];
  await using _edge = await Edge.start({
    "all.yaml": documents(
      listeners(
        `name: open, port: ${open}`,
        `name: trusting, port: ${trusting}, trustedProxies: [127.0.0.1, 10.0.0.0/8]`,
        `name: forwarding, port: ${forwarding}, forwardedHeader: true`,
      ),
      route("all", "fields"),
      backend("fields", fields.port),
    ),
  });
  const told = {
    "x-forwarded-for": "203.0.113.7, 10.1.1.1",
    "x-forwarded-proto": "https",
    "x-forwarded-host": "outer.example.com",
    "x-real-ip": "6.6.6.6",
    forwarded: "for=6.6.6.6",
  };
  const seen = async (port: number) => JSON.parse((await get(port, "/", told)).body);
  const fromAnybody = await seen(open);
  assert.equal(fromAnybody["x-forwarded-for"], "127.0.0.1");
  assert.equal(fromAnybody["x-real-ip"], "127.0.0.1");
  assert.equal(fromAnybody["x-forwarded-proto"], "http");
  assert.equal(fromAnybody["x-forwarded-host"], "test.example.com");
  assert.equal(fromAnybody.forwarded, undefined);
  const fromProxy = await seen(trusting);
  assert.equal(fromProxy["x-forwarded-for"], "203.0.113.7, 10.1.1.1, 127.0.0.1");
  assert.equal(fromProxy["x-real-ip"], "203.0.113.7");
  assert.equal(fromProxy["x-forwarded-proto"], "https");
  assert.equal(fromProxy["x-forwarded-host"], "outer.example.com");
  // It says something else.
  assert.equal(fromProxy.forwarded, undefined);
  const standard = await seen(forwarding);
  assert.equal(standard.forwarded, "for=127.0.0.1;proto=http;host=test.example.com");
  assert.equal(standard["x-forwarded-for"], "127.0.0.1");
});

Deno.test("a redirecting listener sends everything to https but what it must serve", async () => {
  await using fields = fieldsBackend();
  const port = freePort();
  await using _edge = await Edge.start({
    "all.yaml": documents(
      listeners(`name: http, port: ${port}, sslRedirect: true`),
      route("all", "fields"),
      backend("fields", fields.port),
    ),
  });
  const { status, headers } = await get(port, "/a%20b?c=%64", { host: "Shop.example.com:8080" });
  assert.equal(status, 301);
  assert.equal(headers.get("location"), "https://shop.example.com/a%20b?c=%64");
  assert.equal((await get(port, "/.well-known/acme-challenge/token")).status, 200);
});

Deno.test("a body above the listener's limit is refused, announced or not", async () => {
  await using fields = fieldsBackend();
  const port = freePort();
  await using _edge = await Edge.start({
    "all.yaml": documents(
      listeners(`name: http, port: ${port}, maxRequestBodySize: 1000`),
      route("all", "fields"),
      backend("fields", fields.port),
    ),
  });
  using connection = await HttpConnection.open(port);
  const fits = await connection.request("POST", "/", {}, "x".repeat(1000));
  assert.equal(JSON.parse(fits.body).body, 1000);
  assert.equal((await connection.request("POST", "/", {}, "x".repeat(1001))).status, 413);
  using chunked = await HttpConnection.open(port);
  chunked.write("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n");
  for (let i = 0; i < 11; i++) chunked.write(`64\r\n${"x".repeat(100)}\r\n`);
  assert.equal((await chunked.answer()).status, 413);
});

Deno.test("connections above the listener's limits are closed, and places come free again", async () => {
  await using fields = fieldsBackend();
  const port = freePort();
  await using edge = await Edge.start({
    "all.yaml": documents(
      listeners(`name: http, port: ${port}, connectionLimits: { perClient: 2 }`),
      route("all", "fields"),
      backend("fields", fields.port),
    ),
  }, { workers: 1 });
  const first = await HttpConnection.open(port);
  const second = await HttpConnection.open(port);
  assert.equal((await first.request("GET", "/")).status, 200);
  assert.equal((await second.request("GET", "/")).status, 200);
  using third = await HttpConnection.open(port);
  assert.equal((await third.answer()).status, 0);
  assert.equal(await edge.metric("novaedge_connections_refused_total"), 1);
  const open = () =>
    edge.metric('novaedge_connections_open{listener="ProxyGateway/default/edge/http"}');
  first.close();
  while (await open() > 1);
  assert.equal((await get(port)).status, 200);
  second.close();
});

Deno.test("an ending dataplane is not ready, moves clients on and still serves them", async () => {
  await using fields = fieldsBackend();
  const port = freePort();
  await using edge = await Edge.start({
    "all.yaml": documents(
      listeners(`name: http, port: ${port}`),
      route("all", "fields"),
      backend("fields", fields.port),
    ),
  }, { dataplaneArgs: ["--drain-delay", "1"] });
  using connection = await HttpConnection.open(port);
  assert.equal((await connection.request("GET", "/")).headers.get("connection"), undefined);
  const mark = edge.dataplane.mark;
  edge.dataplane.process.kill("SIGTERM");
  await edge.dataplane.line(/draining/, mark);
  for (;;) {
    const answer = await get(port);
    assert.equal(answer.status, 200);
    // The workers learn it a moment after the main thread.
    if (answer.headers.get("connection") === "close") break;
  }
  const last = await connection.request("GET", "/");
  assert.deepEqual([last.status, last.headers.get("connection")], [200, "close"]);
  assert.equal((await edge.dataplane.process.status).code, 0);
});
