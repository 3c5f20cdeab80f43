import assert from "node:assert/strict";
import fc from "fast-check";
import {
  countersOf,
  countersSize,
  countRequest,
  GLOBAL,
  LATENCY_BOUNDS,
  LISTENER_SLOTS,
  resetGauges,
  SLOT,
} from "./counters.ts";
import { renderMetrics } from "./prometheus.ts";
import { REASON_INDEX, REASONS } from "./reasons.ts";

const FIGURES = {
  workers: 2,
  nativeMemory: 0,
  workerDeaths: 1,
  logLinesDropped: 3,
  spans: { exported: 0, dropped: 0 },
  resources: 4,
  certificateEnds: [],
  endpoints: { endpoints: 0, unhealthy: 0, ejected: 0, breakersOpen: 0 },
};

function regions(workers: number): Float64Array[] {
  const shared = new SharedArrayBuffer(countersSize(workers));
  return Array.from({ length: workers }, (_, worker) => countersOf(shared, worker));
}

/** Values by series. */
function series(text: string): Map<string, number> {
  const out = new Map<string, number>();
  for (const line of text.trimEnd().split("\n")) {
    if (line.startsWith("#")) continue;
    const match = /^([a-z_][a-z0-9_]*(?:\{[a-z]+="[^"\\]*"(?:,[a-z]+="[^"\\]*")*\})?) (\S+)$/.exec(
      line,
    );
    assert.ok(match !== null, line);
    assert.ok(!out.has(match[1]), `twice: ${match[1]}`);
    assert.ok(Number.isFinite(Number(match[2])), line);
    out.set(match[1], Number(match[2]));
  }
  return out;
}

Deno.test("workers are summed, and every family is announced before its series", () => {
  const all = regions(2);
  countRequest(all[0], 0, 200, REASON_INDEX.ok, 3, 10, 20);
  countRequest(all[1], 0, 503, REASON_INDEX.no_endpoints, 20_000, 1, 2);
  all[1][GLOBAL.resent] = 5;
  const text = renderMetrics(all, new Map([["ns/gw/l", 0]]), FIGURES);
  const found = series(text);
  const label = 'listener="ns/gw/l"';
  assert.equal(found.get(`novaedge_http_requests_total{${label},code="2xx"}`), 1);
  assert.equal(found.get(`novaedge_http_requests_total{${label},code="5xx"}`), 1);
  assert.equal(found.get(`novaedge_http_request_reasons_total{${label},reason="no_endpoints"}`), 1);
  assert.equal(found.get(`novaedge_http_request_duration_seconds_bucket{${label},le="0.005"}`), 1);
  assert.equal(found.get(`novaedge_http_request_duration_seconds_bucket{${label},le="+Inf"}`), 2);
  assert.equal(found.get(`novaedge_http_request_duration_seconds_sum{${label}}`), 20.003);
  assert.equal(found.get(`novaedge_http_request_bytes_total{${label}}`), 11);
  assert.equal(found.get("novaedge_upstream_resent_total"), 5);
  assert.equal(found.get("novaedge_access_log_dropped_total"), 3);
  const announced = new Set<string>();
  for (const line of text.trimEnd().split("\n")) {
    const type = /^# TYPE (\S+) /.exec(line)?.[1];
    if (type !== undefined) announced.add(type);
    else if (!line.startsWith("#")) {
      const name = /^[a-z0-9_]+/.exec(line)![0];
      assert.ok(
        announced.has(name) || announced.has(name.replace(/_(bucket|sum|count)$/, "")),
        line,
      );
    }
  }
});

Deno.test("the histogram is cumulative and its last bucket is the count", () => {
  const times = fc.array(fc.double({ min: 0, max: 20_000, noNaN: true }), { maxLength: 30 });
  fc.assert(fc.property(times, (list) => {
    const [region] = regions(1);
    for (const time of list) countRequest(region, 0, 200, 0, time, 0, 0);
    const found = series(renderMetrics([region], new Map([["l", 0]]), FIGURES));
    for (const bound of LATENCY_BOUNDS) {
      const name = `novaedge_http_request_duration_seconds_bucket{listener="l",le="${
        bound / 1000
      }"}`;
      assert.equal(found.get(name), list.filter((time) => time <= bound).length);
    }
    assert.equal(
      found.get('novaedge_http_request_duration_seconds_count{listener="l"}'),
      list.length,
    );
  }));
});

Deno.test("listeners that share a slot are one series, so their number is bounded", () => {
  const [region] = regions(1);
  const slots = new Map(
    Array.from({ length: 500 }, (_, i) => [`l${i}`, Math.min(i, LISTENER_SLOTS - 1)]),
  );
  for (let slot = 0; slot < LISTENER_SLOTS; slot++) {
    REASONS.forEach((_, reason) => countRequest(region, slot, 200, reason, 1, 0, 0));
  }
  const found = series(renderMetrics([region], slots, FIGURES));
  const listeners = new Set([...found.keys()].map((name) => /listener="([^"]*)"/.exec(name)?.[1]));
  listeners.delete(undefined);
  assert.equal(listeners.size, LISTENER_SLOTS);
  assert.ok(listeners.has("other"));
});

Deno.test("counters of one slot, reason or worker never touch another's", () => {
  const [first, second] = regions(2);
  first.fill(0);
  for (const status of [100, 200, 304, 404, 599]) {
    countRequest(first, 0, status, REASONS.length - 1, 1e9, 1, 1);
  }
  assert.equal(second.every((value) => value === 0), true);
  assert.equal(first.subarray(SLOT.size).every((value) => value === 0), true);
  countRequest(first, LISTENER_SLOTS - 1, 599, REASONS.length - 1, 1e9, 1, 1);
  assert.equal(first.subarray(GLOBAL.upstreamConnects).every((value) => value === 0), true);
  assert.equal(new Set(Object.values(GLOBAL)).size, Object.values(GLOBAL).length);
});

Deno.test("a dead worker's gauges fall to zero, its totals stay", () => {
  const [region] = regions(1);
  region[GLOBAL.upstreamOpen] = 3;
  region[GLOBAL.upstreamConnects] = 4;
  region[3 * SLOT.size + SLOT.open] = 5;
  region[3 * SLOT.size + SLOT.accepted] = 6;
  resetGauges(region);
  assert.deepEqual(
    [region[GLOBAL.upstreamOpen], region[3 * SLOT.size + SLOT.open]],
    [0, 0],
  );
  assert.deepEqual([region[GLOBAL.upstreamConnects], region[3 * SLOT.size + SLOT.accepted]], [
    4,
    6,
  ]);
});
