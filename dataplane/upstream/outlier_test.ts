import assert from "node:assert/strict";
import { OutlierDetection } from "../../proto/gen/novaedge/v1/config.ts";
import { EndpointTable, endpointTableSize, TIME } from "./endpoint_table.ts";
import { Outlier, type RequestResult } from "./outlier.ts";

const ALL = [0, 1, 2, 3, 4];

function scene(changes: Partial<OutlierDetection> = {}) {
  const table = new EndpointTable(new SharedArrayBuffer(endpointTableSize(8)));
  const outlier = new Outlier(
    table,
    OutlierDetection.create({
      intervalMs: 1_000,
      consecutive5xx: 3,
      consecutiveGateway: 2,
      baseEjectionMs: 1_000,
      maxEjectionMs: 2_500,
      maxPercent: 40,
      successHosts: 3,
      successRequests: 10,
      successFactor: 1.4,
      ...changes,
    }),
  );
  const report = (slot: number, result: RequestResult, times: number, now: number, all = ALL) => {
    let out = false;
    for (let i = 0; i < times; i++) out = outlier.report(slot, result, all, now) || out;
    return out;
  };
  return { table, outlier, report, until: (slot: number) => table.time(slot, TIME.ejectedUntil) };
}

Deno.test("errors in a row take an endpoint out, and a success starts anew", () => {
  const { report, until } = scene();
  assert.equal(report(0, "error", 2, 10), false);
  report(0, "ok", 1, 10);
  assert.equal(report(0, "error", 2, 10), false);
  assert.equal(report(0, "error", 1, 10), true);
  assert.equal(until(0), 1_010);
  assert.equal(report(1, "gateway", 1, 10), false);
  report(1, "error", 1, 10);
  assert.equal(report(2, "gateway", 2, 10), true);
});

Deno.test("each time it is out for longer, up to the most, and good behaviour is remembered", () => {
  const { outlier, report, until } = scene();
  report(0, "error", 3, 0);
  assert.equal(until(0), 1_000);
  report(0, "error", 3, 1_000);
  assert.equal(until(0), 3_000);
  report(0, "error", 3, 3_000);
  assert.equal(until(0), 5_500);
  for (let i = 0; i < 3; i++) outlier.judge(ALL, 6_000 + i);
  report(0, "error", 3, 7_000);
  assert.equal(until(0), 8_000);
});

Deno.test("no more than their share are out, and never all", () => {
  const { report } = scene();
  assert.equal(report(0, "error", 3, 0), true);
  assert.equal(report(1, "error", 3, 0), true);
  assert.equal(report(2, "error", 3, 0), false);
  // Of two one may go, whatever the share; the last never.
  const two = scene({ maxPercent: 10 });
  assert.equal(two.report(0, "error", 3, 0, [0, 1]), true);
  assert.equal(two.report(1, "error", 3, 0, [0, 1]), false);
  assert.equal(scene().report(0, "error", 9, 0, [0]), false);
});

Deno.test("an endpoint whose success is far below that of the others is taken out", () => {
  const { outlier, report } = scene({ consecutive5xx: 0, consecutiveGateway: 0 });
  for (const slot of ALL) report(slot, "ok", 100, 0);
  report(3, "error", 50, 0);
  assert.deepEqual(outlier.judge(ALL, 1_000), [3]);
  // Too few requests to tell.
  for (const slot of ALL) report(slot, "ok", 5, 2_000);
  report(3, "error", 4, 2_000);
  assert.deepEqual(outlier.judge(ALL, 4_000), []);
});
