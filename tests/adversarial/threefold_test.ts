import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import net from "node:net";
import { Authority, secret } from "../support/authority.ts";
import { backend, documents, Edge, route, secureGateway } from "../support/edge.ts";
import { HttpConnection } from "../support/http_client.ts";
import { freePort } from "../support/programs.ts";
import { collected, type Gauges, settled } from "../support/residue.ts";

const CLIENTS = 200;
const ROUNDS = 3;
const LARGE = 1 << 20;

/** Content enough to fill what is between a client and a backend. */
const CONTENT = Buffer.alloc(LARGE, "x");
/** The beginning of a ClientHello. */
const HELLO = Buffer.from([22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]);

type Attack = (socket: net.Socket, i: number) => Promise<unknown>;

const sent = (socket: net.Socket, bytes: string | Buffer) =>
  new Promise((resolve) => socket.write(bytes, resolve));
const received = (socket: net.Socket) => new Promise((resolve) => socket.once("data", resolve));
const ended = (socket: net.Socket) => new Promise((resolve) => socket.once("close", resolve));
const post = (framing: string) => `POST / HTTP/1.1\r\nhost: h\r\n${framing}\r\n\r\n`;

/** Each attacker does this, then resets its connection if that is still open. */
const ATTACKS: Readonly<Record<string, { readonly secure?: boolean; readonly attack: Attack }>> = {
  "says nothing": { attack: () => Promise.resolve() },
  "garbage": { attack: (socket, i) => (socket.write(`\0garbage ${i}\r\n\r\n`), ended(socket)) },
  "a head without an end": {
    attack: (socket) => sent(socket, `GET / HTTP/1.1\r\nx-a: ${"a".repeat(9_000)}`),
  },
  "a head too large": {
    attack: (
      socket,
    ) => (socket.write(`GET / HTTP/1.1\r\nx-a: ${"a".repeat(99_000)}`), ended(socket)),
  },
  "an upload cut short": {
    attack: (socket) =>
      sent(socket, Buffer.concat([Buffer.from(post(`content-length: ${2 * LARGE}`)), CONTENT])),
  },
  "a chunk cut short": {
    attack: (socket) => sent(socket, `${post("transfer-encoding: chunked")}ffff\r\nxxxx`),
  },
  "leaves within the answer": {
    attack: (socket) => (socket.write("GET /large HTTP/1.1\r\nhost: h\r\n\r\n"), received(socket)),
  },
  "reads nothing": {
    attack: (
      socket,
    ) => (socket.pause(), sent(socket, "GET /large HTTP/1.1\r\nhost: h\r\n\r\n".repeat(20))),
  },
  "half a ClientHello": { secure: true, attack: (socket) => sent(socket, HELLO) },
  "HTTP to the TLS port": {
    secure: true,
    attack: (socket) => (socket.write("GET / HTTP/1.1\r\n\r\n"), ended(socket)),
  },
};

Deno.test("attacks over HTTP/1.1 and TLS: three rounds leave the same behind", async (t) => {
  const origin = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    (request) => new Response(new URL(request.url).pathname === "/large" ? CONTENT : "ok"),
  );
  const [plain, secure] = [freePort(), freePort()];
  const pair = await (await Authority.create()).issue({ name: "h", dns: ["h"] });
  await using edge = await Edge.start({
    "all.yaml": documents(
      secureGateway("edge", plain, secure, "pair"),
      secret("pair", pair),
      `${backend("b", origin.addr.port)}  idleTimeout: 1s\n`,
      route("all", "b"),
    ),
  }, { workers: 1, dataplaneArgs: ["--fault-injection"] });
  const friend = await HttpConnection.open(plain);
  const serve = async () => assert.equal((await friend.request("GET", "/")).status, 200);

  for (const [name, { attack, secure: overTls }] of Object.entries(ATTACKS)) {
    await t.step(name, async () => {
      const ends: Gauges[] = [];
      const memory: number[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        await Promise.all(Array.from({ length: CLIENTS }, async (_, i) => {
          const socket = net.connect({ port: overTls ? secure : plain, host: "127.0.0.1" });
          socket.on("error", () => {});
          // What nobody reads would keep the end of the connection from being seen.
          socket.on("data", () => {});
          // A connection beyond the client's share of open handshakes may be reset before it is seen.
          const gone = ended(socket);
          await Promise.race([new Promise((resolve) => socket.once("connect", resolve)), gone]);
          await Promise.race([attack(socket, i), gone]);
          socket.resetAndDestroy();
        }));
        await serve();
        ends.push(await settled(edge, 1));
        memory.push(await collected(edge, serve, round === 0 ? Infinity : memory[0] * 1.1));
      }
      for (const end of ends) {
        assert.deepEqual([end.connections, end.buffered], [1, 0]);
        assert.ok(end.upstream <= 1, `${end.upstream} connections to the backend`);
        assert.ok(
          end.descriptors <= ends[0].descriptors * 1.1,
          `${ends[0].descriptors} descriptors, then ${end.descriptors}`,
        );
      }
      assert.ok(memory.every((bytes) => bytes <= memory[0] * 1.1), `${memory} bytes in use`);
    });
  }
  friend.close();
  assert.equal(await edge.metric("novaedge_worker_deaths_total"), 0);
  await origin.shutdown();
});
