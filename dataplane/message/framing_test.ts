import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { FieldId, fieldId, shadowsProtected } from "./field_id.ts";
import { type Framing, readConnection, readFraming } from "./framing.ts";
import { HeaderBlock } from "./header_block.ts";

function block(fields: string): HeaderBlock {
  const bytes = Buffer.from(`${fields}\r\n`, "latin1");
  const out = new HeaderBlock(32);
  assert.equal(out.parse(bytes, 0, bytes.length), bytes.length);
  return out;
}

const fresh = (): Framing => ({
  contentLength: 7,
  unsized: true,
  close: true,
  keepAlive: true,
  upgrade: true,
});

Deno.test("readFraming starts from nothing, so no message inherits another's length", () => {
  const framing = fresh();
  assert.equal(readFraming(block("A: 1\r\n"), framing), null);
  assert.deepEqual([framing.contentLength, framing.unsized], [-1, false]);
  assert.equal(readConnection(block("A: 1\r\n"), framing), null);
  assert.deepEqual([framing.close, framing.keepAlive, framing.upgrade], [false, false, false]);
});

Deno.test("Content-Length is digits only and exact", () => {
  fc.assert(fc.property(fc.nat({ max: 999_999_999_999_999 }), fc.nat(3), (length, zeros) => {
    const digits = "0".repeat(zeros) + length;
    const framing = fresh();
    const result = readFraming(block(`Content-Length: ${digits}\r\n`), framing);
    if (digits.length > 15) assert.equal(result, "content_length");
    else assert.deepEqual([result, framing.contentLength], [null, length]);
  }));
  fc.assert(fc.property(fc.stringMatching(/^[!-~]{1,8}$/), (value) => {
    fc.pre(!/^\d+$/.test(value));
    assert.equal(readFraming(block(`Content-Length: ${value}\r\n`), fresh()), "content_length");
  }));
});

Deno.test("only the exact token chunked is a transfer coding", () => {
  fc.assert(fc.property(fc.stringMatching(/^[!-~]{0,10}$/), (value) => {
    fc.pre(value.toLowerCase() !== "chunked");
    assert.equal(
      readFraming(block(`Transfer-Encoding: ${value}\r\n`), fresh()),
      "transfer_encoding",
    );
  }));
});

Deno.test("what Connection names is marked on every line of that name, before and after it", () => {
  const fields = block(
    "X-A: 1\r\nConnection: x-a,  X-B\r\nx-b: 2\r\nX-a: 3\r\nX-C: 4\r\nTE: trailers\r\n",
  );
  assert.equal(readConnection(fields, fresh()), null);
  const ids = Array.from({ length: fields.count }, (_, i) => fields.id(i));
  assert.deepEqual(ids, [
    FieldId.Nominated,
    FieldId.Connection,
    FieldId.Nominated,
    FieldId.Nominated,
    FieldId.Other,
    FieldId.Te,
  ]);
});

Deno.test("close and keep-alive are read from every Connection line, in any case", () => {
  const framing = fresh();
  readConnection(block("Connection: ,, CLOSE\t,\r\nConnection: Keep-Alive\r\n"), framing);
  assert.deepEqual([framing.close, framing.keepAlive], [true, true]);
  readConnection(block("Connection: closed, xclose, clo se\r\n"), framing);
  assert.equal(framing.close, false);
});

Deno.test("Upgrade in Connection is a wish, not a nomination", () => {
  const fields = block("Connection: Upgrade\r\nUpgrade: websocket\r\n");
  const framing = fresh();
  framing.upgrade = false;
  assert.equal(readConnection(fields, framing), null);
  assert.deepEqual([framing.upgrade, fields.id(1)], [true, FieldId.Upgrade]);
});

Deno.test("every protected name has its underscore twins", () => {
  const names = [
    "Host",
    "Content-Length",
    "Transfer-Encoding",
    "X-Forwarded-For",
    "Forwarded",
    "X-Real-IP",
    "X-Forwarded-Client-Cert",
    "Authorization",
    "Cookie",
  ];
  for (const name of names) {
    const plain = Buffer.from(name);
    assert.notEqual(fieldId(plain, 0, plain.length), FieldId.Other);
    const twin = Buffer.from(name.replaceAll("-", "_").toUpperCase());
    assert.equal(shadowsProtected(twin, 0, twin.length), true, twin.toString());
  }
  const other = Buffer.from("x_forwarded");
  assert.equal(shadowsProtected(other, 0, other.length), false);
  const long = Buffer.from("x_".repeat(40));
  assert.equal(shadowsProtected(long, 0, long.length), false);
});
