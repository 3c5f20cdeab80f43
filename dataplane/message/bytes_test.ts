import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import {
  ascii,
  CLASS,
  copy,
  equalsIgnoreCase,
  equalsText,
  FIELD_VALUE,
  HOST,
  put,
  putHex,
  TARGET,
  text,
  TOKEN,
} from "./bytes.ts";

/** The bytes of a class as one Latin-1 text. */
function members(bit: number): string {
  let out = "";
  for (let byte = 0; byte < 256; byte++) {
    if ((CLASS[byte] & bit) !== 0) out += String.fromCharCode(byte);
  }
  return out;
}

Deno.test("the classes hold what the RFCs name", () => {
  assert.equal(members(TOKEN).replace(/[A-Za-z0-9]/g, ""), "!#$%&'*+-.^_`|~");
  assert.ok(/^[!-~]+$/.test(members(TARGET)));
  assert.equal(members(TARGET).length, 93);
  // deno-lint-ignore no-control-regex
  assert.ok(!/[\x00-\x08\x0a-\x1f\x7f]/.test(members(FIELD_VALUE)));
  assert.equal(members(FIELD_VALUE).length, 256 - 33 + 1);
  assert.ok(!/[/?#@\\ "<>]/.test(members(HOST)));
});

Deno.test("equalsIgnoreCase folds ASCII letters only", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 12 }), fc.uint8Array({ maxLength: 12 }), (a, b) => {
      const lower = (bytes: Uint8Array) =>
        bytes.map((byte) => byte >= 65 && byte <= 90 ? byte + 32 : byte);
      const same = Buffer.compare(lower(a), lower(b)) === 0;
      assert.equal(equalsIgnoreCase(a, 0, a.length, lower(b)), same);
      assert.equal(equalsIgnoreCase(a, 0, a.length, lower(a)), true);
    }),
  );
  // 0x0d | 0x20 is "-": a sloppy fold would take CR for it.
  assert.equal(equalsIgnoreCase(Buffer.from("a\rb"), 0, 3, ascii("a-b")), false);
  assert.equal(equalsIgnoreCase(Buffer.from("@"), 0, 1, ascii("`")), false);
});

Deno.test("putHex writes what toString(16) writes", () => {
  fc.assert(fc.property(fc.maxSafeNat(), (value) => {
    const out = Buffer.alloc(20);
    const end = putHex(value, out, 2);
    assert.equal(out.toString("latin1", 2, end), value.toString(16));
  }));
});

Deno.test("copy, put and text agree on every byte, for short and long runs", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(20), (bytes, at) => {
    const out = Buffer.alloc(400);
    const source = Buffer.from(bytes);
    assert.equal(copy(source, 0, source.length, out, at), at + source.length);
    assert.equal(text(out, at, at + source.length), source.toString("latin1"));
    const again = Buffer.alloc(400);
    assert.equal(put(source.toString("latin1"), again, at), at + source.length);
    assert.deepEqual(again, out);
  }));
});

Deno.test("equalsText compares what equalsIgnoreCase compares", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 8 }), fc.uint8Array({ maxLength: 8 }), (a, b) => {
      for (const other of [a, b]) {
        const lower = Buffer.from(other).toString("latin1").replace(
          /[A-Z]/g,
          (c) => c.toLowerCase(),
        );
        const same = equalsIgnoreCase(a, 0, a.length, Buffer.from(lower, "latin1"));
        assert.equal(equalsText(a, 0, a.length, lower), same);
      }
    }),
  );
});
