import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import net from "node:net";
import tls from "node:tls";
import { ErrorCode, FrameType, Setting } from "../../dataplane/http2/frame.ts";
import { PREFACE } from "../../dataplane/http2/preface.ts";
import { Authority, secret } from "../support/authority.ts";
import { backend, documents, Edge, gateway, route, secureGateway } from "../support/edge.ts";
import { HttpConnection } from "../support/http_client.ts";
import { Http2Client } from "../support/http2_client.ts";
import {
  dataFrame,
  FrameSocket,
  headersFrame,
  openHeadersFrame,
  pingFrame,
  pseudo,
  resetFrame,
  settingsFrame,
  windowFrame,
} from "../support/http2_frames.ts";
import { frame } from "../support/http2_wire.ts";
import { freePort } from "../support/programs.ts";
import { collected, type Gauges, settled } from "../support/residue.ts";

const CLIENTS = 10;
const ROUNDS = 3;
/** Frames of one flood; each budget is a fraction of it. */
const FLOOD = 5_000;
const LARGE = 1 << 20;

/** Answers at once, with a large body for /large. */
async function quickBackend(): Promise<{ port: number } & AsyncDisposable> {
  const large = Buffer.alloc(LARGE, "x");
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    (request) => new Response(new URL(request.url).pathname === "/large" ? large : "ok"),
  );
  await Promise.resolve();
  return { port: server.addr.port, [Symbol.asyncDispose]: () => server.shutdown() };
}

/** Requests over HTTP/1.1 and HTTP/2 connections that stay, one after the other. */
class Traffic {
  sent = 0;
  readonly failures: string[] = [];
  #stopped = false;
  #loops: Promise<void>[] = [];
  #progress: (() => void)[] = [];

