import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import net from "node:net";
import { WebSocket, type WebSocket as Socket, WebSocketServer } from "ws";
import { rawBackend } from "../support/backends.ts";
import { backend, documents, Edge, gateway } from "../support/edge.ts";
import { HttpConnection } from "../support/http_client.ts";
import { freePort } from "../support/programs.ts";

interface EchoServer {
  readonly port: number;
  /** Open connections. */
  readonly clients: Set<Socket>;
  close(): Promise<void>;
}

/** Echoes messages; the first one says who the client is. */
async function echoServer(): Promise<EchoServer> {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  await new Promise((resolve) => server.once("listening", resolve));
  server.on("connection", (socket: Socket, request: { headers: Record<string, string> }) => {
    socket.send(request.headers["x-forwarded-for"]);
    socket.on("message", (data: Buffer, binary: boolean) => socket.send(data, { binary }));
  });
  return {
    port: (server.address() as net.AddressInfo).port,
    clients: server.clients,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

/** Messages of a socket in order, as they are asked for. */
class Messages {
  readonly #arrived: Buffer[] = [];
  #wake = () => {};
  constructor(readonly socket: Socket) {
    socket.on("message", (data: Buffer) => {
      this.#arrived.push(data);
      this.#wake();
    });
    socket.on("close", () => this.#wake());
  }
  async next(): Promise<Buffer> {
    while (this.#arrived.length === 0) {
      if (this.socket.readyState === WebSocket.CLOSED) throw new Error("closed");
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    return this.#arrived.shift()!;
  }
}

function webSocketRoute(upgrades = ""): string {
  return `apiVersion: novaedge.io/v1alpha1
kind: ProxyRoute
metadata: { name: all }
spec: { rules: [{ backendRefs: [{ name: b }]${upgrades} }] }
`;
}

Deno.test("a WebSocket works, stays through changes, and its end reaches the other side", async () => {
  const echo = await echoServer();
  const port = freePort();
  await using edge = await Edge.start({
    "all.yaml": documents(gateway("edge", port), webSocketRoute(), backend("b", echo.port)),
  });
  const socket = new WebSocket(`ws://127.0.0.1:${port}/chat`);
  const messages = new Messages(socket);
  assert.equal(String(await messages.next()), "127.0.0.1");
  const large = Buffer.alloc(3_000_000, "novaedge");
  socket.send(large);
  assert.deepEqual(await messages.next(), large);
  for (let i = 0; i < 10; i++) {
    await edge.change("other.yaml", backend(`other-${i}`, 9));
    socket.send(`change ${i}`);
    assert.equal(String(await messages.next()), `change ${i}`);
  }
  const closed = new Promise((resolve) => socket.once("close", resolve));
  socket.close(1000, "done");
  assert.equal(await closed, 1000);
  const second = new WebSocket(`ws://127.0.0.1:${port}/chat`);
  await new Messages(second).next();
  const [theirs] = echo.clients;
  const gone = new Promise((resolve) => theirs.once("close", resolve));
  second.terminate();
  await gone;
  await echo.close();
});

Deno.test("no byte reaches a backend before its 101, and a refused upgrade is an ordinary answer", async () => {
  const heads: string[] = [];
  let after = "";
  await using refusing = await rawBackend((socket, head) => {
    heads.push(head);
    socket.on("data", (data: Buffer) => after += data);
    socket.write("HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno");
  });
  const port = freePort();
  await using _edge = await Edge.start({
    "all.yaml": documents(gateway("edge", port), webSocketRoute(), backend("b", refusing.port)),
  });
  using connection = await HttpConnection.open(port);
  connection.write(
    "GET / HTTP/1.1\r\nhost: a\r\nconnection: Upgrade\r\nupgrade: WebSocket\r\n" +
      "sec-websocket-key: x\r\nsec-websocket-version: 13\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n",
  );
  assert.deepEqual((await connection.answer()).body, "no");
  // What followed was the next request, and is answered as such.
  assert.equal((await connection.answer()).status, 403);
  assert.match(heads[0], /\r\nconnection: upgrade\r\nupgrade: websocket\r\n/);
  assert.match(heads[1], /^GET \/smuggled /);
  assert.equal(after.includes("smuggled") && !after.startsWith("GET /smuggled"), false);
});

Deno.test("other protocols need the route's permission; h2c never passes", async () => {
  const heads: string[] = [];
  await using b = await rawBackend((socket, head) => {
    heads.push(head);
    if (/upgrade: spdy\/3\.1/i.test(head)) {
      socket.write(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: SPDY/3.1\r\n\r\nhi",
      );
      socket.on("data", (data: Buffer) => socket.write(data));
    } else socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
  });
  const port = freePort();
  await using edge = await Edge.start({
    "all.yaml": documents(gateway("edge", port), backend("b", b.port)),
    "route.yaml": webSocketRoute(),
  });
  const upgrade = (token: string) =>
    `GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade, http2-settings\r\nupgrade: ${token}\r\nhttp2-settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n`;
  using plain = await HttpConnection.open(port);
  plain.write(upgrade("h2c"));
  assert.equal((await plain.answer()).body, "ok");
  plain.write(upgrade("SPDY/3.1"));
  assert.equal((await plain.answer()).body, "ok");
  for (const head of heads) assert.ok(!/upgrade|http2-settings/i.test(head), head);
  await edge.change("route.yaml", webSocketRoute(", upgrades: [SPDY/3.1]"));
  using tunnel = await HttpConnection.open(port);
  tunnel.write(upgrade("SPDY/3.1") + "early");
  const answer = await tunnel.answer();
  assert.equal(answer.status, 101);
  assert.equal(await tunnel.take(7), "hiearly");
  // As kubectl exec does it; a WebSocket handshake is a GET.
  using posted = await HttpConnection.open(port);
  posted.write(
    upgrade("SPDY/3.1").replace("GET / HTTP/1.1", "POST / HTTP/1.1\r\ncontent-length: 0"),
  );
  assert.equal((await posted.answer()).status, 101);
  assert.match(heads.at(-1)!, /^POST \/ /);
  posted.write("more");
  assert.equal(await posted.take(6), "himore");
  using wrong = await HttpConnection.open(port);
  wrong.write(upgrade("websocket").replace("GET", "POST"));
  assert.equal((await wrong.answer()).body, "ok");
  assert.doesNotMatch(heads.at(-1)!, /upgrade/i);
});
