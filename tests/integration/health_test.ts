import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import http2 from "node:http2";
import net from "node:net";
import { type sendUnaryData, Server, type ServerUnaryCall } from "@grpc/grpc-js";
import { bindServer } from "../../common/grpc.ts";
import { Authority, type Pair, secret } from "../support/authority.ts";
import { textBackend } from "../support/backends.ts";
import { documents, Edge, gateway, route } from "../support/edge.ts";
import { get, HttpConnection } from "../support/http_client.ts";
import { freePort } from "../support/programs.ts";

function backendWith(name: string, ports: readonly number[], spec: string): string {
  const endpoints = ports.map((port) => `{ address: 127.0.0.1, port: ${port} }`).join(", ");
  return `apiVersion: novaedge.io/v1alpha1
kind: ProxyBackend
metadata: { name: ${name} }
spec:
  endpoints: [${endpoints}]
${spec}
`;
}

const OFTEN = "interval: 50ms, timeout: 1s, healthyThreshold: 1, unhealthyThreshold: 1";

/** Resolves when the dataplane tells of an endpoint. */
function told(edge: Edge, port: number, state: "passes" | "fails", from: number): Promise<string> {
  return edge.dataplane.line(
    (line) => line.includes(`health check ${state}`) && line.includes(`127.0.0.1:${port}"`),
    from,
  );
}

/** A server of grpc.health.v1 that says what it is told to. */
class GrpcHealth implements AsyncDisposable {
  readonly port = freePort();
  readonly asked: string[] = [];
  serving = true;
  readonly #server = new Server();

  async start(): Promise<this> {
    this.#server.addService({
      check: {
        path: "/grpc.health.v1.Health/Check",
        requestStream: false,
        responseStream: false,
        requestDeserialize: (bytes) => bytes.subarray(2).toString(),
        requestSerialize: (bytes) => bytes,
        responseDeserialize: (bytes: Buffer) => bytes,
        responseSerialize: (bytes: Buffer) => bytes,
      },
    }, {
      check: (call: ServerUnaryCall<string, Uint8Array>, done: sendUnaryData<Buffer>) => {
        this.asked.push(call.request);
        done(null, Buffer.from([8, this.serving ? 1 : 2]));
      },
    });
    await bindServer(this.#server, `127.0.0.1:${this.port}`);
    return this;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#server.forceShutdown();
    return Promise.resolve();
  }
}

/** grpc.health.v1 by TLS: SERVING. */
async function secureGrpcHealth(pair: Pair) {
  const server = http2.createSecureServer({ cert: pair.certificate, key: pair.key });
  server.on("stream", (stream: http2.ServerHttp2Stream) => {
    stream.respond({ ":status": 200, "content-type": "application/grpc" }, {
      waitForTrailers: true,
    });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.end(Buffer.from([0, 0, 0, 0, 2, 8, 1]));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as net.AddressInfo).port,
    [Symbol.dispose]: () => void server.close(),
  };
}

