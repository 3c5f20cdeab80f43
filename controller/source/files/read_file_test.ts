import assert from "node:assert/strict";
import { textOf } from "./read_file.ts";

const encode = (text: string) => new TextEncoder().encode(text);

/** A text in UTF-16. */
function utf16(text: string, littleEndian: boolean): Uint8Array {
  const view = new DataView(new ArrayBuffer(2 * text.length));
  for (let i = 0; i < text.length; i++) view.setUint16(2 * i, text.charCodeAt(i), littleEndian);
  return new Uint8Array(view.buffer);
}

Deno.test("bug: bytes that are not UTF-8 were replaced, and the changed text was served", () => {
  assert.equal(textOf(encode("a: é\n")), "a: é\n");
  assert.equal(textOf(encode("\ufeffa: 1\n")), "\ufeffa: 1\n");
  assert.equal(textOf(new Uint8Array()), "");
  assert.deepEqual(textOf(new Uint8Array([97, 58, 32, 0xe9, 10])), {
    unreadable: "the file is not UTF-8; save it as UTF-8",
    remains: "a: \ufffd\n",
  });
});

for (const [what, mark] of [["with", "\ufeff"], ["without", ""]]) {
  Deno.test(`bug: a file of UTF-16 ${what} byte order mark was not told by name`, () => {
    for (const littleEndian of [true, false]) {
      assert.deepEqual(textOf(utf16(`${mark}a: 1\n`, littleEndian)), {
        unreadable: "the file is UTF-16; save it as UTF-8",
        remains: "a: 1\n",
      });
    }
  });
}
