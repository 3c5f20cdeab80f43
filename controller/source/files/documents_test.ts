import assert from "node:assert/strict";
import fc from "fast-check";
import { parseYaml } from "./yaml/parse_yaml.ts";
import { documentsWith, splitDocuments } from "./documents.ts";

Deno.test("splitDocuments() keeps the line of each document and leaves out empty ones", () => {
  const text =
    "# only a comment\n---\na: 1\n---   \n\n---\nb: |\n  --- not a mark\n--- # comment\nc: 3";
  assert.deepEqual(splitDocuments(text), [
    { text: "a: 1\n", line: 3 },
    { text: "b: |\n  --- not a mark\n", line: 7 },
    { text: "c: 3", line: 10 },
  ]);
});

Deno.test("splitDocuments() handles CRLF files and a file without an end of line", () => {
  assert.deepEqual(splitDocuments("a: 1\r\n---\r\nb: 2").map(({ line }) => line), [1, 3]);
  assert.deepEqual(splitDocuments(""), []);
});

Deno.test("splitDocuments() loses no content", () => {
  const line = fc.constantFrom("a: 1", "---", "  - x", "", "# c", "---x");
  fc.assert(fc.property(fc.array(line), (lines) => {
    const text = lines.join("\n");
    const expected = lines.filter((l) => l !== "---" && l !== "" && l !== "# c");
    const found = splitDocuments(text).flatMap((d) => d.text.split("\n")).filter((l) =>
      l !== "" && l !== "# c"
    );
    assert.deepEqual(found, expected);
  }));
});

Deno.test("bug: what stood on the line of a document mark was dropped", () => {
  const text = "--- {a: 1}\n---\nb: 2\n--- # c\nd: 3\n";
  assert.deepEqual(splitDocuments(text), [
    { text: "    {a: 1}\n", line: 1 },
    { text: "b: 2\n", line: 3 },
    { text: "d: 3\n", line: 5 },
  ]);
});

Deno.test("splitDocuments() skips a byte order mark, and stops at the number that is asked for", () => {
  const found = splitDocuments("\ufeff---\na: 1\n---\nb: 2\n---\nc: 3\n", 2);
  assert.deepEqual(found.map(({ text }) => text), ["a: 1\n", "b: 2\n"]);
});

Deno.test("bug: a carriage return alone was no end of a line, and hid document marks", () => {
  assert.deepEqual(splitDocuments("a: 1\rb: 2\r---\rc: 3\r"), [
    { text: "a: 1\nb: 2\n", line: 1 },
    { text: "c: 3\n", line: 4 },
  ]);
  const [{ text }] = splitDocuments("a: 1\r\r\nb: 2\r\r\n");
  assert.equal(text, "a: 1\n\nb: 2\n\n");
});

Deno.test("bug: a byte order mark of a later document was part of its first key", () => {
  for (const text of ["a: 1\n---\n\ufeffb: 2\n", "\ufeffa: 1\n\ufeff---\nb: 2\n"]) {
    assert.deepEqual(splitDocuments(text).map(({ text }) => text), ["a: 1\n", "b: 2\n"]);
  }
});

Deno.test("documentsWith() finds the documents that have a word, with their lines", () => {
  const text = "x: word\n---\na: 1\n---\nb: word\nc: word\n--- word\n";
  assert.deepEqual([...documentsWith(text, "word")], [
    { text: "x: word\n", line: 1 },
    { text: "   \nb: word\nc: word\n", line: 4 },
    { text: "    word\n", line: 7 },
  ]);
});

Deno.test("bug: a map on the line of a document mark was read with wrong columns", () => {
  const [{ text }] = splitDocuments("---  a: 1\n  b: 2\n");
  assert.deepEqual(parseYaml(text), { reason: "the indentation fits no line above", line: 1 });
});
