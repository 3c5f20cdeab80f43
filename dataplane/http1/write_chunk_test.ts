import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { writeChunk } from "./write_chunk.ts";

Deno.test("writeChunk frames data and end", () => {
  assert.equal(writeChunk(null, true).toString(), "0\r\n\r\n");
  assert.equal(writeChunk(Buffer.alloc(0), false).length, 0, "an empty chunk would end the body");
  assert.equal(writeChunk(Buffer.from("hi"), true).toString(), "2\r\nhi\r\n0\r\n\r\n");
  const data = Buffer.alloc(70_000, "x");
  const out = writeChunk(data, false);
  assert.equal(out.toString("latin1", 0, 7), "11170\r\n");
  assert.equal(out.length, 7 + data.length + 2);
});

Deno.test("trailers stand between the last chunk and the end of the body", () => {
  assert.equal(writeChunk(null, true, Buffer.from("a: 1\r\n")).toString(), "0\r\na: 1\r\n\r\n");
});
