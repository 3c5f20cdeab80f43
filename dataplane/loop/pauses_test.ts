import assert from "node:assert/strict";
import { Pauses } from "./pauses.ts";

/** Pauses that the test ends. */
function scene() {
  const due: (() => void)[] = [];
  const pauses = new Pauses((run) => void due.push(run));
  const order: string[] = [];
  const end = () => {
    assert.equal(due.length, 1, "one pause at a time");
    due.pop()!();
  };
  return { due, pauses, order, end };
}

Deno.test("bug: two pieces of work with a timer each left no moment in which the thread was idle", () => {
  const { due, pauses, order, end } = scene();
  const compress = () => {
    order.push("compress");
    if (order.length < 5) pauses.after(compress);
  };
  pauses.after(compress);
  pauses.after(() => void order.push("read"));
  end();
  assert.deepEqual(order, ["compress"], "the other one is behind a pause of its own");
  end();
  assert.deepEqual(order, ["compress", "read"]);
  while (due.length > 0) end();
  assert.deepEqual(order, ["compress", "read", "compress", "compress", "compress"]);
});

Deno.test("a fault of one does not take the place of the others", () => {
  const { due, pauses, order, end } = scene();
  pauses.after(() => {
    throw new Error("fault");
  });
  pauses.after(() => void order.push("next"));
  assert.throws(end, { message: "fault" });
  end();
  assert.deepEqual(order, ["next"]);
  assert.equal(due.length, 0);
});
