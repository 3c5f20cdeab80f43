import assert from "node:assert/strict";
import { httpBackend } from "../support/backends.ts";
import { backend, documents, Edge, gateway, route } from "../support/edge.ts";
import { HttpConnection } from "../support/http_client.ts";
import { freePort } from "../support/programs.ts";
import { flood } from "./overload.ts";
import { interop } from "./tools.ts";

const BURST = 20;

function policy(settings: string): string {
  return `apiVersion: novaedge.io/v1alpha1
kind: ProxyPolicy
metadata: { name: limit }
spec:
  targetRef: { kind: ProxyGateway, name: edge }
${settings}
`;
}

/** Whether the rate, without the burst, is the configured one. */
function assertRate(admitted: number, seconds: number, rate: number, share: number): void {
  const found = (admitted - BURST) / seconds;
  assert.ok(
    Math.abs(found - rate) <= rate * share,
    `${found.toFixed(1)} a second instead of ${rate} ± ${share * 100} %`,
  );
}

await interop(
  "four workers at three times the rate for 60 s admit the rate within 2 %",
  [],
  async () => {
    await using served = httpBackend(() => new Response("ok"));
    const port = freePort();
    const rate = 300;
    await using edge = await Edge.start({
      "edge.yaml": documents(
        gateway("edge", port),
        route("all", "b"),
        backend("b", served.port),
        policy(`  type: RateLimit
  rateLimit: { requestsPerSecond: ${rate}, burst: ${BURST} }`),
      ),
    }, { workers: 4 });
    const { admitted, refused, others, seconds } = await flood([port], 3 * rate, 60, 32);
    assert.deepEqual(others, []);
    assert.ok(refused > admitted, `${refused} refused, ${admitted} admitted: no overload`);
    assertRate(admitted, seconds, rate, 0.02);
    assert.equal(await edge.metric("novaedge_workers"), 4);
  },
);

/** A Redis that can be stopped and started again on its port. */
class Redis implements AsyncDisposable {
  readonly port = freePort();
  readonly #path: string;
  #child: Deno.ChildProcess | null = null;

  constructor(path: string) {
    this.#path = path;
  }

  async start(): Promise<void> {
    const folder = await Deno.makeTempDir({ prefix: "novaedge-redis-" });
    this.#child = new Deno.Command(this.#path, {
      args: [
        ...["--port", String(this.port), "--bind", "127.0.0.1", "--dir", folder],
        ...["--save", "", "--appendonly", "no", "--requirepass", "secret"],
      ],
      stdout: "null",
      stderr: "null",
    }).spawn();
    for (;;) {
      try {
        (await Deno.connect({ hostname: "127.0.0.1", port: this.port })).close();
        break;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
    await Deno.remove(folder, { recursive: true });
  }

  async kill(): Promise<void> {
    this.#child?.kill("SIGKILL");
    await this.#child?.status;
    this.#child = null;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }
}

function distributed(port: number, rate: number, algorithm: string): string {
  return `apiVersion: v1
kind: Secret
metadata: { name: redis }
stringData: { password: secret }
---
${
    policy(`  type: DistributedRateLimit
  distributedRateLimit:
    requestsPerSecond: ${rate}
    burst: ${BURST}
    algorithm: ${algorithm}
    redisRef: { address: "127.0.0.1:${port}", password: { name: redis } }`)
  }`;
}

for (const algorithm of ["token-bucket", "sliding-window", "fixed-window"]) {
  await interop(
    `two gateways and a Redis admit the rate within 5 %: ${algorithm}`,
    ["redis-server"],
    async (paths) => {
      await using redis = new Redis(paths["redis-server"]);
      await redis.start();
      await using served = httpBackend(() => new Response("ok"));
      const rate = 100;
      const ports = [freePort(), freePort()];
      const files = (port: number) => ({
        "edge.yaml": documents(
          gateway("edge", port),
          route("all", "b"),
          backend("b", served.port),
          distributed(redis.port, rate, algorithm),
        ),
      });
      await using first = await Edge.start(files(ports[0]));
      await using second = await Edge.start(files(ports[1]));
      await Promise.all(ports.map((port) => counted(port)));
      const { admitted, refused, others, seconds } = await flood(ports, 3 * rate, 10);
      assert.deepEqual(others, []);
      assert.ok(refused > admitted);
      // What a pause of the machine made fall back was counted by each gateway for itself.
      const alone = await first.metric("novaedge_rate_limit_fallbacks_total") +
        await second.metric("novaedge_rate_limit_fallbacks_total");
      assert.ok(alone < 50, `${alone} requests were not counted together`);
      assertRate(admitted, seconds, rate, 0.05);
    },
  );
}

/** Resolves when a gateway counts by Redis: its buckets were full, so the first answers say so. */
async function counted(port: number): Promise<void> {
  const connection = await HttpConnection.open(port);
  await connection.request("GET", "/");
  connection.socket.destroy();
}

await interop(
  "a Redis that is killed and comes back: limited all the time, and no request hangs",
  ["redis-server"],
  async (paths) => {
    await using redis = new Redis(paths["redis-server"]);
    await redis.start();
    await using served = httpBackend(() => new Response("ok"));
    const rate = 100;
    const port = freePort();
    await using edge = await Edge.start({
      "edge.yaml": documents(
        gateway("edge", port),
        route("all", "b"),
        backend("b", served.port),
        distributed(redis.port, rate, "token-bucket"),
      ),
    }, { workers: 1 });
    const fallbacks = () => edge.metric("novaedge_rate_limit_fallbacks_total");
    await flood([port], 3 * rate, 2);
    const before = await fallbacks();
    await redis.kill();
    const without = await flood([port], 3 * rate, 5);
    assert.deepEqual(without.others, []);
    assert.ok(without.refused > 0, "nobody was refused without Redis");
    assertRate(without.admitted, without.seconds, rate, 0.1);
    const during = await fallbacks();
    assert.ok(during - before > 500, `${during - before} fell back`);
    await redis.start();
    // The breaker lets a request try each second.
    for (let last = -1; last !== await fallbacks();) {
      last = await fallbacks();
      await flood([port], 3 * rate, 1);
    }
    const again = await flood([port], 3 * rate, 3);
    assert.deepEqual(again.others, []);
    assert.ok(again.refused > 0);
  },
);
