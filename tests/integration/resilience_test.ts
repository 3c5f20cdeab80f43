import assert from "node:assert/strict";
import { textBackend } from "../support/backends.ts";
import { backend, documents, Edge, gateway, route } from "../support/edge.ts";
import { get, HttpConnection } from "../support/http_client.ts";
import { injectFault } from "../support/metrics.ts";
import { freePort } from "../support/programs.ts";

/** Sends requests over several keep-alive connections until stopped; counts what is not 200. */
class Load {
  sent = 0;
  failed = 0;
  #stopped = false;
  readonly #loops: Promise<void>[];

  constructor(port: number, connections: number) {
    this.#loops = Array.from({ length: connections }, () => this.#loop(port));
  }

  async #loop(port: number): Promise<void> {
    const connection = await HttpConnection.open(port);
    while (!this.#stopped) {
      const answer = await connection.request("GET", "/");
      this.sent++;
      if (answer.status !== 200 || !answer.complete) {
        this.failed++;
        break;
      }
    }
    connection.close();
  }

  /** Resolves after `count` more requests. */
  async more(count: number): Promise<void> {
    const target = this.sent + count;
    while (this.sent < target && this.failed === 0) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#loops);
  }
}

async function running(options: { workers?: number; dataplaneArgs?: string[] } = {}) {
  const blue = textBackend("blue");
  const port = freePort();
  const files = {
    "base.yaml": documents(gateway("edge", port), backend("blue", blue.port)),
    "route.yaml": route("shop", "blue"),
  };
  const edge = await Edge.start(files, options);
  return {
    edge,
    port,
    async [Symbol.asyncDispose]() {
      await edge[Symbol.asyncDispose]();
      await blue[Symbol.asyncDispose]();
    },
  };
}

Deno.test("kill -9 of controller and agent, each restarted, fails no request", async () => {
  await using system = await running();
  const { edge, port } = system;
  const load = new Load(port, 8);
  await load.more(200);
  await edge.controller.end("SIGKILL");
  await load.more(200);
  let mark = edge.agent.mark;
  edge.startController();
  await edge.agent.line(/"connected to the controller"/, mark);
  await load.more(200);
  await edge.agent.end("SIGKILL");
  await load.more(200);
  edge.startAgent();
  mark = 0;
  await edge.agent.line(/"configuration applied"/, mark);
  await load.more(200);
  await edge.change("other.yaml", route("other", "blue", { host: "other.example.com" }));
  await load.more(200);
  await load.stop();
  assert.equal(load.failed, 0);
  assert.ok(load.sent >= 1200);
});

Deno.test("an agent and a dataplane that restart without a controller serve the last known good", async () => {
  await using system = await running();
  const { edge, port } = system;
  await edge.controller.end("SIGKILL");
  await edge.agent.end("SIGKILL");
  await edge.dataplane.end("SIGKILL");
  edge.startDataplane();
  edge.startAgent();
  await edge.agent.line(/last known good configuration loaded/);
  await edge.agent.line(/"the dataplane runs the configuration held"/);
  assert.equal((await get(port)).body, "blue");
  assert.equal((await edge.get("/ready")).status, 200);
});

for (const fault of ["throw", "oom"]) {
  Deno.test(`a traffic worker that dies (${fault}) takes only its own connections with it`, async () => {
    const args = ["--fault-injection", "--worker-heap-mb", "64"];
    await using system = await running({ workers: 2, dataplaneArgs: args });
    const { edge, port } = system;
    const connections = await Promise.all(
      Array.from({ length: 20 }, () => HttpConnection.open(port)),
    );
    for (const connection of connections) {
      assert.equal((await connection.request("GET", "/")).status, 200);
    }
    await injectFault(edge, 0, fault);
    await edge.dataplane.line(/traffic worker died/);
    const after = await Promise.all(
      connections.map(async (connection) => (await connection.request("GET", "/")).status),
    );
    const survivors = after.filter((status) => status === 200).length;
    assert.ok(
      survivors > 0 && survivors < connections.length,
      `${survivors} of ${connections.length} survived`,
    );
    assert.ok(after.every((status) => status === 200 || status === 0));
    for (const connection of connections) connection.close();
    await edge.dataplane.line(/traffic worker serves again/);
    assert.equal((await get(port)).status, 200);
    assert.equal(await edge.metric("novaedge_worker_deaths_total"), 1);
  });
}

Deno.test("bug: a promise of a library that was rejected ended its worker", async () => {
  const args = ["--fault-injection"];
  await using system = await running({ workers: 1, dataplaneArgs: args });
  const { edge, port } = system;
  using connection = await HttpConnection.open(port);
  assert.equal((await connection.request("GET", "/")).status, 200);
  await injectFault(edge, 0, "reject");
  await edge.dataplane.line(/work in the background failed with an internal error/);
  assert.equal((await connection.request("GET", "/")).status, 200);
  assert.equal(await edge.metric("novaedge_worker_deaths_total"), 0);
  assert.equal(await edge.metric("novaedge_internal_errors_total"), 1);
});
