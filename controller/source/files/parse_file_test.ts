import assert from "node:assert/strict";
import { SOURCE_LIMIT } from "../source_limits.ts";
import { parseFile, type SourceDocument } from "./parse_file.ts";

function backend(name: string, note = ""): string {
  return `apiVersion: novaedge.io/v1alpha1
kind: ProxyBackend
metadata: { name: ${name}, annotations: { note: "${note}" } }
spec: { endpoints: [{ address: 127.0.0.1, port: 80 }] }
---
`;
}

/** How often parsing yielded, and the documents. */
function run(text: string, old: readonly SourceDocument[] = []) {
  const steps = parseFile(text, old);
  for (let yields = 0;; yields++) {
    const step = steps.next();
    if (step.done === true) return { yields, documents: step.value.documents };
  }
}

Deno.test("a file with too many documents is one problem, at the first beyond the limit", () => {
  const { documents } = run("a: 1\n---\n".repeat(SOURCE_LIMIT.documents + 10));
  assert.equal(documents.length, 1);
  const [{ reason, line }] = documents[0].parsed.problems;
  assert.match(reason, /too many documents; the limit is 5,000 documents: split the file/);
  assert.equal(line, 2 * SOURCE_LIMIT.documents + 1);
});

Deno.test("a text larger than a file may be is not looked at", () => {
  const { documents } = run("#".repeat(SOURCE_LIMIT.fileBytes + 1));
  assert.match(documents[0].parsed.problems[0].reason, /the file has 16,777,217 characters/);
});

Deno.test("bug: one scalar of 50 MB took 5.6 GB; a document beyond the limit is not parsed", () => {
  const large = backend("large", "x".repeat(SOURCE_LIMIT.documentCharacters));
  const { documents } = run(backend("a") + large + backend("b"));
  assert.deepEqual(documents.map(({ parsed }) => parsed.problems.length), [0, 1, 0]);
  const [{ reason, line }] = documents[1].parsed.problems;
  assert.match(reason, /the document has [\d,]+ characters; the limit is 1,572,864 characters/);
  assert.equal(line, 6);
});

Deno.test("a long text is parsed in slices, and only what is new of it", () => {
  const parts = Array.from({ length: 40 }, (_, i) => backend(`b${i}`, "x".repeat(20_000)));
  const first = run(parts.join(""));
  assert.ok(first.yields >= 3, `${first.yields} slices`);
  const changed = parts.with(7, backend("b7", "y"));
  const second = run(changed.join(""), first.documents);
  assert.equal(second.yields, 0);
  assert.deepEqual(
    second.documents.flatMap((d, i) => d.parsed === first.documents[i].parsed ? [] : [i]),
    [7],
  );
});
