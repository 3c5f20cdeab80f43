import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { once } from "node:events";
import net from "node:net";
import { test } from "node:test";
import { createNodeTransport } from "../create_transport.ts";
import type { Connection, ConnectionEvents } from "../transport.ts";
import { UpstreamGuard } from "../upstream_guard.ts";

const OPEN = new UpstreamGuard({ blocked: [], allowed: [] });

/** A listener whose connections send back what comes, as views, and note the memory it came in. */
async function echo(): Promise<
  { port: number; memories: Set<ArrayBufferLike>[]; close(): Promise<void> }
> {
  const memories: Set<ArrayBufferLike>[] = [];
  const { transport } = createNodeTransport(OPEN, () => false);
  const accept = (connection: Connection): ConnectionEvents => {
    const seen = new Set<ArrayBufferLike>();
    memories.push(seen);
    return {
      onData(view) {
        seen.add(view.buffer);
        if (!connection.write(view)) connection.pause();
      },
      onDrain: () => connection.resume(),
      onEnd: () => connection.end(),
      onClose() {},
    };
  };
  const listener = await transport.listen({
    address: "127.0.0.1",
    port: 0,
    tls: null,
    accept,
    admit: () => ({ moveTo: () => true, establish() {}, release() {}, evict() {} }),
    proxyHeader: () => null,
    onError: (error) => {
      throw error;
    },
  });
  return { port: listener.port, memories, close: () => listener.close() };
}

/** Sends each piece after the one before came back; returns what came back. */
async function converse(port: number, pieces: readonly Buffer[]): Promise<Buffer> {
  const socket = net.connect({ port, host: "127.0.0.1", noDelay: true });
  await once(socket, "connect");
  const received: Buffer[] = [];
  for (const piece of pieces) {
    let left = piece.length;
    socket.write(piece);
    while (left > 0) {
      const [bytes] = await once(socket, "data") as [Buffer];
      received.push(bytes);
      left -= bytes.length;
    }
  }
  socket.end();
  await once(socket, "close");
  return Buffer.concat(received);
}

function pieces(seed: number, sizes: readonly number[]): Buffer[] {
  return sizes.map((size, i) => Buffer.alloc(size, `${seed}.${i};`));
}

test("small reads of all connections share memory, and what was written from it arrives as it was", async () => {
  const server = await echo();
  const sent = Array.from({ length: 20 }, (_, i) => pieces(i, [10, 700, 1, 2048, 2049, 5000, 10]));
  const received = await Promise.all(sent.map((list) => converse(server.port, list)));
  for (const [i, list] of sent.entries()) assert.ok(received[i].equals(Buffer.concat(list)));
  const all = new Set(server.memories.flatMap((seen) => [...seen]));
  assert.equal(all.size, 1);
  await server.close();
});

test("a connection that sends much gets memory of its own, and shares again when it sends little", async () => {
  const server = await echo();
  const list = pieces(1, [10, 3_000_000, 10, 10, 200_000, 5]);
  const received = await converse(server.port, list);
  assert.ok(received.equals(Buffer.concat(list)));
  assert.ok(server.memories[0].size > 1);
  const small = await converse(server.port, pieces(2, [5]));
  assert.equal(small.length, 5);
  const [shared] = server.memories[1];
  assert.ok(server.memories[0].has(shared));
  await server.close();
});

test("bug: each read of a transfer got new memory, and 30 MB of it led to a collection of 60 ms", async () => {
  const server = await echo();
  const size = 20_000_000;
  const clients = Array.from({ length: 4 }, (_, i) => Buffer.alloc(size, `${i} of the clients;`));
  const received = await Promise.all(clients.map(async (bytes, i) => {
    const socket = net.connect({ port: server.port, host: "127.0.0.1" });
    await once(socket, "connect");
    socket.end(bytes);
    let length = 0;
    for await (const piece of socket) {
      assert.ok(bytes.subarray(length, length += piece.length).equals(piece), `client ${i}`);
      // What is written waits now and then, with its memory.
      if (length % 7 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    return length;
  }));
  assert.deepEqual(received, clients.map(() => size));
  const memories = new Set(server.memories.flatMap((seen) => [...seen]));
  const reads = 4 * size / (64 * 1024);
  assert.ok(memories.size < reads / 4, `${memories.size} memories for ${reads} reads`);
  await server.close();
});

test("a paused connection reads nothing until it is resumed", async () => {
  let accepted!: Connection;
  const got: number[] = [];
  const waiting: (() => void)[] = [];
  const { transport } = createNodeTransport(OPEN, () => false);
  const listener = await transport.listen({
    address: "127.0.0.1",
    port: 0,
    tls: null,
    admit: () => ({ moveTo: () => true, establish() {}, release() {}, evict() {} }),
    proxyHeader: () => null,
    onError: (error) => {
      throw error;
    },
    accept(connection) {
      accepted = connection;
      return {
        onData(view) {
          got.push(view.length);
          connection.pause();
          waiting.shift()?.();
        },
        onDrain() {},
        onEnd: () => connection.end(),
        onClose() {},
      };
    },
  });
  const next = () => new Promise<void>((resolve) => waiting.push(resolve));
  const client = net.connect({ port: listener.port, host: "127.0.0.1", noDelay: true });
  let arrived = next();
  client.write("one");
  await arrived;
  await new Promise<void>((done) => client.write("three", () => done()));
  // A round through the same event loop: what is not paused would have been read by now.
  const other = net.createServer((socket) => socket.end()).listen(0, "127.0.0.1");
  await once(other, "listening");
  const probe = net.connect((other.address() as net.AddressInfo).port, "127.0.0.1").resume();
  await once(probe, "close");
  other.close();
  assert.deepEqual(got, [3]);
  arrived = next();
  accepted.resume();
  await arrived;
  assert.deepEqual(got, [3, 5]);
  accepted.resume();
  client.end();
  await once(client.resume(), "close");
  await listener.close();
});
