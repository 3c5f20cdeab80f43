import assert from "node:assert/strict";
import { Worker } from "node:worker_threads";
import fc from "fast-check";
import { BucketTable, bucketTableSize } from "./bucket_table.ts";

function table(keys = 1024): BucketTable {
  return new BucketTable(new SharedArrayBuffer(bucketTableSize(keys)), 1, keys);
}

const arrival = fc.record({
  after: fc.integer({ min: 0, max: 5_000 }),
  policy: fc.constantFrom(1, 2),
  key: fc.constantFrom(
    "a",
    "b",
    "",
    "\u00e4",
    "\u4e00",
    "a".repeat(48),
    "a".repeat(49),
    "b".repeat(500),
  ),
});

Deno.test("a bucket gives what a token bucket would, whatever comes when", () => {
  fc.assert(fc.property(
    fc.array(arrival, { maxLength: 60 }),
    fc.integer({ min: 1, max: 5 }),
    fc.integer({ min: 1, max: 3_000 }),
    (arrivals, burst, interval) => {
      const buckets = table();
      const model = new Map<string, { tokens: number; at: number }>();
      let now = 1;
      for (const { after, policy, key } of arrivals) {
        now += after;
        const id = `${policy}|${key}`;
        const bucket = model.get(id) ?? { tokens: burst, at: now };
        bucket.tokens = Math.min(burst, bucket.tokens + (now - bucket.at) / interval);
        bucket.at = now;
        const admits = bucket.tokens >= 1 - 1e-6;
        if (admits) bucket.tokens -= 1;
        model.set(id, bucket);
        const { wait, full } = buckets.take(policy, key, now, interval, interval * burst);
        assert.equal(wait === 0, admits, `${id} at ${now}`);
        assert.ok(Math.abs(full - (burst - bucket.tokens) * interval) < 1e-3);
        if (!admits) assert.ok(Math.abs(wait - (1 - bucket.tokens) * interval) < 1e-3);
      }
    },
  ));
});

Deno.test("a million keys leave the table as large as it was, and a hot key limited", () => {
  const keys = 4096;
  const buckets = table(keys);
  let admitted = 0;
  for (let i = 0; i < 1_000_000; i++) {
    const now = i / 100;
    buckets.take(1, `client-${i}`, now, 1000, 1000);
    if (i % 100 === 0 && buckets.take(1, "hot", now, 1000, 10_000).wait === 0) admitted++;
  }
  // 10 s of time: the burst of 10 and one a second.
  assert.ok(admitted >= 19 && admitted <= 21, `${admitted} admitted`);
  assert.ok(buckets.evicted > 900_000);
});

Deno.test("what a dead thread held is free again", () => {
  const shared = new SharedArrayBuffer(bucketTableSize(16));
  new Int32Array(shared, 8, 1)[0] = 7;
  const buckets = new BucketTable(shared, 1, 16);
  buckets.release(6);
  assert.equal(new Int32Array(shared, 8, 1)[0], 7);
  buckets.release(7);
  assert.equal(buckets.take(1, "a", 1, 10, 10).wait, 0);
});

const HAMMER = `
  const { workerData, parentPort } = require("node:worker_threads");
  import(workerData.module).then(({ BucketTable }) => {
    const { shared, owner, keys, times } = workerData;
    const buckets = new BucketTable(shared, owner, keys);
    let admitted = 0;
    for (let i = 0; i < times; i++) {
      if (buckets.take(1, "k" + (i % 20), 1, 1000, 50_000).wait === 0) admitted++;
    }
    parentPort.postMessage(admitted);
  });
`;

Deno.test("threads that take at the same time take no token twice", async () => {
  const keys = 64;
  const shared = new SharedArrayBuffer(bucketTableSize(keys));
  const counts = await Promise.all(
    [1, 2, 3, 4].map((owner) =>
      new Promise<number>((resolve, reject) => {
        const worker = new Worker(HAMMER, {
          eval: true,
          workerData: {
            shared,
            owner,
            keys,
            times: 50_000,
            module: new URL("./bucket_table.ts", import.meta.url).href,
          },
        });
        worker.on("message", async (admitted: number) => {
          await worker.terminate();
          resolve(admitted);
        });
        worker.on("error", reject);
      })
    ),
  );
  // 20 keys, 50 tokens each.
  assert.equal(counts.reduce((sum, count) => sum + count, 0), 1000);
});
