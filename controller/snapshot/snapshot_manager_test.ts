import assert from "node:assert/strict";
import { SnapshotManager } from "./snapshot_manager.ts";

Deno.test("a term is raised above one that somebody holds, and not lowered", () => {
  const snapshot = new SnapshotManager(5);
  snapshot.raiseAbove(4);
  assert.deepEqual(snapshot.version, { term: 5, number: 0 });
  snapshot.raiseAbove(5);
  assert.equal(snapshot.version.term, 6);
  snapshot.begin(9);
  assert.deepEqual(snapshot.version, { term: 9, number: 1 });
});
