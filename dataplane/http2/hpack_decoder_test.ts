import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { HeaderBlock } from "../message/header_block.ts";
import { Pseudo } from "./field_entry.ts";
import { FieldSection } from "./field_section.ts";
import { HpackDecoder } from "./hpack_decoder.ts";

const hex = (text: string) => Buffer.from(text.replaceAll(" ", ""), "hex");

type Field = readonly [string, string];

const PSEUDO: readonly [string, Pseudo][] = [
  [":method", Pseudo.Method],
  [":scheme", Pseudo.Scheme],
  [":path", Pseudo.Path],
  [":authority", Pseudo.Authority],
  [":status", Pseudo.Status],
  [":protocol", Pseudo.Protocol],
];

function fieldsOf(section: FieldSection): Field[] {
  const { block } = section;
  return [
    ...PSEUDO.filter(([, pseudo]) => section.has(pseudo))
      .map(([name, pseudo]): Field => [name, section.value(pseudo)]),
    ...Array.from({ length: block.count }, (_, i): Field => [block.name(i), block.value(i)]),
  ];
}

/** One direction of a connection as the decoder's side has it. */
function setup(capacity = 4096, limit = 65_536) {
  const decoder = new HpackDecoder(capacity);
  const section = new FieldSection(limit, 131_072);
  /** Fields of one block; null for a compression error. */
  const decode = (bytes: Buffer): Field[] | null => {
    section.begin(new HeaderBlock(128));
    return decoder.decode(bytes, 0, bytes.length, section) ? fieldsOf(section) : null;
  };
  return { decode, section };
}

const REQUESTS: readonly (readonly Field[])[] = [
  [[":method", "GET"], [":scheme", "http"], [":path", "/"], [":authority", "www.example.com"]],
  [
    [":method", "GET"],
    [":scheme", "http"],
    [":path", "/"],
    [":authority", "www.example.com"],
    ["cache-control", "no-cache"],
  ],
  [
    [":method", "GET"],
    [":scheme", "https"],
    [":path", "/index.html"],
    [":authority", "www.example.com"],
    ["custom-key", "custom-value"],
  ],
];

const COOKIE = "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1";
const RESPONSES: readonly (readonly Field[])[] = [
  [
    [":status", "302"],
    ["cache-control", "private"],
    ["date", "Mon, 21 Oct 2013 20:13:21 GMT"],
    ["location", "https://www.example.com"],
  ],
  [
    [":status", "307"],
    ["cache-control", "private"],
    ["date", "Mon, 21 Oct 2013 20:13:21 GMT"],
    ["location", "https://www.example.com"],
  ],
  [
    [":status", "200"],
    ["cache-control", "private"],
    ["date", "Mon, 21 Oct 2013 20:13:22 GMT"],
    ["location", "https://www.example.com"],
    ["content-encoding", "gzip"],
    ["set-cookie", COOKIE],
  ],
];

/** Section of RFC 7541 appendix C, capacity of the table, blocks on one connection, what they say. */
const VECTORS: readonly [string, number, readonly string[], readonly (readonly Field[])[]][] = [
  [
    "C.2.1",
    4096,
    ["400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572"],
    [[["custom-key", "custom-header"]]],
  ],
  ["C.2.2", 4096, ["040c 2f73 616d 706c 652f 7061 7468"], [[[":path", "/sample/path"]]]],
  ["C.2.3", 4096, ["1008 7061 7373 776f 7264 0673 6563 7265 74"], [[["password", "secret"]]]],
  ["C.2.4", 4096, ["82"], [[[":method", "GET"]]]],
  [
    "C.3",
    4096,
    [
      "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
      "8286 84be 5808 6e6f 2d63 6163 6865",
      "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
    ],
    REQUESTS,
  ],
  [
    "C.4",
    4096,
    [
      "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
      "8286 84be 5886 a8eb 1064 9cbf",
      "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
    ],
    REQUESTS,
  ],
  [
    "C.5",
    256,
    [
      "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a " +
      "3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
      "4803 3330 37c1 c0bf",
      "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 " +
      "677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 " +
      "553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31",
    ],
    RESPONSES,
  ],
  [
    "C.6",
    256,
    [
      "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e " +
      "919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
      "4883 640e ffc1 c0bf",
      "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 " +
      "821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed " +
      "4ee5 b106 3d50 07",
    ],
    RESPONSES,
  ],
];

