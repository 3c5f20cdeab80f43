import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { ByteQueue } from "./byte_queue.ts";

/** Takes everything out. */
function drain(queue: ByteQueue): { bytes: Buffer; pieces: number } {
  const pieces: Buffer[] = [];
  for (let piece = queue.take(); piece !== null; piece = queue.take()) pieces.push(piece);
  return { bytes: Buffer.concat(pieces), pieces: pieces.length };
}

Deno.test("property: what goes in comes out, in order, whatever the sizes and when it is taken", () => {
  const step = fc.oneof(
    fc.uint8Array({ maxLength: 5_000 }),
    fc.constantFrom("take" as const, "all" as const),
  );
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const queue = new ByteQueue();
    const given: Uint8Array[] = [];
    const taken: Uint8Array[] = [];
    for (const step of steps) {
      if (step === "take") {
        const piece = queue.take();
        if (piece !== null) taken.push(piece);
      } else if (step === "all") {
        if (queue.length > 0) assert.equal(queue.all().length, queue.length);
      } else {
        queue.add(step);
        given.push(step);
      }
      const left = Buffer.concat(given).length - Buffer.concat(taken).length;
      assert.equal(queue.length, left);
    }
    taken.push(drain(queue).bytes);
    assert.deepEqual(Buffer.concat(taken), Buffer.concat(given));
  }));
});

Deno.test("many small pieces become few", () => {
  const queue = new ByteQueue();
  for (let i = 0; i < 10_000; i++) queue.add(Buffer.from([i & 255]));
  const { bytes, pieces } = drain(queue);
  assert.equal(bytes.length, 10_000);
  assert.ok(pieces < 10, `${pieces} pieces`);
});

Deno.test("bytes are copies, and nothing is left after clear", () => {
  const queue = new ByteQueue();
  const view = Buffer.from("abc");
  queue.add(view);
  view.fill(0);
  assert.equal(String(queue.all()), "abc");
  queue.clear();
  assert.equal(queue.length, 0);
  assert.equal(queue.take(), null);
});
