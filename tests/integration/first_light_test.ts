import assert from "node:assert/strict";
import { httpBackend, textBackend } from "../support/backends.ts";
import { backend, documents, Edge, gateway, route } from "../support/edge.ts";
import { get, HttpConnection } from "../support/http_client.ts";
import { freePort } from "../support/programs.ts";

Deno.test("a request travels from a file to a backend, and an edit changes the answer", async () => {
  await using blue = textBackend("blue");
  await using green = textBackend("green");
  const port = freePort();
  const backends = documents(backend("blue", blue.port), backend("green", green.port));
  await using edge = await Edge.start({
    "gateway.yaml": gateway("edge", port),
    "backends.yaml": backends,
    "route.yaml": route("shop", "blue"),
  });
  assert.equal((await get(port)).body, "blue");

  await edge.change("route.yaml", route("shop", "green"));
  assert.equal((await get(port)).body, "green");

  const why = await edge.json(`/why?url=http://any.example.com:${port}/cart`);
  assert.equal(why.route, "ProxyRoute/default/shop");
  assert.equal(why.backends[0].backend, "ProxyBackend/default/green");

  const config = await edge.json("/config");
  assert.deepEqual(config.errors, []);
  assert.equal(config.objects.length, 4);
  assert.ok(
    config.objects.every((o: { conditions: { status: boolean }[] }) =>
      o.conditions.every((c) => c.status)
    ),
  );

  const { endpoints, workers } = await edge.json("/endpoints");
  assert.equal(workers, 2);
  assert.deepEqual(
    endpoints.map((e: { port: number }) => e.port).sort(),
    [blue.port, green.port].sort(),
  );

  assert.equal(
    await edge.metric(
      `novaedge_http_requests_total{listener="ProxyGateway/default/edge/http",code="2xx"}`,
    ),
    2,
  );
  const line = JSON.parse(await edge.dataplane.line(/"upstream"/));
  assert.equal(line.status, 200);
  assert.equal(line.route, "ProxyRoute/default/shop");
});

Deno.test("the answer comes complete over keep-alive, HEAD and unknown hosts included", async () => {
  await using blue = textBackend("0123456789");
  const port = freePort();
  await using _edge = await Edge.start({
    "all.yaml": documents(
      gateway("edge", port),
      backend("blue", blue.port),
      route("shop", "blue", { host: "shop.example.com", path: "/cart" }),
    ),
  });
  using connection = await HttpConnection.open(port);
  const host = { host: "shop.example.com" };
  for (let i = 0; i < 3; i++) {
    const answer = await connection.request("GET", "/cart/1?x=%2F", host);
    assert.equal(answer.status, 200);
    assert.equal(answer.body, "0123456789");
  }
  assert.equal((await connection.request("HEAD", "/cart", host)).status, 200);
  const missing = await connection.request("GET", "/carts", host);
  assert.equal(missing.status, 404);
  assert.equal(missing.body, "404 no_route\n");
  assert.equal(
    (await connection.request("GET", "/cart", { host: "other.example.com" })).status,
    404,
  );
  assert.deepEqual(blue.requests, ["GET /cart/1", "GET /cart/1", "GET /cart/1", "HEAD /cart"]);
});

Deno.test("the backend learns the client's address, host and scheme, and nothing a client claims of them", async () => {
  await using echo = httpBackend((request) => Response.json(Object.fromEntries(request.headers)));
  const port = freePort();
  // A listener on every address sees IPv4 clients in IPv6 form.
  const everywhere = gateway("edge", port).replace(", address: 127.0.0.1", "");
  await using _edge = await Edge.start({
    "all.yaml": documents(everywhere, backend("echo", echo.port), route("shop", "echo")),
  });
  const answer = await get(port, "/", {
    "x-forwarded-for": "203.0.113.9",
    "X-Real-IP": "203.0.113.9",
    "forwarded": "for=203.0.113.9",
    "x-forwarded-proto": "https",
    "connection": "x-secret",
    "x-secret": "1",
  });
  const seen = JSON.parse(answer.body);
  assert.equal(seen["x-forwarded-for"], "127.0.0.1");
  assert.equal(seen["x-real-ip"], "127.0.0.1");
  assert.equal(seen["x-forwarded-proto"], "http");
  assert.equal(seen["x-forwarded-host"], "test.example.com");
  assert.match(seen["x-request-id"], /^[0-9a-f]{28}$/);
  assert.equal(seen.host, "test.example.com");
  assert.equal(seen.forwarded, undefined);
  assert.equal(seen["x-secret"], undefined);
});
