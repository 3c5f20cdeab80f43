import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { copiedBytes } from "../tests/support/copied_bytes.ts";
import { GrowingBuffer } from "./growing_buffer.ts";

Deno.test("property: a growing buffer keeps what was appended, in order, and earlier views stay", () => {
  const piece = fc.uint8Array({ maxLength: 40 });
  fc.assert(fc.property(piece, fc.nat(40), fc.array(piece), (first, at, pieces) => {
    const kept = new GrowingBuffer(first, at);
    const all = [...first.subarray(at)];
    for (const bytes of pieces) {
      const before = kept.bytes;
      const copy = Buffer.from(before);
      kept.append(bytes);
      all.push(...bytes);
      assert.deepEqual(before, copy);
      assert.deepEqual([...kept.bytes], all);
      assert.equal(kept.length, all.length);
    }
  }));
});

Deno.test("a growing buffer copies each byte at most three times, however finely bytes are cut", () => {
  for (const length of [1_000, 64_000]) {
    const copied = copiedBytes(() => {
      const kept = new GrowingBuffer(Buffer.of(0));
      for (let i = 1; i < length; i++) kept.append(Buffer.of(i));
    });
    assert.ok(copied >= length && copied <= 3 * length + 2 * length, `${copied} of ${length}`);
  }
});
