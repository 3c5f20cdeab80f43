import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { decodeHuffman, encodeHuffman, huffmanLength } from "./huffman.ts";

function encode(text: Uint8Array): Buffer {
  const out = Buffer.alloc(text.length * 4);
  const end = encodeHuffman(text, 0, text.length, out, 0);
  assert.equal(end, huffmanLength(text, 0, text.length));
  return out.subarray(0, end);
}

/** Null for a bad code. */
function decode(coded: Uint8Array): Buffer | null {
  const out = Buffer.alloc(coded.length * 2);
  const end = decodeHuffman(coded, 0, coded.length, out, 0);
  return end < 0 ? null : out.subarray(0, end);
}

const hex = (text: string) => Buffer.from(text.replaceAll(" ", ""), "hex");

/** Strings of RFC 7541 appendix C with their codes. */
const VECTORS: readonly [string, string][] = [
  ["www.example.com", "f1e3 c2e5 f23a 6ba0 ab90 f4ff"],
  ["no-cache", "a8eb 1064 9cbf"],
  ["custom-key", "25a8 49e9 5ba9 7d7f"],
  ["custom-value", "25a8 49e9 5bb8 e8b4 bf"],
  ["302", "6402"],
  ["private", "aec3 771a 4b"],
  ["Mon, 21 Oct 2013 20:13:21 GMT", "d07a be94 1054 d444 a820 0595 040b 8166 e082 a62d 1bff"],
  ["https://www.example.com", "9d29 ad17 1863 c78f 0b97 c8e9 ae82 ae43 d3"],
];

for (const [text, code] of VECTORS) {
  Deno.test(`huffman: ${text}`, () => {
    assert.deepEqual(encode(Buffer.from(text)), hex(code));
    assert.equal(decode(hex(code))?.toString(), text);
  });
}

Deno.test("whatever is encoded decodes to itself", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (text) => {
    assert.deepEqual(decode(encode(text)), Buffer.from(text));
  }));
  const every = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  assert.deepEqual(decode(encode(every)), every);
});

Deno.test("a text has one code only: whatever decodes is what encoding gives", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 30 }), (coded) => {
      const text = decode(coded);
      if (text !== null) assert.deepEqual(encode(text), Buffer.from(coded));
    }),
    { numRuns: 2000 },
  );
});

Deno.test("padding is the beginning of EOS and shorter than a byte", () => {
  // "0" is 00000; three bits are left.
  assert.equal(decode(hex("07"))?.toString(), "0");
  for (let padding = 0; padding < 7; padding++) {
    assert.equal(decode(Buffer.from([padding])), null, `00000 and ${padding}`);
  }
  for (const [, code] of VECTORS) {
    assert.equal(decode(Buffer.concat([hex(code), hex("ff")])), null, `${code} and a byte of ones`);
  }
  assert.equal(decode(hex("ff")), null);
  assert.equal(decode(hex(""))?.length, 0);
});

Deno.test("EOS is refused wherever it stands", () => {
  // Thirty ones, at each position in a byte, with text before and ones behind.
  assert.equal(decode(hex("ffff fffc")), null);
  assert.equal(decode(hex("ffff ffff")), null);
  assert.equal(decode(hex("07ff ffff ff")), null);
  assert.equal(decode(hex("07ff ffff e07f")), null);
});

Deno.test("a code that is cut in its last symbol is refused, unless it ends as padding would", () => {
  for (const [text, code] of VECTORS) {
    const coded = hex(code);
    for (let end = 0; end < coded.length; end++) {
      const cut = decode(coded.subarray(0, end));
      if (cut !== null) assert.ok(text.startsWith(cut.toString()), `${text} at ${end}`);
    }
  }
  // "z" is 1111011; the one bit behind it is a zero.
  assert.equal(decode(hex("f6")), null);
});

Deno.test("only the range that was asked for is read and written", () => {
  const view = Buffer.concat([hex("ff"), hex("a8eb10649cbf"), hex("00")]);
  const out = Buffer.alloc(12, "-");
  assert.equal(decodeHuffman(view, 1, 7, out, 2), 10);
  assert.equal(out.toString(), "--no-cache--");
});
