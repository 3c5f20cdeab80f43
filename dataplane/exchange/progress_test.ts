import assert from "node:assert/strict";
import { LIMIT } from "../config/defaults.ts";
import { Progress } from "./progress.ts";

const WINDOW = LIMIT.bodyProgress;
const LEAST = LIMIT.leastRate * WINDOW / 1_000;

/** Time at which a body that moves by `bytes` every `interval` is given up; -1 if it is not within `windows`. */
function givenUp(interval: number, bytes: number, windows: number): number {
  const progress = new Progress();
  let deadline = progress.begin(0);
  for (let now = 1_000; now <= windows * WINDOW; now += 1_000) {
    if (now % interval === 0) deadline = progress.add(now, bytes);
    if (deadline > now) continue;
    const next = progress.next(now);
    if (next === null) return now;
    deadline = next;
  }
  return -1;
}

Deno.test("a body that does not move is given up after one window", () => {
  assert.equal(givenUp(Infinity, 0, 3), WINDOW);
});

Deno.test("bug: a byte now and then kept a body alive for ever", () => {
  assert.equal(givenUp(1_000, 1, 10), WINDOW);
  assert.equal(givenUp(WINDOW - 1_000, 1, 10), WINDOW);
});

Deno.test("a body that moves at the least rate is waited for", () => {
  assert.equal(givenUp(1_000, LIMIT.leastRate, 20), -1);
  assert.equal(givenUp(20_000, LEAST, 20), -1);
});

Deno.test("a body that moved fast and stops is given up a window after its last byte", () => {
  const progress = new Progress();
  progress.begin(0);
  let deadline = progress.add(WINDOW / 2, 100 * LEAST);
  assert.equal(deadline, WINDOW);
  deadline = progress.next(WINDOW)!;
  assert.equal(deadline, WINDOW * 1.5);
  assert.equal(progress.next(deadline), null);
});
