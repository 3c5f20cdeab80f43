import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { BINARY, mask, readFrame, writeFrame } from "./websocket_frame.ts";

const KEY = Buffer.from([1, 2, 3, 4]);

for (const length of [0, 100, 125, 126, 1000]) {
  for (const key of [null, KEY]) {
    const kind = key === null ? "plain" : "masked";
    Deno.test(`a ${kind} frame of ${length} bytes is read as it was written`, () => {
      const payload = Buffer.alloc(length, "payload");
      const bytes = Buffer.concat([Buffer.from("xy"), writeFrame(BINARY, payload, key)]);
      const frame = readFrame(bytes, 2);
      assert.ok(frame !== null);
      assert.equal(frame.opcode, BINARY);
      assert.equal(frame.end, bytes.length);
      assert.deepEqual(frame.key, key);
      const content = Buffer.from(bytes.subarray(frame.start, frame.end));
      if (key !== null) mask(content, 0, key);
      assert.deepEqual(content, payload);
    });
  }
}

Deno.test("a frame that is not whole is not read", () => {
  const bytes = writeFrame(BINARY, Buffer.alloc(200), KEY);
  for (let length = 0; length < bytes.length; length++) {
    assert.equal(readFrame(bytes.subarray(0, length), 0), null);
  }
});
