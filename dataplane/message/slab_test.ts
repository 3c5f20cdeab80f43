import assert from "node:assert/strict";
import type { Buffer } from "node:buffer";
import fc from "fast-check";
import { commit, reserve, reservedAt } from "./slab.ts";

/** Takes `length` of `asked` bytes and fills them. */
function take(asked: number, length: number, value: number): Buffer {
  const buffer = reserve(asked);
  const start = reservedAt();
  assert.ok(buffer.length - start >= asked);
  buffer.fill(value, start, start + length);
  const out = commit(buffer, start + length);
  assert.equal(out.length, length);
  return out;
}

Deno.test("memory is never handed out twice, whatever the sizes", () => {
  const sizes = fc.array(
    fc.record({
      asked: fc.integer({ min: 1, max: 70_000 }),
      share: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
    { maxLength: 12 },
  );
  fc.assert(fc.property(sizes, (steps) => {
    const kept = steps.map(({ asked, share }, i) => take(asked, Math.floor(asked * share), i + 1));
    kept.forEach((out, i) => assert.ok(out.every((byte) => byte === i + 1), `piece ${i} changed`));
  }));
});

Deno.test("a reservation that is not committed costs nothing", () => {
  const first = reserve(100);
  const start = reservedAt();
  assert.equal(reserve(100), first);
  assert.equal(reservedAt(), start);
});

Deno.test("a large piece has memory of its own, so that it does not pin or spend a slab", () => {
  const before = take(8, 8, 1);
  const large = take(60_000, 60_000, 2);
  const after = take(8, 8, 3);
  assert.notEqual(large.buffer, before.buffer);
  if (after.buffer === before.buffer) assert.equal(after.byteOffset, before.byteOffset + 8);
});
