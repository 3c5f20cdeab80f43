import assert from "node:assert/strict";
import { latencies, parseH2load } from "./h2load_report.ts";

const REPORT = `starting benchmark...
finished in 4.01s, 31200.25 req/s, 1.23MB/s
requests: 125113 total, 125241 started, 125113 done, 125113 succeeded, 0 failed, 0 errored, 0 timeout
status codes: 125113 2xx, 0 3xx, 0 4xx, 0 5xx
traffic: 5.21MB (5466332) total, 1.02MB (1068480) headers (space savings 95.00%), 2.51MB (2627400) data
                     min         max         mean         sd        +/- sd
time for request:      211us     20.10ms      1.03ms       312us    80.00%
`;

Deno.test("a report of h2load gives requests, bytes and seconds", () => {
  assert.deepEqual(parseH2load(REPORT, 21), {
    done: 125113,
    bytes: 2627400,
    seconds: 4.01,
    p50: NaN,
    p99: NaN,
    errors: "",
  });
});

Deno.test("failures in a report of h2load are errors, and so are answers without their body", () => {
  const failed = REPORT.replace("0 failed, 0 errored", "3 failed, 1 errored");
  assert.equal(parseH2load(failed, 21).errors, "3 failed; 1 errored");
  assert.equal(
    parseH2load(REPORT, 22).errors,
    "2627400 bytes in answers that should have 2752486",
  );
});

Deno.test("what is not a report of h2load is an error", () => {
  assert.throws(() => parseH2load("unable to connect", 1), /not a report/);
});

Deno.test("a log of h2load gives the microseconds of each request", () => {
  assert.deepEqual(latencies("1700000000\t200\t310\n1700000001\t200\t95\n"), [310, 95]);
});
