/**
 * A closed-loop load over bare sockets, for a machine without wrk. Usage: raw_load.ts JSON, a plan as
 * `loads/load.ts` has it; prints a report as JSON.
 */
import type { LoadPlan, LoadReport } from "./loads/load.ts";
import { getRequest, RawClient } from "./raw_client.ts";
import { percentile } from "./statistics.ts";

/** Milliseconds after the end in which a request in flight may still be answered. */
const LINGER = 5_000;

const plan = JSON.parse(Deno.args[0]) as LoadPlan;
const requests = plan.hosts.map((host) => getRequest(host, plan.path, plan.closing));
const latencies: number[] = [];
let turn = 0;
let failed = 0;
let statuses = 0;
const start = performance.now();
const end = start + plan.seconds * 1000;

/** One connection after another, each with one request in flight, until the time is up. */
async function drive(): Promise<void> {
  while (performance.now() < end) await connection();
}

function connection(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let sent = 0;
  const send = () => {
    sent = performance.now();
    client.send(requests[turn++ % requests.length]);
  };
  const client: RawClient = new RawClient(plan.port, {
    onAnswer({ status }) {
      const now = performance.now();
      latencies.push(now - sent);
      if (status < 200 || status > 399) statuses++;
      if (!plan.closing && now < end) return send();
      clearTimeout(timer);
      client.close();
      resolve();
    },
    onEnd() {
      failed++;
      clearTimeout(timer);
      resolve();
    },
  });
  const timer = setTimeout(() => {
    failed++;
    client.close();
    resolve();
  }, end + LINGER - performance.now());
  send();
  return promise;
}

await Promise.all(Array.from({ length: plan.connections }, drive));
const report: LoadReport = {
  done: latencies.length,
  bytes: latencies.length * plan.answerLength,
  seconds: (performance.now() - start) / 1000,
  p50: percentile(latencies, 0.5),
  p99: percentile(latencies, 0.99),
  errors: [
    ...(failed > 0 ? [`Socket errors: ${failed}`] : []),
    ...(statuses > 0 ? [`Non-2xx or 3xx responses: ${statuses}`] : []),
  ].join("; "),
};
await Deno.stdout.write(new TextEncoder().encode(JSON.stringify(report)));
