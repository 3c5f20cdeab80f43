import assert from "node:assert/strict";
import { seeded } from "../../tests/support/candidates.ts";
import { traceOf, traceparent } from "./trace.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT = "00f067aa0ba902b7";

Deno.test("a caller's trace goes on, with a span of our own, sampled as the caller says", () => {
  const random = seeded(1);
  for (const [flags, sampled] of [["01", true], ["00", false], ["03", true]] as const) {
    const trace = traceOf(`00-${TRACE}-${PARENT}-${flags}`, 100, random);
    assert.deepEqual([trace.traceId, trace.parentId, trace.sampled], [TRACE, PARENT, sampled]);
    assert.match(trace.spanId, /^[0-9a-f]{16}$/);
    assert.equal(traceparent(trace), `00-${TRACE}-${trace.spanId}-${sampled ? "01" : "00"}`);
  }
  // A later version may say more.
  assert.equal(traceOf(`01-${TRACE}-${PARENT}-01-more`, 0, random).traceId, TRACE);
});

Deno.test("what is no traceparent begins a new trace", () => {
  const random = seeded(2);
  const bad = [
    null,
    "",
    `00-${TRACE}-${PARENT}`,
    `00-${TRACE}-${PARENT}-01-more`,
    `ff-${TRACE}-${PARENT}-01`,
    `00-${"0".repeat(32)}-${PARENT}-01`,
    `00-${TRACE}-${"0".repeat(16)}-01`,
    `00-${TRACE.toUpperCase()}-${PARENT}-01`,
    `00-${TRACE}-${PARENT}-01\r\nx: y`,
  ];
  for (const field of bad) {
    const trace = traceOf(field, 0, random);
    assert.notEqual(trace.traceId, TRACE);
    assert.match(trace.traceId, /^[0-9a-f]{32}$/);
    assert.deepEqual([trace.parentId, trace.sampled], ["", false]);
  }
  assert.equal(traceOf(null, 100, random).sampled, true);
  assert.doesNotMatch(traceOf(null, 0, () => 0).spanId, /^0+$/);
});
