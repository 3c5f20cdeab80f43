import assert from "node:assert/strict";
import { ProblemList } from "./problem_list.ts";
import { SOURCE_LIMIT } from "./source_limits.ts";

function problem(file: string, line: number) {
  return { file, line, path: "spec", object: "", reason: `at ${line}`, lastGoodServing: false };
}

Deno.test("bug: one file of bad documents gave 150,000 problems and log lines", () => {
  const list = new ProblemList();
  for (let line = 1; line <= 150_000; line++) list.add(problem("bad.yaml", line));
  list.add(problem("other.yaml", 7));
  const shown = list.shown();
  assert.equal(shown.length, SOURCE_LIMIT.problemsPerFile + 2);
  assert.deepEqual(shown.map(({ reason }) => reason).slice(0, 2), [
    "149,900 more problems in this file",
    "at 1",
  ]);
  assert.equal(shown.at(-1)!.file, "other.yaml");
});

Deno.test("problems of very many files are counted", () => {
  const list = new ProblemList();
  for (let file = 0; file < 3_000; file++) list.add(problem(`${file}.yaml`, 1));
  const shown = list.shown();
  assert.equal(shown.length, SOURCE_LIMIT.problems + 1);
  assert.equal(shown.at(-1)!.reason, "2,000 more problems");
});
