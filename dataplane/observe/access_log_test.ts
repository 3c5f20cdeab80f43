import assert from "node:assert/strict";
import fc from "fast-check";
import { logMemory } from "../../tests/support/log_memory.ts";
import { AccessLog, type AccessRecord } from "./access_log.ts";
import { humanAccessLog } from "./human_access_log.ts";

const RECORD: AccessRecord = {
  listener: "ns/gw/l",
  method: "GET",
  host: "h",
  path: "/",
  route: "ns/r",
  upstream: "10.0.0.1:80",
  client: "192.0.2.1:4711",
  requestId: "id",
  traceId: "",
  attempts: 1,
  detail: "",
  protocol: "HTTP/1.1",
  tls: "",
  userAgent: "",
  referer: "",
  upstreamTime: -1,
  status: 200,
  reason: "ok",
  bytesIn: 1,
  bytesOut: 2,
  milliseconds: 1.23456,
};

function lines(records: readonly AccessRecord[], now = 0): Record<string, unknown>[] {
  let text = "";
  let counted = 0;
  const log = new AccessLog(logMemory((batch, count) => {
    text += batch;
    counted += count;
  }));
  for (const record of records) log.add(record, now);
  log.flush();
  const found = text.split("\n");
  assert.equal(found.pop(), "", "every line ends");
  assert.equal(found.length, counted);
  return found.map((line) => JSON.parse(line));
}

Deno.test("a line has every field, with the time to the millisecond", () => {
  const [line] = lines([RECORD], Date.UTC(2030, 0, 2, 3, 4, 5, 6) + 0.9);
  assert.deepEqual(line, {
    time: "2030-01-02T03:04:05.006Z",
    listener: "ns/gw/l",
    method: "GET",
    host: "h",
    path: "/",
    status: 200,
    reason: "ok",
    bytes_in: 1,
    bytes_out: 2,
    duration_ms: 1.235,
    route: "ns/r",
    upstream: "10.0.0.1:80",
    client: "192.0.2.1:4711",
    request_id: "id",
    protocol: "HTTP/1.1",
  });
  const more = { tls: "TLSv1.3", userAgent: 'a "b"', referer: "http://x/", upstreamTime: 0.5 };
  const [full] = lines([{ ...RECORD, ...more, detail: "why" }]);
  const long = "u".repeat(60_000);
  assert.equal(lines([{ ...RECORD, userAgent: long }])[0].user_agent, long);
  const { upstream_ms, tls, user_agent, referer, detail } = full;
  assert.deepEqual([upstream_ms, tls, user_agent, referer, detail], [
    ...[0.5, "TLSv1.3", 'a "b"', "http://x/", "why"],
  ]);
});

Deno.test("what a client sends cannot break or forge a line", () => {
  const hostile = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.constantFrom(
      '"',
      "\\",
      "\n",
      '","status":200,"x":"',
      "\u2028",
      "\ud800",
      "\x7f",
      "\0",
      "\x85",
    ),
  );
  fc.assert(fc.property(fc.array(fc.tuple(hostile, hostile, hostile, hostile)), (all) => {
    const records = all.map(([method, host, path, requestId]) => ({
      ...RECORD,
      method,
      host,
      path,
      requestId,
    }));
    lines(records).forEach((line, i) => {
      assert.deepEqual(
        [line.method, line.host, line.path, line.request_id, line.status],
        [records[i].method, records[i].host, records[i].path, records[i].requestId, 200],
      );
    });
  }));
});

Deno.test("any time gives a valid ISO time", () => {
  const times = fc.double({ min: 0, max: 4e12, noNaN: true });
  fc.assert(fc.property(times, (now) => {
    const [line] = lines([RECORD], now);
    assert.equal(line.time, new Date(Math.floor(now)).toISOString());
  }));
});

Deno.test("lines leave in batches, and an empty flush gives none", () => {
  const batches: number[] = [];
  const log = new AccessLog(logMemory((_batch, count) => void batches.push(count)));
  log.flush();
  assert.deepEqual(batches, []);
  for (let i = 0; i < 1000; i++) log.add(RECORD, 0);
  assert.ok(batches.length > 1, "long before the flush");
  log.flush();
  assert.equal(batches.reduce((sum, count) => sum + count, 0), 1000);
});

Deno.test("numbers of any size are written as they are", () => {
  const number = fc.oneof(fc.nat(), fc.maxSafeNat(), fc.constantFrom(0, 9, 10, 99, 100, 999_999));
  fc.assert(
    fc.property(number, number, fc.double({ min: 0, max: 1e9, noNaN: true }), (a, b, ms) => {
      const [line] = lines([{ ...RECORD, bytesIn: a, bytesOut: b, milliseconds: ms }]);
      assert.deepEqual([line.bytes_in, line.bytes_out], [a, b]);
      assert.equal(line.duration_ms, Math.round(ms * 1000) / 1000);
    }),
  );
});

Deno.test("a line longer than a batch is not cut, and comes behind those before it", () => {
  const texts: string[] = [];
  const log = new AccessLog(logMemory((text) => void texts.push(text), 2_048));
  const long = 'é"'.repeat(5_000);
  for (const path of ["/before", long, "/behind"]) log.add({ ...RECORD, path }, 0);
  log.flush();
  const found = texts.join("").trimEnd().split("\n").map((line) => JSON.parse(line).path);
  assert.deepEqual(found, ["/before", long, "/behind"]);
});

Deno.test("lines that find no memory are dropped and counted, those before them are not", () => {
  const given = [new Uint8Array(2_048)];
  const sent: number[] = [];
  const log = new AccessLog({
    take: () => given.pop() ?? null,
    send: (_bytes, _length, count) => void sent.push(count),
  });
  for (let i = 0; i < 100; i++) log.add(RECORD, 0);
  log.flush();
  assert.equal(sent.length, 1);
  assert.equal(log.dropped, 100 - sent[0]);
});

Deno.test("lines for people say the same, one per request", () => {
  let batch = new Uint8Array();
  const log = new AccessLog(logMemory((text) => void (batch = new TextEncoder().encode(text))));
  log.add(RECORD, Date.UTC(2030, 0, 1, 2, 3, 4, 5));
  log.add({ ...RECORD, status: 404, reason: "no_route", upstream: "", path: "/x" }, 0);
  log.flush();
  assert.equal(
    new TextDecoder().decode(humanAccessLog(batch)),
    "02:03:04.005 200 GET h/ 1.235 ms -> 10.0.0.1:80\n" +
      "00:00:00.000 404 (no_route) GET h/x 1.235 ms -> -\n",
  );
});

Deno.test("bug: long user agents that clients make up were remembered", () => {
  const memory = () => {
    (globalThis as unknown as { gc?: () => void }).gc?.();
    return Deno.memoryUsage().heapUsed + Deno.memoryUsage().external;
  };
  const log = new AccessLog(logMemory(() => {}));
  log.add(RECORD, 0);
  const before = memory();
  for (let i = 0; i < 256; i++) log.add({ ...RECORD, userAgent: `${i} `.padEnd(64_000, "u") }, 0);
  log.flush();
  // As names that are remembered they would take some 30 MB.
  assert.ok(memory() - before < 10_000_000);
});
