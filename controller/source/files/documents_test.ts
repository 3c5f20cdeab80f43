import assert from "node:assert/strict";
import fc from "fast-check";
import { splitDocuments } from "./documents.ts";

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
    { text: " {a: 1}\n", line: 1 },
    { text: "b: 2\n", line: 3 },
    { text: "d: 3\n", line: 5 },
  ]);
});

Deno.test("splitDocuments() skips a byte order mark, and stops at the number that is asked for", () => {
  const found = splitDocuments("\ufeff---\na: 1\n---\nb: 2\n---\nc: 3\n", 2);
  assert.deepEqual(found.map(({ text }) => text), ["a: 1\n", "b: 2\n"]);
});