Deno.test("active checks by HTTP, TCP and gRPC take endpoints out and back", async (t) => {
  let well = true;
  const paths = new Set<string>();
  const server = (text: string) =>
    Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => {
      const { pathname } = new URL(request.url);
      if (pathname !== "/healthz") return new Response(text);
      paths.add(`${request.method} ${request.headers.get("host")} ${text}`);
      return new Response("all fine", { status: well || text === "b" ? 200 : 500 });
    });
  const [a, b] = [server("a"), server("b")];
  await using c = textBackend("c");
  const dead = freePort();
  await using health = await new GrpcHealth().start();
  const port = freePort();
  await using edge = await Edge.start({
    "edge.yaml": documents(
      gateway("edge", port),
      route("http", "http", { host: "http.test" }),
      route("tcp", "tcp", { host: "tcp.test" }),
      route("grpc", "grpc", { host: "grpc.test" }),
      backendWith(
        "http",
        [a.addr.port, b.addr.port],
        `  healthCheck: { httpPath: /healthz, host: me, expectedBody: fine, ${OFTEN} }`,
      ),
      backendWith("tcp", [c.port, dead], `  healthCheck: { ${OFTEN} }`),
      backendWith(
        "grpc",
        [health.port],
        `  protocol: gRPC\n  healthCheck: { type: gRPC, grpcService: shop, ${OFTEN} }`,
      ),
    ),
  }, { workers: 2 });
  const bodies = async (host: string) => {
    const seen = new Set<string>();
    for (let i = 0; i < 12; i++) {
      const { status, body } = await get(port, "/", { host });
      seen.add(status === 200 ? body : `${status}`);
    }
    return [...seen].sort();
  };
  await t.step("HTTP", async () => {
    await told(edge, a.addr.port, "passes", 0);
    await told(edge, b.addr.port, "passes", 0);
    assert.deepEqual(await bodies("http.test"), ["a", "b"]);
    const mark = edge.dataplane.mark;
    well = false;
    assert.match(await told(edge, a.addr.port, "fails", mark), /status 500/);
    assert.deepEqual(await bodies("http.test"), ["b"]);
    assert.equal(await edge.metric("novaedge_endpoints_unhealthy"), 2);
    well = true;
    await told(edge, a.addr.port, "passes", edge.dataplane.mark);
    assert.deepEqual(await bodies("http.test"), ["a", "b"]);
    assert.deepEqual([...paths].sort(), ["GET me a", "GET me b"]);
  });
  await t.step("TCP", async () => {
    assert.match(await told(edge, dead, "fails", 0), /connect_failed/);
    await told(edge, c.port, "passes", 0);
    assert.deepEqual(await bodies("tcp.test"), ["c"]);
    const mark = edge.dataplane.mark;
    const late = net.createServer((socket) => socket.end()).listen(dead, "127.0.0.1");
    await told(edge, dead, "passes", mark);
    late.close();
  });
  await t.step("gRPC", async () => {
    await told(edge, health.port, "passes", 0);
    const mark = edge.dataplane.mark;
    health.serving = false;
    assert.match(await told(edge, health.port, "fails", mark), /not serving/);
    assert.deepEqual(new Set(health.asked), new Set(["shop"]));
    const { status, body } = await get(port, "/", { host: "grpc.test" });
    assert.deepEqual([status, body], [503, "503 unhealthy\n"]);
  });
  await t.step("the admin API shows how each stands", async () => {
    const { endpoints } = await edge.json("/endpoints");
    const state = endpoints.find(({ port }: { port: number }) => port === health.port);
    assert.equal(state.health, "unhealthy");
  });
  await Promise.all([a.shutdown(), b.shutdown()]);
});

Deno.test("checks of backends by TLS prove whom they ask, as requests do", async (t) => {
  const trusted = await Authority.create("trusted");
  const foreign = await Authority.create("foreign");
  const pair = await trusted.issue({ name: "inner", dns: ["inner.test"] });
  const server = Deno.serve({
    port: 0,
    hostname: "127.0.0.1",
    cert: pair.certificate,
    key: pair.key,
    onListen() {},
  }, () => new Response("by TLS"));
  using health = await secureGrpcHealth(pair);
  await using plain = textBackend("in the clear");
  const tls = (ca: string) =>
    `  tls: { enabled: true, serverName: inner.test, caCertSecretRef: ${ca} }\n`;
  const { port: tlsPort } = server.addr;
  const http = (ca: string) =>
    `  protocol: HTTPS\n${tls(ca)}  healthCheck: { httpPath: /, expectedBody: TLS, ${OFTEN} }`;
  const tcp = (ca: string) => `  protocol: HTTPS\n${tls(ca)}  healthCheck: { ${OFTEN} }`;
  const grpc = (ca: string) =>
    `  protocol: gRPCS\n${tls(ca)}  healthCheck: { type: gRPC, ${OFTEN} }`;
  await using edge = await Edge.start({
    "edge.yaml": documents(
      gateway("edge", freePort()),
      secret("trusted", null, trusted.certificate),
      secret("foreign", null, foreign.certificate),
      backendWith("http", [tlsPort], http("trusted")),
      backendWith("http-foreign", [tlsPort], http("foreign")),
      backendWith("http-plain", [plain.port], http("trusted")),
      backendWith("tcp", [tlsPort], tcp("trusted")),
      backendWith("tcp-foreign", [tlsPort], tcp("foreign")),
      backendWith("grpc", [health.port], grpc("trusted")),
      backendWith("grpc-foreign", [health.port], grpc("foreign")),
    ),
  });
  const expected = [
    ["http", "passes"],
    ["http-foreign", "fails"],
    ["http-plain", "fails"],
    ["tcp", "passes"],
    ["tcp-foreign", "fails"],
    ["grpc", "passes"],
    ["grpc-foreign", "fails"],
  ];
  for (const [name, state] of expected) {
    await t.step(`${name} ${state}`, async () => {
      const line = await edge.dataplane.line((line) =>
        line.includes("health check") && line.includes(`/${name}"`)
      );
      assert.match(line, new RegExp(`health check ${state}`));
    });
  }
  await server.shutdown();
});

