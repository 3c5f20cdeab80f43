import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { createNodeTransport } from "../create_transport.ts";
import type { Connection, ConnectionEvents } from "../transport.ts";
import { UpstreamGuard } from "../upstream_guard.ts";
import { type Reader, ReadTurns } from "./read_turns.ts";

const OPEN = new UpstreamGuard({ blocked: [], allowed: [] });
const PIECE = 64 * 1024;

class Scene {
  readonly #due: (() => void)[] = [];
  now = 0;
  alone = false;
  readonly turns = new ReadTurns(
    (run) => void this.#due.push(run),
    () => this.now,
    () => this.alone,
  );
  /** Names of the readers in the order in which they went on. */
  readonly wentOn: string[] = [];
  readonly held: string[] = [];

  reader(name: string): Reader {
    return { hold: () => void this.held.push(name), goOn: () => void this.wentOn.push(name) };
  }

  /** A read of so many bytes, handled in so many milliseconds. */
  read(reader: Reader, length: number, milliseconds = 0): void {
    const began = this.turns.begin(length);
    this.now += milliseconds;
    this.turns.count(reader, length, began);
  }

  /** The time of a wait is over. */
  waited(): void {
    for (const run of this.#due.splice(0)) run();
  }
}

test("transfers wait when they have had their time together, others read on", () => {
  const scene = new Scene();
  const [a, b, small] = ["a", "b", "small"].map((name) => scene.reader(name));
  scene.read(a, PIECE, 1.9);
  assert.deepEqual(scene.held, []);
  scene.read(a, PIECE, 0.1);
  scene.read(small, 1_000, 100);
  scene.read(b, PIECE);
  assert.deepEqual(scene.held, ["a", "b"]);
  scene.waited();
  assert.deepEqual(scene.wentOn, [], "another one had to be held: the thread was busy");
  scene.waited();
  assert.deepEqual(scene.wentOn, ["a", "b"]);
  scene.read(b, PIECE, 1.9);
  assert.deepEqual(scene.held, ["a", "b"], "counted anew");
  scene.read(b, PIECE, 0.1);
  scene.waited();
  assert.deepEqual(scene.wentOn, ["a", "b", "b"]);
});

test("four transfers go on after each wait", () => {
  const scene = new Scene();
  const names = ["a", "b", "c", "d", "e", "f"];
  for (const name of names) scene.read(scene.reader(name), PIECE, 4);
  scene.waited();
  scene.waited();
  assert.deepEqual(scene.wentOn, ["a", "b", "c", "d"]);
  scene.waited();
  assert.deepEqual(scene.wentOn, names);
});

test("the transfers of a client that is alone wait later, and go on together", () => {
  const scene = new Scene();
  scene.alone = true;
  const names = ["a", "b", "c", "d", "e", "f"];
  const readers = names.map((name) => scene.reader(name));
  for (let i = 0; i < 19; i++) scene.read(readers[i % 6], PIECE, 1);
  assert.deepEqual(scene.held, []);
  for (const reader of readers) scene.read(reader, PIECE, 1);
  scene.waited();
  scene.waited();
  assert.deepEqual(scene.wentOn, names);
});

test("what the runtime does between two reads counts, being idle does not", () => {
  const scene = new Scene();
  const reader = scene.reader("transfer");
  for (let i = 0; i < 10; i++) {
    scene.now += 5;
    scene.read(reader, PIECE, 0.1);
  }
  assert.deepEqual(scene.held, []);
  for (let i = 0; i < 10; i++) {
    scene.now += 0.3;
    scene.read(reader, PIECE, 0.1);
  }
  assert.equal(scene.held.length > 0, true);
});

test("bug: frames of a hundred streams in one read cost 5 ms, and 200 such reads came in a row", () => {
  const scene = new Scene();
  const reader = scene.reader("streams");
  scene.read(reader, PIECE, 1.5);
  assert.deepEqual(scene.held, []);
  scene.read(reader, PIECE, 1.5);
  assert.deepEqual(scene.held, ["streams"]);
});

test("bug: transfers kept the events of other connections from a thread for a second", async () => {
  const { transport } = createNodeTransport(OPEN, () => false);
  const workers: Worker[] = [];
  const start = async (name: string) => {
    const url = new URL("./testdata/endless_server.ts", import.meta.url);
    const worker = new Worker(url, { workerData: name });
    workers.push(worker);
    const [port] = await once(worker, "message") as [number];
    return port;
  };
  const open = (port: number, onData: (view: Uint8Array) => void) =>
    new Promise<Connection>((resolve, reject) => {
      const events: ConnectionEvents = {
        onData,
        onDrain() {},
        onEnd() {},
        onClose: (error) => error !== null && reject(error),
      };
      const connection = transport.connect({
        host: "127.0.0.1",
        port,
        tls: null,
        preamble: null,
        alpn: [],
        endpointName: "",
        events,
        onConnect: () => resolve(connection),
      });
    });
  const [endless, echo] = [await start("endless"), await start("echo")];
  let read = 0;
  let answered = () => {};
  const ping = await open(echo, () => answered());
  const transfers = [];
  for (let i = 0; i < 30; i++) {
    transfers.push(await open(endless, (view) => void (read += view.length)));
  }
  const beside: number[] = [];
  for (let i = 0; i < 5; i++) {
    const before = read;
    await new Promise<void>((resolve) => {
      answered = resolve;
      ping.write(new Uint8Array([i]));
    });
    beside.push(read - before);
  }
  for (const connection of [ping, ...transfers]) connection.close();
  for (const worker of workers) await worker.terminate();
  transport.close();
  beside.sort((a, b) => a - b);
  assert.ok(beside[2] < 100e6, `${beside[2]} bytes were read before a small response`);
});
