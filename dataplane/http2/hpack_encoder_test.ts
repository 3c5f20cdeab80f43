import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { fieldId } from "../message/field_id.ts";
import { HeaderBlock } from "../message/header_block.ts";
import { FieldSection } from "./field_section.ts";
import { HpackDecoder } from "./hpack_decoder.ts";
import { HpackEncoder } from "./hpack_encoder.ts";

type Field = readonly [string, string];

function add(encoder: HpackEncoder, [name, value]: Field): void {
  const line = Buffer.from(`${name}: ${value}`, "latin1");
  const nameEnd = name.length;
  encoder.field(line, 0, nameEnd, nameEnd + 2, line.length, fieldId(line, 0, nameEnd));
}

/** Encodes one block. */
function encode(encoder: HpackEncoder, fields: readonly Field[]): Buffer {
  const size = fields.reduce((sum, [name, value]) => sum + name.length + value.length + 16, 16);
  const out = Buffer.alloc(size);
  encoder.begin(out, 0);
  for (const field of fields) add(encoder, field);
  const end = encoder.end();
  assert.ok(end <= size, "more than the room that was asked for");
  return out.subarray(0, end);
}

/** The peer's side. */
function peer() {
  const decoder = new HpackDecoder(4096);
  const section = new FieldSection(1 << 20, 1 << 20);
  return (block: Buffer): Field[] => {
    const fields = new HeaderBlock(256);
    section.begin(fields);
    assert.equal(decoder.decode(block, 0, block.length, section), true, block.toString("hex"));
    return Array.from({ length: fields.count }, (_, i) => [fields.name(i), fields.value(i)]);
  };
}

const hexOf = (block: Buffer) => block.toString("hex");

Deno.test("RFC 7541 C.2.2 and C.2.4: names and fields of the static table", () => {
  const encoder = new HpackEncoder();
  const out = Buffer.alloc(32);
  const path = Buffer.from("/sample/path");
  encoder.begin(out, 0);
  encoder.indexed(2);
  encoder.named(4, path, 0, path.length);
  assert.equal(hexOf(out.subarray(0, encoder.end())), "82" + "040c2f73616d706c652f70617468");
});

Deno.test("a field goes into the table the second time, as RFC 7541 C.2.1, and is an index then", () => {
  const encoder = new HpackEncoder();
  const field: Field = ["custom-key", "custom-header"];
  const literal = "0a637573746f6d2d6b65790d637573746f6d2d686561646572";
  assert.equal(hexOf(encode(encoder, [field])), `00${literal}`);
  assert.equal(hexOf(encode(encoder, [field])), `40${literal}`);
  assert.equal(hexOf(encode(encoder, [field])), "be");
  assert.equal(hexOf(encode(encoder, [["Custom-Key", "custom-header"]])), "be");
});

Deno.test("a value that never repeats pushes nothing out of the table", () => {
  const encoder = new HpackEncoder();
  const kept: Field = ["x-kept", "1"];
  encode(encoder, [kept]);
  encode(encoder, [kept]);
  for (let i = 0; i < 1000; i++) encode(encoder, [["x-id", `${i}-${"x".repeat(40)}`]]);
  assert.equal(hexOf(encode(encoder, [kept])), "be");
});

Deno.test("secrets are never indexed, however often they come", () => {
  for (const name of ["authorization", "cookie", "proxy-authorization", "set-cookie"]) {
    const encoder = new HpackEncoder();
    for (let i = 0; i < 4; i++) {
      const block = encode(encoder, [[name, "secret"]]);
      assert.equal(block[0] & 0xf0, 0x10, `${name} ${hexOf(block)}`);
      assert.ok(block.includes("secret"));
    }
  }
});

Deno.test("a change of the table's size is told once, by its smallest and its last value", () => {
  const encoder = new HpackEncoder();
  encoder.setCapacity(100);
  encoder.setCapacity(0);
  encoder.setCapacity(50);
  encoder.setCapacity(4096);
  assert.equal(hexOf(encode(encoder, [])), "20" + "3fe11f");
  assert.equal(hexOf(encode(encoder, [])), "");
  encoder.setCapacity(64);
  assert.equal(hexOf(encode(encoder, [])), "3f21");
  encoder.setCapacity(64);
  assert.equal(hexOf(encode(encoder, [])), "");
});

Deno.test("a peer that offers more than we use is told of nothing", () => {
  const encoder = new HpackEncoder();
  encoder.setCapacity(1 << 30);
  assert.equal(hexOf(encode(encoder, [])), "");
});

Deno.test("without a table everything is a literal", () => {
  const encoder = new HpackEncoder();
  encoder.setCapacity(0);
  encode(encoder, []);
  const field: Field = ["x-a", "1"];
  const blocks = Array.from({ length: 3 }, () => hexOf(encode(encoder, [field])));
  assert.deepEqual(blocks, Array(3).fill("0003782d610131"));
});

const name = fc.oneof(
  fc.constantFrom("x-a", "X-B", "accept", "Cookie", "content-type", "date", "set-cookie", "via"),
  fc.stringMatching(/^[a-z][a-zA-Z0-9-]{0,20}$/),
);
const value = fc.oneof(
  fc.constantFrom("", "1", "2", "gzip, deflate"),
  fc.stringMatching(/^[!-~]([ -~\x80-\xff]{0,40}[!-~])?$/),
  // Around the limits of one-byte lengths and of what goes into the table.
  fc.constantFrom(126, 127, 128, 255, 300, 500, 520, 5000).map((length) => "v".repeat(length)),
);
const lower = (fields: readonly Field[]) =>
  fields.map(([field, text]): Field => [field.toLowerCase(), text]);

Deno.test("whatever is encoded, the peer decodes, over many blocks and changes of the table", () => {
  const pool = fc.array(fc.tuple(name, value), { minLength: 1, maxLength: 12 });
  const capacity = fc.constantFrom(0, 34, 60, 100, 500, 600, 4095, 4096, 65_536);
  const block = fc.record({
    picks: fc.array(fc.nat(), { maxLength: 20 }),
    capacities: fc.oneof(
      { weight: 3, arbitrary: fc.constant([]) },
      { weight: 1, arbitrary: fc.array(capacity, { maxLength: 3 }) },
    ),
  });
  fc.assert(
    fc.property(pool, fc.array(block, { maxLength: 20 }), (fields, blocks) => {
      const encoder = new HpackEncoder();
      const decode = peer();
      for (const { picks, capacities } of blocks) {
        for (const offered of capacities) encoder.setCapacity(offered);
        const list = picks.map((pick) => fields[pick % fields.length]);
        assert.deepEqual(decode(encode(encoder, list)), lower(list));
      }
    }),
    { numRuns: 300 },
  );
});

Deno.test("tables stay equal when entries are pushed out all the time", () => {
  const encoder = new HpackEncoder();
  const decode = peer();
  let seed = 1;
  for (let round = 0; round < 3000; round++) {
    seed = (seed * 48_271) % 0x7fffffff;
    const list: Field[] = [[`x-${seed % 40}`, "y".repeat(seed % 300)], ["x-a", `${seed % 7}`]];
    assert.deepEqual(decode(encode(encoder, list)), list);
  }
});
