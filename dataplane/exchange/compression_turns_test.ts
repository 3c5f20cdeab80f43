import assert from "node:assert/strict";
import { LIMIT } from "../config/defaults.ts";
import { CompressionTurns } from "./compression_turns.ts";

/** Turns whose clock and schedule the test drives. */
function scene() {
  const clock = { now: 0 };
  const scheduled: (() => void)[] = [];
  const turns = new CompressionTurns((run) => void scheduled.push(run), () => clock.now);
  return { clock, turns, run: () => scheduled.splice(0).forEach((run) => run()), scheduled };
}

Deno.test("bodies have turns, and a turn of the worker is short", () => {
  const { clock, turns, run, scheduled } = scene();
  const order: string[] = [];
  const body = (name: string, steps: number) => ({
    step() {
      clock.now += 1.5;
      order.push(name);
      return --steps > 0;
    },
    onFault() {},
  });
  turns.add(body("a", 3));
  turns.add(body("b", 2));
  run();
  assert.deepEqual(order, ["a", "b"], "two steps are more than a turn may take");
  assert.equal(scheduled.length, 1);
  run();
  run();
  assert.deepEqual(order, ["a", "b", "a", "b", "a"]);
  assert.equal(scheduled.length, 0);
});

Deno.test("places are bounded in all and by client, and the level falls when many are taken", () => {
  const { turns } = scene();
  const clients = Array.from({ length: 20 }, () => ({ compressors: 0 }));
  const levels: number[] = [];
  for (let i = 0; turns.admits(clients[0]); i++) levels.push(turns.enter(clients[0], 6));
  assert.equal(levels.length, LIMIT.compressorsPerClient);
  for (const client of clients) {
    while (turns.admits(client)) levels.push(turns.enter(client, 6));
  }
  assert.equal(turns.active, LIMIT.compressors);
  assert.deepEqual([levels[0], levels[7], levels[20]], [6, 4, 1]);
  turns.leave(clients[0]);
  assert.equal(turns.admits(clients[0]), true);
  for (const client of clients) while (client.compressors > 0) turns.leave(client);
});
