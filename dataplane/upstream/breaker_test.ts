import assert from "node:assert/strict";
import { Breaker as BreakerMessage } from "../../proto/gen/novaedge/v1/config.ts";
import { Breaker, BreakerState } from "./breaker.ts";
import { EndpointTable, endpointTableSize, WORD } from "./endpoint_table.ts";

const SLOT = 3;

function scene(changes: Partial<BreakerMessage> = {}) {
  const shared = new SharedArrayBuffer(endpointTableSize(8));
  const table = new EndpointTable(shared);
  const settings = BreakerMessage.create({
    consecutive: 3,
    ratePercent: 50,
    minimumRequests: 10,
    intervalMs: 1_000,
    openMs: 5_000,
    ...changes,
  });
  table.clear(SLOT, 0);
  return {
    table,
    breaker: new Breaker(table, settings),
    // Another worker's, over the same memory.
    other: new Breaker(new EndpointTable(shared), settings),
    state: () => table.get(SLOT, WORD.breaker) as BreakerState,
  };
}

Deno.test("failures in a row open it, a trial after its time closes it, in all workers", () => {
  const { breaker, other, state } = scene();
  assert.equal(breaker.report(SLOT, true, 1), false);
  assert.equal(other.report(SLOT, true, 2), false);
  assert.equal(breaker.report(SLOT, false, 3), false);
  assert.equal(breaker.report(SLOT, true, 4), false);
  assert.equal(other.report(SLOT, true, 5), false);
  assert.equal(breaker.report(SLOT, true, 6), true);
  assert.equal(state(), BreakerState.Open);
  assert.equal(other.admit(SLOT, 5_005), false);
  // One of those that come is the trial.
  assert.equal(other.admit(SLOT, 5_006), true);
  assert.equal(breaker.admit(SLOT, 5_006), false);
  assert.equal(state(), BreakerState.HalfOpen);
  other.report(SLOT, false, 5_100);
  assert.equal(state(), BreakerState.Closed);
  assert.equal(breaker.admit(SLOT, 5_101), true);
});

Deno.test("a trial that fails opens it for twice as long, and success forgets that", () => {
  const { breaker, state } = scene();
  for (let i = 0; i < 3; i++) breaker.report(SLOT, true, 0);
  assert.equal(breaker.admit(SLOT, 5_000), true);
  assert.equal(breaker.report(SLOT, true, 5_000), true);
  assert.equal(breaker.admit(SLOT, 14_999), false);
  assert.equal(breaker.admit(SLOT, 15_000), true);
  breaker.report(SLOT, false, 15_000);
  for (let i = 0; i < 3; i++) breaker.report(SLOT, true, 15_001);
  assert.equal(state(), BreakerState.Open);
  assert.equal(breaker.opensAt(SLOT), 20_001);
});

Deno.test("a trial of which nobody hears is made again", () => {
  const { breaker, other } = scene();
  for (let i = 0; i < 3; i++) breaker.report(SLOT, true, 0);
  assert.equal(breaker.admit(SLOT, 5_000), true);
  assert.equal(other.admit(SLOT, 9_999), false);
  assert.equal(other.admit(SLOT, 10_000), true);
});

Deno.test("a share of failures opens it once there were enough requests within the interval", () => {
  const { breaker, state } = scene({ consecutive: 0 });
  for (let i = 0; i < 9; i++) breaker.report(SLOT, i % 2 === 0, 10);
  assert.equal(state(), BreakerState.Closed);
  assert.equal(breaker.report(SLOT, true, 10), true);
  const calm = scene({ consecutive: 0 });
  // The same, but over two intervals.
  for (let i = 0; i < 20; i++) calm.breaker.report(SLOT, i % 2 === 0, i * 150);
  assert.equal(calm.state(), BreakerState.Closed);
});
