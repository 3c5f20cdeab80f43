import assert from "node:assert/strict";
import { EventLog, type WorkerEvent } from "./event_log.ts";

function scene() {
  const sent: WorkerEvent[] = [];
  const clock = { now: 1_000_000 };
  const log = new EventLog((event) => sent.push(event), () => clock.now);
  return { sent, clock, log };
}

Deno.test("events of one kind are limited to five a second, and the rest is counted", () => {
  const { sent, clock, log } = scene();
  for (let i = 0; i < 12; i++) log.add("warn", "client refused", { client: i });
  log.add("error", "other", {});
  assert.equal(sent.length, 6);
  assert.deepEqual(sent[5], { level: "error", event: "other", fields: {} });
  clock.now += 1_000;
  log.add("warn", "client refused", { client: 99 });
  log.add("warn", "client refused", { client: 100 });
  assert.deepEqual(sent[6].fields, { client: 99, suppressed: 7 });
  assert.deepEqual(sent[7].fields, { client: 100 });
});

Deno.test("long texts are truncated", () => {
  const { sent, log } = scene();
  log.add("warn", "x", { reason: "r".repeat(10_000) });
  assert.equal((sent[0].fields.reason as string).length, 2_000);
});
