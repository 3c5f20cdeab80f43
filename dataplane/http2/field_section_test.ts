import assert from "node:assert/strict";
import { FieldId } from "../message/field_id.ts";
import { HeaderBlock } from "../message/header_block.ts";
import { Pseudo } from "./field_entry.ts";
import { FieldSection } from "./field_section.ts";

function take(section: FieldSection, name: string, value: string, id: FieldId): void {
  section.buffer.write(`${name}: ${value}\r\n`, section.at, "latin1");
  section.take(name.length, value.length, id, Pseudo.None, false);
}

Deno.test("cookies count as one field, up to the size of a section", () => {
  const section = new FieldSection(1_000, 4_000, true);
  const block = new HeaderBlock(3);
  for (const count of [1, 2, 30, 400, 2]) {
    section.begin(block);
    const cookies = Array.from({ length: count }, (_, i) => `c=${i}`);
    take(section, "x", "1", FieldId.Other);
    for (const cookie of cookies) take(section, "cookie", cookie, FieldId.Cookie);
    section.joinCookies();
    assert.equal(section.tooLarge, count === 400, `${count}`);
    assert.equal(section.tooMany, false);
    if (count === 400) continue;
    assert.deepEqual([block.get("x"), block.get("cookie")], ["1", cookies.join("; ")]);
  }
});