for (const [name, capacity, blocks, expected] of VECTORS) {
  Deno.test(`RFC 7541 ${name}`, () => {
    const { decode } = setup(capacity);
    assert.deepEqual(blocks.map((block) => decode(hex(block))), expected);
  });
}

/** Blocks that break the compression, on a connection whose dynamic table is empty. */
const REFUSED: readonly [string, string][] = [
  ["index 0", "80"],
  ["index behind the static table", "be"],
  ["index far behind", "ff 00"],
  ["name index behind the static table", "7e 01 61"],
  ["name index behind, not indexed", "0f 2f 01 61"],
  ["integer cut short", "ff"],
  ["integer cut short within", "ff 80"],
  ["integer above any table", "ff ff ff ff 7f"],
  ["integer of endless zeros", "ff 80 80 80 80 80 80 00"],
  ["integer that overflows 32 bits", "ff ff ff ff ff 0f"],
  ["integer that overflows 64 bits", "ff ff ff ff ff ff ff ff ff ff 7f"],
  ["name cut short", "40 05 61"],
  ["name without value", "40 01 61"],
  ["value cut short", "40 01 61 02 62"],
  ["value longer than anything", "40 01 61 7f ff ff 7f 62"],
  ["no name at all", "40"],
  ["name with EOS", "40 84 ff ff ff fc 01 61"],
  ["value with padding of zeros", "40 01 61 81 00"],
  ["value with padding of a byte", "40 01 61 82 07 ff"],
  ["size above what was announced", "3f e2 1f"],
  ["size update cut short", "3f"],
  ["size update behind a field", "82 20"],
  ["three size updates", "20 20 20"],
];

for (const [name, block] of REFUSED) {
  Deno.test(`block refused: ${name}`, () => assert.equal(setup().decode(hex(block)), null));
}

Deno.test("integers of the prefix, of one byte more and of several are the same numbers", () => {
  // RFC 7541 C.1: 10 and 1337 behind a prefix of five bits, as sizes of the table.
  for (const update of ["2a", "3f 9a 0a", "3f e1 1f", "3f e1 9f 80 00"]) {
    assert.deepEqual(setup().decode(hex(`${update} 82`)), [[":method", "GET"]], update);
  }
});

const A = "40 01 61 01 31";
const B = "40 01 62 01 32";

Deno.test("one or two size updates before the first field are taken, a block of nothing else too", () => {
  const { decode } = setup();
  assert.deepEqual(decode(hex(`${A}`)), [["a", "1"]]);
  assert.deepEqual(decode(hex("3f e1 1f be")), [["a", "1"]]);
  assert.deepEqual(decode(hex("20 3f e1 1f")), []);
  assert.equal(decode(hex("be")), null, "a table of size 0 in between has no entries left");
});

Deno.test("a smaller table drops its oldest entries", () => {
  const { decode } = setup();
  assert.deepEqual(decode(hex(A + B)), [["a", "1"], ["b", "2"]]);
  // Each entry counts 34: there is room for one.
  assert.deepEqual(decode(hex("3f 03 be")), [["b", "2"]]);
  const again = setup();
  again.decode(hex(A + B));
  assert.equal(again.decode(hex("3f 03 bf")), null);
});

Deno.test("an entry larger than the table empties it and is a field all the same", () => {
  const { decode } = setup();
  assert.deepEqual(decode(hex(`3f 03 ${A}`)), [["a", "1"]]);
  assert.deepEqual(decode(hex("40 01 63 02 33 33")), [["c", "33"]]);
  assert.equal(decode(hex("be")), null);
});

