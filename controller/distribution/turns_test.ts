import assert from "node:assert/strict";
import { Turns } from "./turns.ts";

Deno.test("a few begin at a time, in their order, and who goes makes room", () => {
  const begun: string[] = [];
  using turns = new Turns<string>(2, 1_000, (each) => begun.push(each));
  for (const each of ["a", "b", "c", "d", "e"]) turns.ask(each);
  assert.deepEqual(begun, ["a", "b"]);
  turns.done("c");
  assert.deepEqual(begun, ["a", "b"], "it had not begun");
  turns.done("a");
  turns.done("a");
  assert.deepEqual(begun, ["a", "b", "d"]);
  turns.done("b");
  assert.deepEqual(begun, ["a", "b", "d", "e"]);
});

Deno.test("who never ends keeps nobody waiting for ever", async () => {
  const begun: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  using turns = new Turns<string>(1, 10, (each) => {
    begun.push(each);
    if (each === "next") resolve();
  });
  turns.ask("stuck");
  turns.ask("next");
  assert.deepEqual(begun, ["stuck"]);
  await promise;
  assert.deepEqual(begun, ["stuck", "next"]);
});
