import assert from "node:assert/strict";
import fc from "fast-check";
import { RetryBudget } from "./retry_budget.ts";

Deno.test("a few retries always pass, then a share of the requests", () => {
  const budget = new RetryBudget(0.2);
  let taken = 0;
  for (let i = 0; i < 1000; i++) {
    budget.request(0);
    if (budget.take(0)) taken++;
  }
  assert.equal(taken, 10 + 200);
});

Deno.test("what was spent comes back with time", () => {
  const budget = new RetryBudget(0);
  for (let i = 0; i < 10; i++) assert.ok(budget.take(1_000));
  assert.equal(budget.take(4_999), false);
  assert.equal(budget.take(5_000), false, "the half before still counts");
  assert.ok(budget.take(10_000));
  for (let i = 0; i < 9; i++) assert.ok(budget.take(11_000));
  assert.equal(budget.take(11_000), false);
  assert.ok(budget.take(1_000_000), "a long pause forgets all");
});

Deno.test("bug: a pause of ten seconds forgets both halves", () => {
  const budget = new RetryBudget(0.2);
  for (let i = 0; i < 1000; i++) budget.request(46_000);
  budget.request(51_000);
  let taken = 0;
  while (budget.take(61_000)) taken++;
  assert.equal(taken, 10);
});

Deno.test("retries stay within the budget over any window", () => {
  const steps = fc.array(fc.tuple(fc.nat(3_000), fc.boolean()), { maxLength: 200 });
  fc.assert(fc.property(steps, (list) => {
    const budget = new RetryBudget(0.5);
    let now = 0;
    const taken: number[] = [];
    const requests: number[] = [];
    for (const [pause, retry] of list) {
      now += pause;
      if (!retry) {
        budget.request(now);
        requests.push(now);
      } else if (budget.take(now)) {
        taken.push(now);
        const since = (times: number[]) => times.filter((at) => at > now - 5_000).length;
        assert.ok(since(taken) <= 11 + 0.5 * requests.filter((at) => at > now - 10_000).length);
      }
    }
  }));
});
