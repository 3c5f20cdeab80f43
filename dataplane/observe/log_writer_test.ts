import assert from "node:assert/strict";
import { LIMIT } from "../config/defaults.ts";
import { LogWriter } from "./log_writer.ts";

/** A sink that takes bytes when the test says so. */
class ManualSink {
  taken = "";
  readonly #waiting: (() => void)[] = [];

  write(bytes: Uint8Array): Promise<number> {
    return new Promise((resolve) => {
      this.#waiting.push(() => {
        this.taken += new TextDecoder().decode(bytes);
        resolve(bytes.length);
      });
    });
  }
  /** Completes the write in progress, and lets the writer go on. */
  async release(): Promise<void> {
    this.#waiting.shift()!();
    await settle();
  }
  get busy(): boolean {
    return this.#waiting.length > 0;
  }
}

/** Lets everything that waits for a promise go on. */
async function settle(): Promise<void> {
  for (let i = 0; i < 10; i++) await Promise.resolve();
}

const bytes = (text: string) => new TextEncoder().encode(text);

Deno.test("batches are written one after another, in order", async () => {
  const sink = new ManualSink();
  const writer = new LogWriter(sink);
  for (const text of ["a", "b", "c"]) writer.add(bytes(text), 1);
  await sink.release();
  assert.equal(sink.taken, "a");
  await sink.release();
  await sink.release();
  await writer.flush();
  assert.deepEqual([sink.taken, writer.dropped, sink.busy], ["abc", 0, false]);
});

Deno.test("a slow sink costs lines, which are counted, and never memory", async () => {
  const sink = new ManualSink();
  const writer = new LogWriter(sink);
  const batch = new Uint8Array(LIMIT.accessLogBuffer / 4);
  for (let i = 0; i < 4; i++) writer.add(batch, 10);
  assert.equal(writer.dropped, 0);
  writer.add(bytes("x"), 3);
  writer.add(batch, 10);
  assert.equal(writer.dropped, 13);
  await sink.release();
  writer.add(bytes("y"), 3);
  assert.equal(writer.dropped, 13, "there is room again");
  for (let i = 0; i < 4; i++) await sink.release();
  await writer.flush();
  assert.ok(sink.taken.endsWith("y"));
});

Deno.test("a sink that takes a few bytes at a time gets all of them", async () => {
  let taken = "";
  const writer = new LogWriter({
    write: (part) => {
      taken += new TextDecoder().decode(part.subarray(0, 3));
      return Promise.resolve(Math.min(3, part.length));
    },
  });
  writer.add(bytes("0123456789"), 1);
  await writer.flush();
  assert.equal(taken, "0123456789");
});

Deno.test("a sink that is gone stops neither the writer nor its callers", async () => {
  let tries = 0;
  const writer = new LogWriter({
    write: () => {
      tries++;
      return Promise.reject(new Error("broken pipe"));
    },
  });
  writer.add(bytes("a"), 1);
  await writer.flush();
  writer.add(bytes("b"), 1);
  await writer.flush();
  assert.equal(tries, 2);
});

Deno.test("bug: lines that a broken sink cost are counted", async () => {
  const writer = new LogWriter({ write: () => Promise.reject(new Error("no space")) });
  writer.add(bytes("a"), 2);
  writer.add(bytes("b"), 3);
  await writer.flush();
  assert.equal(writer.dropped, 5);
});
