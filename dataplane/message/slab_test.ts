import assert from "node:assert/strict";
import fc from "fast-check";
import { commit, reserve } from "./slab.ts";

Deno.test("memory is never handed out twice, whatever the sizes", () => {
  const sizes = fc.array(
    fc.record({
      asked: fc.integer({ min: 1, max: 70_000 }),
      share: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
    { maxLength: 12 },
  );
  fc.assert(fc.property(sizes, (steps) => {
    const kept = steps.map(({ asked, share }, i) => {
      const buffer = reserve(asked);
      assert.ok(buffer.length >= asked);
      const length = Math.floor(asked * share);
      buffer.fill(i + 1, 0, length);
      const out = commit(buffer, length);
      assert.equal(out.length, length);
      return out;
    });
    kept.forEach((out, i) => assert.ok(out.every((byte) => byte === i + 1), `piece ${i} changed`));
  }));
});

Deno.test("a reservation that is not committed costs nothing", () => {
  const first = reserve(100);
  const second = reserve(100);
  assert.equal(second.byteOffset, first.byteOffset);
  assert.equal(second.buffer, first.buffer);
});

Deno.test("a large piece has memory of its own, so that it does not pin or spend a slab", () => {
  const before = commit(reserve(8), 8);
  const large = commit(reserve(60_000), 60_000);
  const after = commit(reserve(8), 8);
  assert.notEqual(large.buffer, before.buffer);
  if (after.buffer === before.buffer) assert.equal(after.byteOffset, before.byteOffset + 8);
});
