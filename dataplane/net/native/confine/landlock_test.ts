import assert from "node:assert/strict";
import { pathBeneath, restrictFlags, ruleset } from "./landlock.ts";

/** Fields of `landlock_ruleset_attr`; what a version does not have is not there. */
function fields(version: number): bigint[] {
  return [...new BigUint64Array(ruleset(version).buffer)];
}

Deno.test("each version of Landlock is asked for everything that it can refuse about files", () => {
  const bits = (count: number) => (1n << BigInt(count)) - 1n;
  assert.deepEqual(fields(1), [bits(13)]);
  assert.deepEqual(fields(2), [bits(14)]);
  assert.deepEqual(fields(3), [bits(15)]);
  assert.deepEqual(fields(4), [bits(15)]);
  assert.deepEqual(fields(5), [bits(16)]);
  assert.equal(fields(8)[0], bits(16));
  assert.equal(fields(9)[0], bits(17));
  assert.equal(fields(99)[0], bits(17));
});

Deno.test("from version 6 on signals and abstract unix sockets end at the dataplane, ports never", () => {
  for (const version of [6, 7, 9]) assert.deepEqual(fields(version).slice(1), [0n, 0b11n]);
});

Deno.test("all threads are restricted where the kernel can and the process is one dataplane", () => {
  assert.equal(restrictFlags(7, true), 0n);
  assert.equal(restrictFlags(8, true), 8n);
  assert.equal(restrictFlags(8, false), 0n);
});

Deno.test("a rule allows no right that the version does not know, and files none of folders", () => {
  const allowed = (isFolder: boolean, write: boolean, version: number) =>
    new DataView(pathBeneath({ path: "/", isFolder, write }, 7, version).buffer)
      .getBigUint64(0, true);
  for (let version = 1; version <= 9; version++) {
    const [handled] = fields(version);
    for (const isFolder of [true, false]) {
      for (const write of [true, false]) {
        assert.equal(allowed(isFolder, write, version) & ~handled, 0n);
      }
    }
  }
  const [WRITE_FILE, READ_FILE, READ_FOLDER] = [1n << 1n, 1n << 2n, 1n << 3n];
  assert.equal(allowed(true, false, 9), READ_FILE | READ_FOLDER);
  assert.equal(allowed(false, true, 1), READ_FILE | WRITE_FILE);
});
