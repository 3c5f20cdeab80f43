import assert from "node:assert/strict";
import fc from "fast-check";
import { glob } from "./glob.ts";

Deno.test("a star stands for any characters, also none", () => {
  const table: [string, string, boolean][] = [
    ["a", "a", true],
    ["a", "A", true],
    ["a", "ab", false],
    ["*", "", true],
    ["*.svc", "x.svc", true],
    ["*.svc", "svc", false],
    ["a*a", "a", false],
    ["a*a", "aa", true],
    ["a*b*c", "a-b-b-c", true],
    ["a*b*c", "a-c-b", false],
    ["**", "x", true],
    ["a.c", "abc", false],
    ["*x", "x\ny", false],
  ];
  for (const [pattern, text, expected] of table) {
    assert.equal(glob(pattern, text), expected, `${pattern} ${JSON.stringify(text)}`);
  }
});

Deno.test("property: it agrees with a regular expression", () => {
  const letters = (most: number) =>
    fc.array(fc.constantFrom("a", "b", "*"), { maxLength: most }).map((some) => some.join(""));
  fc.assert(fc.property(letters(6), letters(12), (pattern, raw) => {
    const text = raw.replaceAll("*", "c");
    const expected = new RegExp(`^${pattern.replaceAll("*", ".*")}$`, "s").test(text);
    assert.equal(glob(pattern, text), expected);
  }));
});
