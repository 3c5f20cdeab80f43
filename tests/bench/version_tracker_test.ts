import assert from "node:assert/strict";
import { type ChangeTimes, VersionTracker } from "./version_tracker.ts";

Deno.test("a change is visible when every connection has seen it", () => {
  const tracker = new VersionTracker(["a", "b"], 2);
  const seen: ChangeTimes[] = [];
  tracker.answer(0, "a", 90);
  assert.equal(tracker.nextBody, "b");
  tracker.change(100, (times) => seen.push(times));
  tracker.answer(0, "b", 104);
  tracker.answer(1, "a", 109);
  assert.deepEqual(seen, []);
  tracker.answer(1, "b", 111);
  assert.deepEqual(seen, [{ firstNew: 4, lastOld: 9 }]);
  assert.equal(tracker.wrong, 0);
  assert.equal(tracker.nextBody, "a");
});

Deno.test("an old answer after a new one on the same connection is wrong", () => {
  const tracker = new VersionTracker(["a", "b"], 2);
  tracker.change(100, () => {});
  tracker.answer(0, "b", 104);
  tracker.answer(0, "a", 105);
  tracker.answer(1, "a", 106);
  assert.equal(tracker.wrong, 1);
});

Deno.test("an answer of neither version, or of one that is gone or to come, is wrong", () => {
  const tracker = new VersionTracker(["a", "b"], 1);
  tracker.answer(0, "c", 1);
  tracker.answer(0, "b", 2);
  tracker.change(100, () => {});
  tracker.answer(0, "b", 101);
  tracker.answer(0, "a", 102);
  assert.equal(tracker.wrong, 3);
});

Deno.test("a replaced connection must see the change anew", () => {
  const tracker = new VersionTracker(["a", "b"], 2);
  let visible = false;
  tracker.change(100, () => visible = true);
  tracker.answer(0, "b", 101);
  tracker.replaced(0);
  tracker.answer(1, "b", 102);
  assert.equal(visible, false);
  tracker.answer(0, "a", 103);
  tracker.answer(0, "b", 104);
  assert.equal(visible, true);
  assert.equal(tracker.wrong, 0);
});
