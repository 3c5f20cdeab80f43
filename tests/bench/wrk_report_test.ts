import assert from "node:assert/strict";
import { parseWrk } from "./wrk_report.ts";

const REPORT = `Running 4s test @ http://127.0.0.1:8080/
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.03ms  312.52us  10.20ms   92.00%
    Req/Sec    31.20k     1.50k   33.10k    80.00%
  Latency Distribution
     50%  990.00us
     75%    1.10ms
     90%    1.30ms
     99%    2.25ms
  124800 requests in 4.01s, 20.10MB read
Bytes read: 21076377
`;

Deno.test("a report of wrk gives requests, seconds and latencies", () => {
  assert.deepEqual(parseWrk(`${REPORT}Requests/sec:  31122.19\n`), {
    done: 124800,
    bytes: 21076377,
    seconds: 4.01,
    p50: 0.99,
    p99: 2.25,
    errors: "",
  });
});

Deno.test("a report of wrk gives both kinds of errors", () => {
  const lines = "  Socket errors: connect 0, read 3, write 0, timeout 1\n" +
    "  Non-2xx or 3xx responses: 7\n";
  assert.equal(
    parseWrk(REPORT + lines).errors,
    "Socket errors: connect 0, read 3, write 0, timeout 1; Non-2xx or 3xx responses: 7",
  );
});

Deno.test("what is not a report of wrk is an error", () => {
  assert.throws(() => parseWrk("unable to connect"), /not a report/);
});