Deno.test("a name may be that of the entry which its insertion pushes out", () => {
  const { decode } = setup();
  decode(hex(`3f 03 ${A}`));
  assert.deepEqual(decode(hex("7e 01 39 be")), [["a", "9"], ["a", "9"]]);
});

Deno.test("literals without indexing leave the table as it was", () => {
  const { decode } = setup();
  assert.deepEqual(decode(hex(`${A} 00 01 62 01 32 10 01 63 01 33 be`)), [
    ["a", "1"],
    ["b", "2"],
    ["c", "3"],
    ["a", "1"],
  ]);
});

Deno.test("a section above the limit is not kept, but its table entries are", () => {
  const { decode, section } = setup(4096, 100);
  decode(hex(`00 01 7a 40 ${"61".repeat(64)} ${A}`));
  assert.equal(section.tooLarge, true);
  assert.deepEqual(decode(hex("be")), [["a", "1"]]);
  assert.equal(section.tooLarge, false);
});

/** Blocks that decode but must not stand in a message. */
const MALFORMED: readonly [string, string][] = [
  ["upper case in a name", "00 01 41 01 31"],
  ["empty name", "00 00 01 31"],
  ["space in a name", "00 02 61 20 01 31"],
  ["colon in a name", "00 02 61 3a 01 31"],
  ["line break in a value", "00 01 61 03 31 0d 0a"],
  ["NUL in a value", "00 01 61 03 31 00 31"],
  ["space before a value", "00 01 61 02 20 31"],
  ["tab behind a value", "00 01 61 02 31 09"],
  ["pseudo-header field behind a regular one", `${A} 82`],
  ["the same pseudo-header field twice", "82 83"],
  ["unknown pseudo-header field", "00 04 3a 66 6f 6f 01 31"],
];

for (const [name, block] of MALFORMED) {
  Deno.test(`section malformed: ${name}`, () => {
    const { decode, section } = setup();
    assert.notEqual(decode(hex(block)), null, "the tables still agree");
    assert.notEqual(section.malformed, "");
    decode(hex("82"));
    assert.equal(section.malformed, "", "the next section is another");
  });
}

Deno.test("a malformed field is malformed also when it comes from the table", () => {
  const { decode, section } = setup();
  decode(hex("40 01 41 01 31"));
  decode(hex("be"));
  assert.notEqual(section.malformed, "");
});

Deno.test("a block may stand anywhere in its buffer, and nothing behind its end is read", () => {
  const bytes = hex("ff 82 be");
  const section = new FieldSection(1000, 1000);
  section.begin(new HeaderBlock(8));
  assert.equal(new HpackDecoder(4096).decode(bytes, 1, 2, section), true);
  assert.deepEqual(fieldsOf(section), [[":method", "GET"]]);
  // The last string claims bytes that are there, but belong to nobody.
  const literal = hex("40 01 61 02 31 31");
  section.begin(new HeaderBlock(8));
  assert.equal(new HpackDecoder(4096).decode(literal, 0, 5, section), false);
});

Deno.test("arbitrary bytes never throw, and never leave the room there is", () => {
  const piece = fc.oneof(
    fc.constantFrom("82", "be", "40", "7f", "ff", "3f e1 1f", A, B, "40 81 ff", "00"),
    fc.uint8Array({ maxLength: 6 }).map((bytes) => Buffer.from(bytes).toString("hex")),
  );
  fc.assert(
    fc.property(fc.array(fc.array(piece, { maxLength: 12 }), { maxLength: 4 }), (blocks) => {
      const { decode, section } = setup(128, 200);
      for (const block of blocks) {
        if (decode(hex(block.join(""))) === null) return;
        assert.ok(section.at <= 204 + 128, `${section.at} bytes kept`);
      }
    }),
    { numRuns: 1000 },
  );
});
