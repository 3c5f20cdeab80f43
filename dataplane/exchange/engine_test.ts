import assert from "node:assert/strict";
import fc from "fast-check";
import type { CompiledRule } from "../router/compiled.ts";
import { plainRef } from "../../tests/support/route_builders.ts";
import { nextRef } from "./engine.ts";

function rule(weights: readonly number[]): CompiledRule {
  return {
    route: "ns/r",
    created: "",
    owner: "ns/r",
    index: 0,
    refs: weights.map((weight, i) => ({ ...plainRef(`${i}`), weight })),
    totalWeight: weights.reduce((sum, weight) => sum + weight, 0),
    requestTimeout: 0,
    timed: false,
    closedReason: "",
    upgrades: [],
    filters: null,
    answerEdit: null,
    tlsRedirect: null,
    backendTimeout: 0,
    maxBody: 0,
    retry: null,
    policies: [],
    restricts: false,
    bodyMethods: [],
    idleTimeout: 0,
    fault: null,
    requestBuffer: 0,
    answerBuffer: 0,
  };
}

function counts(of: CompiledRule, requests: number): number[] {
  const seen = new Map(of.refs.map((ref) => [ref, 0]));
  for (let i = 0; i < requests; i++) {
    const ref = nextRef(of)!;
    seen.set(ref, seen.get(ref)! + 1);
  }
  return [...seen.values()];
}

Deno.test("shares are exact over 10,000 requests", () => {
  assert.deepEqual(counts(rule([90, 10]), 10_000), [9000, 1000]);
  assert.deepEqual(counts(rule([1, 0]), 10_000), [10_000, 0]);
  assert.deepEqual(counts(rule([50, 30, 20]), 10_000), [5000, 3000, 2000]);
  assert.deepEqual(counts(rule([9999, 1]), 10_000), [9999, 1]);
  assert.deepEqual(counts(rule([1, 1, 1, 1, 1]), 10_000), [2000, 2000, 2000, 2000, 2000]);
});

Deno.test("shares are exact over any cycle of any weights", () => {
  const weights = fc.array(fc.nat(40), { minLength: 1, maxLength: 6 });
  fc.assert(fc.property(weights, fc.nat(30), (list, skipped) => {
    const of = rule(list);
    if (of.totalWeight === 0) {
      assert.equal(nextRef(of), null);
      return;
    }
    for (let i = 0; i < skipped; i++) nextRef(of);
    assert.deepEqual(counts(of, of.totalWeight), list);
  }));
});

Deno.test("a small share is spread over the cycle, not served in one run", () => {
  const of = rule([80, 20]);
  let run = 0;
  for (let i = 0; i < 100; i++) {
    run = nextRef(of) === of.refs[1] ? run + 1 : 0;
    assert.ok(run <= 2, `a run of ${run} at ${i}`);
  }
});

Deno.test("weights near the largest that Gateway API allows stay exact numbers", () => {
  const of = rule([1_000_000, 1_000_000, 1]);
  for (let i = 0; i < 1000; i++) assert.notEqual(nextRef(of), null);
});
