import assert from "node:assert/strict";
import { TurnClock } from "./turn_clock.ts";
import { TurnEnd } from "./turn_end.ts";

Deno.test("the clock is read once a turn", () => {
  let reads = 0;
  const turnEnd = new TurnEnd(() => {});
  const clock = new TurnClock(() => ++reads, turnEnd);
  assert.deepEqual([clock.now(), clock.now()], [1, 1]);
  turnEnd.run();
  turnEnd.run();
  assert.deepEqual([clock.now(), clock.now()], [2, 2]);
});
