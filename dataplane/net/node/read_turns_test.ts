import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { TurnEnd } from "../../loop/turn_end.ts";
import type { ConnectionEvents } from "../transport.ts";
import { UpstreamGuard } from "../upstream_guard.ts";
import { NodeTransport } from "./node_transport.ts";
import { MOST, type Reader, ReadTurns } from "./read_turns.ts";

const PIECE = 64 * 1024;

class Scene {
  readonly #due: (() => void)[] = [];
  now = 0;
  readonly turns = new ReadTurns((run) => void this.#due.push(run), () => this.now);
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

  fill(): void {
    for (let i = 1; i < MOST / PIECE; i++) this.read(this.reader("first"), PIECE);
  }

  /** The time of a wait is over. */
  waited(): void {
    for (const run of this.#due.splice(0)) run();
  }
}

test("transfers wait when they have read their share together, others read on", () => {
  const scene = new Scene();
  const [a, b, small] = ["a", "b", "small"].map((name) => scene.reader(name));
  scene.fill();
  assert.deepEqual(scene.held, []);
  scene.read(a, PIECE);
  scene.read(small, 1_000, 100);
  scene.read(b, PIECE);
  assert.deepEqual(scene.held, ["a", "b"]);
  scene.waited();
  assert.deepEqual(scene.wentOn, [], "another one had to be held: the thread was busy");
  scene.waited();
  assert.deepEqual(scene.wentOn, ["b", "a"], "the last ones begin the next time");
  scene.fill();
  assert.deepEqual(scene.held, ["a", "b"], "counted anew");
  scene.read(b, PIECE);
  scene.waited();
  assert.deepEqual(scene.wentOn, ["b", "a", "b"]);
});

test("bug: frames of a hundred streams in one read cost 5 ms, and 200 such reads came in a row", () => {
  const scene = new Scene();
  const reader = scene.reader("streams");
  scene.read(reader, PIECE, 3);
  scene.now += 1_000;
  assert.deepEqual(scene.held, [], "time between reads does not count");
  scene.read(reader, PIECE, 3);
  assert.deepEqual(scene.held, ["streams"]);
});

test("bug: transfers kept the events of other connections from a thread for a second", async () => {
  const transport = new NodeTransport(
    new TurnEnd((run) => setImmediate(run)),
    new UpstreamGuard({ blocked: [], allowed: [] }),
  );
  const workers: Worker[] = [];
  const start = async (name: string) => {
    const url = new URL("./testdata/endless_server.ts", import.meta.url);
    const worker = new Worker(url, { workerData: name });
    workers.push(worker);
    const [port] = await once(worker, "message") as [number];
    return port;
  };
  const open = (port: number, onData: (view: Uint8Array) => void) =>
    new Promise<ReturnType<NodeTransport["connect"]>>((resolve, reject) => {
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
