import assert from "node:assert/strict";
import { join } from "node:path";
import fc from "fast-check";
import { Journal, readRecords } from "./journal.ts";

async function inFolder(test: (path: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "novaedge-journal-" });
  try {
    await test(join(folder, "state", "journal"));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const bytes = (text: string) => new TextEncoder().encode(text);
const texts = (records: readonly Uint8Array[]) =>
  records.map((each) => new TextDecoder().decode(each));
const RECORDS = ["one", "", "three three", "4"];

/** The bytes of a journal with these records. */
async function written(records: readonly string[]): Promise<Uint8Array> {
  let out: Uint8Array = new Uint8Array();
  await inFolder(async (path) => {
    const { journal } = await Journal.open(path);
    await journal.append(records.map(bytes));
    await journal.close();
    out = await Deno.readFile(path);
  });
  return out;
}

Deno.test("what was appended and rewritten is there after a restart, mode 0600", () =>
  inFolder(async (path) => {
    const first = await Journal.open(path);
    assert.deepEqual([first.records, first.damaged], [[], false]);
    await Promise.all([
      first.journal.append([bytes("a"), bytes("b")]),
      first.journal.append([bytes("c")]),
    ]);
    await first.journal.close();
    const second = await Journal.open(path);
    assert.deepEqual(texts(second.records), ["a", "b", "c"]);
    const before = second.journal.size;
    await second.journal.rewrite([bytes("z")]);
    await second.journal.append([bytes("y")]);
    assert.ok(second.journal.size < before);
    await second.journal.close();
    const third = await Journal.open(path);
    assert.deepEqual([texts(third.records), third.damaged], [["z", "y"], false]);
    await third.journal.close();
    const { mode } = await Deno.stat(path);
    assert.equal(mode! & 0o777, 0o600);
  }));

Deno.test("a journal cut at any byte gives the records before the cut", async () => {
  const whole = await written(RECORDS);
  const ends = RECORDS.map((_, i) =>
    RECORDS.slice(0, i + 1).reduce((sum, text) => sum + 12 + text.length, 0)
  );
  for (let cut = 0; cut <= whole.length; cut++) {
    const { records, end } = readRecords(whole.subarray(0, cut));
    const intact = ends.filter((each) => each <= cut).length;
    assert.deepEqual(texts(records), RECORDS.slice(0, intact), `cut at ${cut}`);
    assert.equal(end, intact === 0 ? 0 : ends[intact - 1]);
  }
});

Deno.test("a journal with any byte changed gives a prefix of its records", async () => {
  const whole = await written(RECORDS);
  for (let at = 0; at < whole.length; at++) {
    for (const flip of [0x01, 0x80, 0xff]) {
      const damaged = whole.slice();
      damaged[at] ^= flip;
      const found = texts(readRecords(damaged).records);
      assert.ok(found.length < RECORDS.length);
      assert.deepEqual(found, RECORDS.slice(0, found.length), `byte ${at} changed`);
    }
  }
});

Deno.test("arbitrary bytes are no records, and never an error", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), (noise) => {
    assert.deepEqual(readRecords(noise), { records: [], end: 0 });
  }));
  assert.deepEqual(readRecords(new Uint8Array(4096)).records, [], "a file of zeros");
});

Deno.test("after damage the intact part stays and new records follow it", () =>
  inFolder(async (path) => {
    const first = await Journal.open(path);
    await first.journal.append(RECORDS.map(bytes));
    await first.journal.close();
    const whole = await Deno.readFile(path);
    await Deno.writeFile(path, whole.subarray(0, whole.length - 1));
    const second = await Journal.open(path);
    assert.deepEqual([texts(second.records), second.damaged], [RECORDS.slice(0, 3), true]);
    await second.journal.append([bytes("new")]);
    await second.journal.close();
    const third = await Journal.open(path);
    assert.deepEqual([texts(third.records), third.damaged], [
      [...RECORDS.slice(0, 3), "new"],
      false,
    ]);
    await third.journal.close();
  }));

Deno.test("a rewrite that never reached its rename changes nothing", () =>
  inFolder(async (path) => {
    const first = await Journal.open(path);
    await first.journal.append([bytes("kept")]);
    await first.journal.close();
    await Deno.writeFile(`${path}.new`, bytes("half of a frame"));
    const second = await Journal.open(path);
    assert.deepEqual(texts(second.records), ["kept"]);
    await second.journal.rewrite([bytes("next")]);
    await second.journal.close();
    assert.deepEqual(texts(readRecords(await Deno.readFile(path)).records), ["next"]);
  }));
