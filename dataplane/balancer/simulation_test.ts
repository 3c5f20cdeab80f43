import assert from "node:assert/strict";
import { candidates, seeded, type TestCandidate } from "../../tests/support/candidates.ts";
import type { Balancer } from "./balancer.ts";
import { RoundRobin } from "./round_robin.ts";
import { byActive, byCost, TwoChoices } from "./two_choices.ts";

const BACKENDS = 10;
/** Milliseconds that a backend works on a request, on average; the first is 20 times slower. */
const SERVICE = 10;
const SLOW = 20;
const LOAD = 0.7;
const REQUESTS = 40_000;

interface Result {
  /** Share of the requests that the slow backend got. */
  readonly slowShare: number;
  /** 95th percentile of the time to the answer, milliseconds. */
  readonly p95: number;
}

/**
 * An open loop on a virtual clock: requests come at random times whether or not others are answered, and
 * each backend works on one after the other.
 */
function simulate(balancer: Balancer<TestCandidate>, seed: number): Result {
  const random = seeded(seed);
  const exponential = (mean: number) => -mean * Math.log(1 - random());
  const all = candidates(Array(BACKENDS).fill(1));
  balancer.update(all);
  const capacity = (BACKENDS - 1) / SERVICE + 1 / (SERVICE * SLOW);
  const free: number[] = Array(BACKENDS).fill(0);
  let pending: { at: number; began: number; backend: number }[] = [];
  const times: number[] = [];
  let slow = 0;
  let now = 0;
  for (let i = 0; i < REQUESTS; i++) {
    now += exponential(1 / (capacity * LOAD));
    const done = pending.filter(({ at }) => at <= now).sort((a, b) => a.at - b.at);
    pending = pending.filter(({ at }) => at > now);
    for (const { at, began, backend } of done) {
      all[backend].load.leave();
      all[backend].load.observe(at, at - began, false);
    }
    const picked = balancer.pick(null, 0, now)!;
    const backend = all.indexOf(picked);
    picked.load.begin();
    const at = Math.max(now, free[backend]) + exponential(backend === 0 ? SERVICE * SLOW : SERVICE);
    free[backend] = at;
    pending.push({ at, began: now, backend });
    times.push(at - now);
    if (backend === 0) slow++;
  }
  times.sort((a, b) => a - b);
  return { slowShare: slow / REQUESTS, p95: times[Math.floor(REQUESTS * 0.95)] };
}

for (const seed of [1, 2, 3]) {
  const robin = simulate(new RoundRobin<TestCandidate>(), seed);
  for (const [name, measure] of [["P2C", byActive], ["EWMA", byCost]] as const) {
    Deno.test(`${name} spares a backend that is 20 times slower (seed ${seed})`, () => {
      const result = simulate(new TwoChoices<TestCandidate>(measure, seeded(seed + 100)), seed);
      assert.ok(result.slowShare < robin.slowShare / 3, `${result.slowShare}`);
      assert.ok(result.p95 < robin.p95, `${result.p95} against ${robin.p95}`);
    });
  }
}
