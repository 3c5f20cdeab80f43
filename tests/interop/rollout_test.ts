/** Backends that are rolled, killed and restarted under load. Takes minutes, so it is not among the quick tests. */
import assert from "node:assert/strict";
import http from "node:http";
import net from "node:net";
import { documents, Edge, gateway, route } from "../support/edge.ts";
import { HttpConnection } from "../support/http_client.ts";
import { freePort } from "../support/programs.ts";
import { interop } from "./tools.ts";

/** A backend on a fixed port that can end in several ways and come back. */
class Backend {
  readonly port = freePort();
  /** Requests that have come and are not answered. */
  active = 0;
  #server: http.Server | null = null;
  readonly #sockets = new Set<net.Socket>();
  /** Connections that have served and wait for the next request. */
  readonly #idle = new Set<net.Socket>();
  #ending = false;

  /** @param posts gets the bodies of the POSTs that it sees */
  constructor(readonly posts: string[] = []) {}

  start(): Promise<void> {
    this.#server = http.createServer((request, response) => {
      this.active++;
      const { socket } = request;
      this.#idle.delete(socket);
      if (this.#ending) response.setHeader("connection", "close");
      let body = "";
      request.on("data", (chunk) => body += chunk);
      request.on("end", () => {
        if (request.method === "POST") this.posts.push(body);
        setTimeout(() => response.end("ok"), 1);
      });
      response.on("close", () => {
        this.active--;
        if (!socket.destroyed && this.#sockets.has(socket)) this.#idle.add(socket);
        if (this.#ending) this.closeIdle();
      });
    });
    this.#server.keepAliveTimeout = 60_000;
    this.#server.on("connection", (socket: net.Socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => {
        this.#sockets.delete(socket);
        this.#idle.delete(socket);
      });
    });
    return new Promise((resolve) => this.#server!.listen(this.port, "127.0.0.1", resolve));
  }

  /** Ends after the requests in progress, as a program does that is asked to. */
  async end(): Promise<void> {
    this.#ending = true;
    const closed = new Promise<void>((resolve) => this.#server!.close(() => resolve()));
    this.closeIdle();
    await closed;
    this.#ending = false;
  }

  /** Ends with everything on its connections. */
  kill(): void {
    this.#server!.close();
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  /**
   * Closes the idle connections without notice, whatever is on its way on them; not those that are new,
   * on which the first request may be on its way: nobody's time for idle connections is that short.
   */
  closeIdle(): void {
    for (const socket of this.#idle) socket.end();
    this.#idle.clear();
  }
}

function backendWith(name: string, ports: readonly number[], spec = ""): string {
  const endpoints = ports.map((port) => `{ address: 127.0.0.1, port: ${port} }`).join(", ");
  return `apiVersion: novaedge.io/v1alpha1
kind: ProxyBackend
metadata: { name: ${name} }
spec:
  endpoints: [${endpoints}]
${spec}
`;
}

/** What came of paced requests. */
interface Load {
  sent: number;
  readonly failed: string[];
  stop: () => Promise<void>;
}

/** Sends GETs at a rate over some connections until it is stopped, or `most` are sent. */
function load(port: number, rate: number, most = Infinity, connections = 16): Load {
  const begin = performance.now();
  let stopped = false;
  const out: Load = { sent: 0, failed: [], stop: () => Promise.resolve() };
  const clients = Array.from({ length: connections }, async () => {
    let connection = await HttpConnection.open(port);
    while (!stopped && out.sent < most) {
      const due = begin + out.sent++ / rate * 1000;
      const wait = due - performance.now();
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
      const { status, complete } = await connection.request("GET", "/");
      if (status === 200 && complete) continue;
      out.failed.push(`${status} ${complete}`);
      if (!complete) {
        connection.close();
        connection = await HttpConnection.open(port);
      }
    }
    connection.close();
  });
  const done = Promise.all(clients).then(() => {});
  out.stop = () => {
    stopped = true;
    return done;
  };
  return Object.assign(out, { done });
}

await interop(
  "rolling 10 backends one after another: 0 of 100,000 requests fail at 500/s",
  [],
  async () => {
    const backends = Array.from({ length: 10 }, () => new Backend());
    await Promise.all(backends.map((backend) => backend.start()));
    const port = freePort();
    const files = (without: Backend | null) =>
      documents(
        gateway("edge", port),
        route("all", "b"),
        backendWith("b", backends.filter((b) => b !== without).map((b) => b.port)),
      );
    await using edge = await Edge.start({ "edge.yaml": files(null) }, { workers: 2 });
    const traffic = load(port, 500, 100_000) as Load & { done: Promise<void> };
    let over = false;
    void traffic.done.then(() => over = true);
    let rolled = 0;
    while (!over) {
      const backend = backends[rolled++ % backends.length];
      await edge.change("edge.yaml", files(backend));
      await backend.end();
      await backend.start();
      await edge.change("edge.yaml", files(null));
    }
    await traffic.stop();
    assert.equal(traffic.sent >= 100_000, true);
    assert.deepEqual(traffic.failed, []);
    assert.ok(rolled >= 10, `${rolled} backends were rolled`);
    await Promise.all(backends.map((backend) => backend.end()));
  },
);

const RETRY = `  retryPolicy: { numRetries: 2, retryOn: "connect-failure,reset,refused-stream" }`;

for (const retries of [false, true]) {
  await interop(
    `killing a backend hard: ${
      retries ? "with retries no GET fails" : "only what was in progress on it may fail"
    }`,
    [],
    async () => {
      const backends = Array.from({ length: 4 }, () => new Backend());
      await Promise.all(backends.map((backend) => backend.start()));
      const port = freePort();
      await using _edge = await Edge.start({
        "edge.yaml": documents(
          gateway("edge", port),
          route("all", "b"),
          backendWith(
            "b",
            backends.map((backend) => backend.port),
            retries ? RETRY : "",
          ),
        ),
      }, { workers: 2 });
      const traffic = load(port, 500);
      let mayFail = 0;
      for (let i = 0; i < 20; i++) {
        await new Promise((resolve) => setTimeout(resolve, 200));
        const backend = backends[i % 4];
        mayFail += backend.active;
        backend.kill();
        await new Promise((resolve) => setTimeout(resolve, 200));
        await backend.start();
      }
      await traffic.stop();
      if (retries) assert.deepEqual(traffic.failed, []);
      assert.ok(
        traffic.failed.length <= mayFail,
        `${traffic.failed.length} failed, ${mayFail} were in progress: ${traffic.failed}`,
      );
      assert.ok(traffic.sent > 2_000);
      await Promise.all(backends.map((backend) => backend.end()));
    },
  );
}

await interop(
  "rolling a backend of one replica whose connections close without notice: no GET fails, no POST comes twice",
  [],
  async () => {
    const posts: string[] = [];
    let backend = new Backend(posts);
    await backend.start();
    const port = freePort();
    const files = (to: Backend) =>
      documents(gateway("edge", port), route("all", "b"), backendWith("b", [to.port]));
    await using edge = await Edge.start({ "edge.yaml": files(backend) }, { workers: 2 });
    const failed: string[] = [];
    const posted = new Map<string, number>();
    let stopped = false;
    const clients = Array.from({ length: 8 }, async (_, client) => {
      const connection = await HttpConnection.open(port);
      for (let i = 0; !stopped; i++) {
        const body = `${client}-${i}`;
        const get = i % 2 === 0;
        const { status } = get
          ? await connection.request("GET", "/")
          : await connection.request("POST", "/", {}, body);
        if (get && status !== 200) failed.push(`GET ${status}`);
        if (!get) posted.set(body, status);
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
      connection.close();
    });
    for (let i = 0; i < 40; i++) {
      for (let j = 0; j < 10; j++) {
        await new Promise((resolve) => setTimeout(resolve, 10));
        backend.closeIdle();
      }
      const next = new Backend(posts);
      await next.start();
      await edge.change("edge.yaml", files(next));
      await backend.end();
      backend = next;
    }
    stopped = true;
    await Promise.all(clients);
    assert.deepEqual(failed, []);
    assert.equal(new Set(posts).size, posts.length, "a POST came twice");
    for (const [body, status] of posted) if (status === 200) assert.ok(posts.includes(body));
    assert.ok(posted.size > 500);
    await backend.end();
  },
);
