import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { TextCache } from "./text_cache.ts";

Deno.test("whatever comes in whatever order, the value is that of the text", () => {
  const texts = fc.array(fc.string({ unit: "binary-ascii", maxLength: 3 }), { minLength: 1 });
  fc.assert(fc.property(texts, fc.integer({ min: 0, max: 3 }), (all, before) => {
    // Two places only: nearly everything collides.
    const cache = new TextCache(1, (text) => ({ text }));
    for (const text of [...all, ...all, ...all]) {
      const bytes = Buffer.from("-".repeat(before) + text + "-", "latin1");
      assert.equal(cache.get(bytes, before, before + text.length).text, text);
    }
  }));
});

Deno.test("a text that comes again is not made again, until another took its place", () => {
  let made = 0;
  const cache = new TextCache(0, (text) => {
    made++;
    return text;
  });
  const get = (text: string) => cache.get(Buffer.from(text), 0, text.length);
  for (const text of ["again", "again", "again", "other", "again"]) get(text);
  assert.equal(made, 3);
});

Deno.test("what is kept does not change with the buffer it came in", () => {
  const cache = new TextCache(0, (text) => text);
  const buffer = Buffer.from("first");
  cache.get(buffer, 0, 5);
  buffer.write("other");
  assert.equal(cache.get(buffer, 0, 5), "other");
  assert.equal(cache.get(Buffer.from("first"), 0, 5), "first");
});