Deno.test("an affinity cookie is honoured by every worker, another process, and after restarts", async () => {
  const backends = Array.from({ length: 5 }, (_, i) => textBackend(String(i)));
  const port = freePort();
  const files = {
    "edge.yaml": documents(
      gateway("edge", port),
      route("all", "b"),
      backendWith(
        "b",
        backends.map((backend) => backend.port),
        "  sessionAffinity: { cookieName: STAY, cookieTTL: 1h, sameSite: Lax }",
      ),
    ),
  };
  await using edge = await Edge.start(files, { workers: 4 });
  const first = await get(port);
  const cookie = first.headers.get("set-cookie")!;
  assert.match(cookie, /^STAY=[\w-]{24}; Path=\/; Max-Age=3600; HttpOnly; SameSite=Lax$/);
  const value = cookie.split(";")[0];
  const stays = async () => {
    for (let i = 0; i < 20; i++) {
      // A connection each, so that every worker gets some.
      const answer = await get(port, "/", { cookie: `other=1; ${value}` });
      assert.equal(answer.body, first.body);
      assert.equal(answer.headers.get("set-cookie"), undefined);
    }
  };
  await stays();
  await edge.dataplane.end();
  const mark = edge.agent.mark;
  edge.startDataplane();
  await edge.agent.line(/the dataplane runs|"dataplane":true/, mark);
  await stays();
  await edge.controller.end();
  edge.startController();
  await edge.change("more.yaml", backendWith("other", [1], ""));
  await stays();
  // A cookie that was made up ties to nobody.
  const forged = await get(port, "/", { cookie: "STAY=AAAAAAAAAAAAAAAAAAAAAAAA" });
  assert.notEqual(forged.headers.get("set-cookie"), undefined);
  // Once its endpoint is gone, the client is tied to another.
  const left = backends.filter((_, i) => String(i) !== first.body).map(({ port }) => port);
  await edge.change(
    "edge.yaml",
    documents(
      gateway("edge", port),
      route("all", "b"),
      backendWith("b", left, "  sessionAffinity: { cookieName: STAY }"),
    ),
  );
  const moved = await get(port, "/", { cookie: value });
  assert.equal(moved.status, 200);
  assert.match(moved.headers.get("set-cookie")!, /^STAY=/);
  await Promise.all(backends.map((backend) => backend[Symbol.asyncDispose]()));
});

Deno.test("1,000 unrelated changes leave ejections, breakers, buckets and connections as they were", async () => {
  await using bad = await failing();
  await using good = textBackend("good");
  const port = freePort();
  const limited = `apiVersion: novaedge.io/v1alpha1
kind: ProxyPolicy
metadata: { name: limit }
spec:
  targetRef: { kind: ProxyRoute, name: limited }
  type: RateLimit
  rateLimit: { requestsPerMinute: 1, burst: 3 }
`;
  await using edge = await Edge.start({
    "edge.yaml": documents(
      gateway("edge", port),
      route("pair", "pair", { host: "pair.test" }),
      route("limited", "pair", { host: "limited.test" }),
      route("broken", "broken", { host: "broken.test" }),
      limited,
      backendWith(
        "pair",
        [good.port, bad.port],
        "  outlierDetection: { consecutive5xxThreshold: 1, baseEjectionDuration: 1h }",
      ),
      backendWith(
        "broken",
        [bad.port],
        "  circuitBreaker: { consecutiveFailures: 2, baseEjectionTime: 1h }",
      ),
    ),
  }, { workers: 1 });
  using kept = await HttpConnection.open(port);
  const ask = async (host: string) => (await kept.request("GET", "/", { host })).status;
  while (await ask("pair.test") !== 500);
  while (await ask("broken.test") !== 503);
  while (await ask("limited.test") !== 429);
  const connects = await edge.metric("novaedge_upstream_connects_total");
  for (let i = 0; i < 1_000; i++) {
    await edge.change("other.yaml", backendWith(`other-${i % 7}`, [i % 60_000 + 1], ""));
  }
  for (let i = 0; i < 10; i++) {
    assert.equal(await ask("pair.test"), 200);
    assert.equal(await ask("broken.test"), 503);
    assert.equal(await ask("limited.test"), 429);
  }
  assert.equal(await edge.metric("novaedge_upstream_connects_total"), connects);
  assert.equal(await edge.metric("novaedge_endpoints_ejected"), 1);
  assert.equal(await edge.metric("novaedge_breakers_open"), 1);
});

/** A backend whose every answer is 500. */
function failing() {
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    () => new Response("no", { status: 500 }),
  );
  return { port: server.addr.port, [Symbol.asyncDispose]: () => server.shutdown() };
}
