import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import fc from "fast-check";
import { CompressionInput } from "./compression_input.ts";

const STEP = 8 * 1024;

test("property: what is taken is what was added, and stays while more is added", () => {
  const pieces = fc.array(
    fc.oneof(
      fc.record({ add: fc.integer({ min: 0, max: 70_000 }) }),
      fc.record({ take: fc.integer({ min: 1, max: 12 }) }),
    ),
    { maxLength: 60 },
  );
  fc.assert(fc.property(pieces, (calls) => {
    const input = new CompressionInput(STEP);
    let added = 0;
    let taken = 0;
    /** The piece that is being compressed, and what it was. */
    let held: { piece: Buffer; copy: Buffer } | null = null;
    for (const call of calls) {
      if ("add" in call) {
        input.add(Buffer.from(Array.from({ length: call.add }, (_, i) => (added + i) % 251)));
        added += call.add;
        if (held !== null) assert.ok(held.piece.equals(held.copy), "changed while in use");
        continue;
      }
      for (let i = 0; i < call.take; i++) {
        const piece = input.take();
        if (piece === null) break;
        assert.ok(piece.length <= STEP);
        for (const byte of piece) assert.equal(byte, taken++ % 251);
        held = { piece, copy: Buffer.from(piece) };
      }
    }
    assert.equal(input.length, added - taken);
  }));
});

test("bug: each read of a large body got new memory", () => {
  const input = new CompressionInput(STEP);
  const memories = new Set<ArrayBufferLike>();
  for (let i = 0; i < 500; i++) {
    input.add(Buffer.alloc(64 * 1024));
    // As a compressor does that lets the backend go on at half of what is plenty.
    while (input.length >= 32 * 1024) memories.add(input.take()!.buffer);
  }
  assert.equal(memories.size, 1);
});
