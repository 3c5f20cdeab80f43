import assert from "node:assert/strict";
import { IdleCollector } from "./idle_collector.ts";

const MB = 1024 * 1024;

Deno.test("a worker collects when it has been quiet for a while and it is worth it", () => {
  const collector = new IdleCollector();
  assert.equal(collector.due(10, 100 * MB, 0), false);
  assert.equal(collector.due(10, 100 * MB, 2_999), false);
  assert.equal(collector.due(10, 100 * MB, 3_000), true);
  collector.collected(95 * MB);
  assert.equal(collector.due(10, 96 * MB, 7_000), false);
  assert.equal(collector.due(10, 104 * MB, 9_000), true);
});

Deno.test("requests put it off", () => {
  const collector = new IdleCollector();
  assert.equal(collector.due(1, 100 * MB, 0), false);
  assert.equal(collector.due(2, 100 * MB, 5_000), false);
  assert.equal(collector.due(2, 100 * MB, 7_999), false);
  assert.equal(collector.due(2, 100 * MB, 8_000), true);
});