  static async start(port: number): Promise<Traffic> {
    const traffic = new Traffic();
    const plain = await HttpConnection.open(port);
    const modern = await Http2Client.open(port);
    traffic.#loops = [
      traffic.#loop(async () => {
        const { status, complete, body } = await plain.request("GET", "/");
        return complete && body === "ok" ? `${status}` : `${status}, cut`;
      }, () => plain.close()),
      traffic.#loop(async () => {
        const { status, complete, body, reset, goAway } = await modern.get("/");
        return complete && body === "ok" ? `${status}` : `${status}, ${reset}, ${goAway}`;
      }, () => modern[Symbol.dispose]()),
    ];
    return traffic;
  }

  async #loop(request: () => Promise<string>, close: () => void): Promise<void> {
    while (!this.#stopped) {
      const outcome = await request();
      this.sent++;
      for (const resolve of this.#progress.splice(0)) resolve();
      if (outcome === "200") continue;
      this.failures.push(outcome);
      break;
    }
    close();
  }

  /** Waits for this many requests more. */
  async more(count: number): Promise<void> {
    const target = this.sent + count;
    while (this.sent < target && this.failures.length === 0) {
      await new Promise<void>((resolve) => this.#progress.push(resolve));
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#loops);
  }
}

type Attack = (client: FrameSocket, traffic: Traffic) => Promise<void>;

/** Sends a flood, in a few writes, and waits until the connection is ended for it. */
function flood(frames: (i: number) => Uint8Array, first: Uint8Array = Buffer.alloc(0)): Attack {
  return async (client) => {
    client.write(first);
    for (let i = 0; i < FLOOD && !client.ended; i += 500) {
      client.write(...Array.from({ length: 500 }, (_, k) => frames(i + k)));
    }
    await client.end;
    // What tells the reason may be lost to a reset when our bytes are still on their way.
    assert.ok([-1, ErrorCode.EnhanceYourCalm].includes(client.goAway));
  };
}

const id = (i: number) => 1 + 2 * i;
const requests = (path: string, count: number) =>
  Array.from({ length: count }, (_, i) => headersFrame(id(i), pseudo("GET", path), true));

const attacks: Record<string, Attack> = {
  "rapid reset": flood((i) =>
    Buffer.concat([
      headersFrame(id(i), pseudo("GET"), true),
      resetFrame(id(i), ErrorCode.Cancel),
    ])
  ),
  "resets that we are made to send": flood((i) =>
    Buffer.concat([
      headersFrame(id(i), pseudo("GET"), true),
      frame(FrameType.WindowUpdate, 0, id(i), Buffer.alloc(4)),
    ])
  ),
  "CONTINUATION": flood(
    () => frame(FrameType.Continuation, 0, 1, Buffer.alloc(0)),
    openHeadersFrame(1, pseudo("GET")),
  ),
  "PING": flood(() => pingFrame()),
  "SETTINGS": flood(() => settingsFrame([])),
  "empty DATA": flood(() => dataFrame(1, "", false), headersFrame(1, pseudo("POST"), false)),
  async "slow readers"(client, traffic) {
    client.write(settingsFrame([[Setting.InitialWindowSize, 0]]), ...requests("/large", 20));
    await client.received(FrameType.Headers, 20);
    await traffic.more(50);
  },
  async "readers of nothing"(client, traffic) {
    client.socket.pause();
    client.write(
      settingsFrame([[Setting.InitialWindowSize, LARGE]]),
      windowFrame(0, 1 << 30),
      ...requests("/large", 20),
    );
    await traffic.more(50);
  },
};

Deno.test("HTTP/2 floods on real sockets: three rounds leave the same behind, and nobody else notices", async (t) => {
  await using origin = await quickBackend();
  const port = freePort();
  await using edge = await Edge.start({
    "all.yaml": documents(
      gateway("edge", port),
      `${backend("b", origin.port)}  idleTimeout: 1s\n`,
      route("all", "b"),
    ),
  }, { workers: 1, dataplaneArgs: ["--fault-injection"] });
  const traffic = await Traffic.start(port);
  await traffic.more(20);
  for (const [name, attack] of Object.entries(attacks)) {
    await t.step(name, async () => {
      const ends: Gauges[] = [];
      const memory: number[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        const clients = await Promise.all(
          Array.from({ length: CLIENTS }, () => FrameSocket.open(port)),
        );
        await Promise.all(clients.map((client) => attack(client, traffic)));
        for (const client of clients) client[Symbol.dispose]();
        ends.push(await settled(edge, 2));
        const most = round === 0 ? Infinity : memory[0] * 1.1;
        // Whoever is served behind a collection shows that the worker is through with it.
        memory.push(await collected(edge, () => traffic.more(20), most));
      }
      const [first] = ends;
      for (const end of ends) {
        assert.deepEqual([end.connections, end.buffered], [2, 0]);
        assert.ok(end.upstream <= 2, `${end.upstream} connections to the backend`);
        assert.ok(
          Math.abs(end.descriptors - first.descriptors) <= 0.1 * first.descriptors,
          `${first.descriptors} descriptors, then ${end.descriptors}`,
        );
      }
      assert.ok(memory.every((bytes) => bytes <= memory[0] * 1.1), `${memory} bytes in use`);
      await traffic.more(20);
      assert.deepEqual(traffic.failures, []);
    });
  }
  await traffic.stop();
  assert.deepEqual(traffic.failures, []);
  assert.equal(await edge.metric("novaedge_worker_deaths_total"), 0);
});

Deno.test("bug: a connection preface that comes in pieces ends no worker", async (t) => {
  await using origin = await quickBackend();
  const [port, securePort] = [freePort(), freePort()];
  const authority = await Authority.create();
  const pair = await authority.issue({ name: "h.example.com", dns: ["h.example.com"] });
  await using edge = await Edge.start({
    "all.yaml": documents(
      secureGateway("edge", port, securePort, "pair"),
      secret("pair", pair),
      backend("b", origin.port),
      route("all", "b"),
    ),
  }, { workers: 1 });

  /** Sends the preface in pieces that are read one by one; resolves with the answer to a PING. */
  async function inPieces(socket: net.Socket): Promise<void> {
    using client = new FrameSocket(socket);
    await Promise.race([client.connected, client.end]);
    const beside = await HttpConnection.open(port);
    const places = [0, 1, 5, 12, 18, 20, 23, PREFACE.length];
    for (let i = 1; i < places.length; i++) {
      client.write(PREFACE.subarray(places[i - 1], places[i]));
      // The one worker that answers here has read the piece before.
      await Promise.race([beside.request("GET", "/"), client.end]);
    }
    beside.close();
    client.write(settingsFrame([]), pingFrame());
    await client.received(FrameType.Ping);
    assert.equal(client.ended, false);
    assert.equal(await edge.metric("novaedge_worker_deaths_total"), 0);
  }

  await t.step("over TLS", async () => {
    await inPieces(tls.connect({
      port: securePort,
      host: "127.0.0.1",
      servername: "h.example.com",
      ALPNProtocols: ["h2"],
      rejectUnauthorized: false,
    }));
  });
  await t.step("in the clear", async () => {
    await inPieces(net.connect({ port, host: "127.0.0.1", noDelay: true }));
  });
});
