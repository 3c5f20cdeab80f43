/**
 * A closed loop of WebSocket messages: each connection sends the next when the last came back. Usage:
 * websocket_load.ts JSON, a plan as `loads/load.ts` has it; prints a report as JSON.
 */
import { Buffer } from "node:buffer";
import { BODY_100 } from "./bodies.ts";
import type { LoadPlan, LoadReport } from "./loads/load.ts";
import { percentile } from "./statistics.ts";
import { messageFrame, WebSocketClient } from "./websocket_client.ts";

/** Milliseconds after the end in which a message under way may still come back. */
const LINGER = 5_000;

const plan = JSON.parse(Deno.args[0]) as LoadPlan;
const payload = Buffer.from(BODY_100);
const frame = messageFrame(payload);
const latencies: number[] = [];
const failures: string[] = [];
let wrong = 0;
const start = performance.now();
const end = start + plan.seconds * 1000;

function connection(index: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let sent = 0;
  const done = () => {
    clearTimeout(timer);
    client.close();
    resolve();
  };
  const send = () => {
    sent = performance.now();
    client.send(frame);
  };
  const fail = (reason: string) => {
    failures.push(reason);
    done();
  };
  const host = plan.hosts[index % plan.hosts.length];
  const client: WebSocketClient = new WebSocketClient(plan.port, host, plan.path, {
    onOpen: send,
    onMessage(message) {
      const now = performance.now();
      latencies.push(now - sent);
      if (!message.equals(payload)) wrong++;
      if (now < end) send();
      else done();
    },
    onEnd: fail,
  });
  const timer = setTimeout(() => fail("no answer"), end + LINGER - performance.now());
  return promise;
}

await Promise.all(Array.from({ length: plan.connections }, (_, index) => connection(index)));
const report: LoadReport = {
  done: latencies.length,
  bytes: latencies.length * payload.length,
  seconds: (performance.now() - start) / 1000,
  p50: percentile(latencies, 0.5),
  p99: percentile(latencies, 0.99),
  errors: [
    ...(failures.length > 0 ? [`connections lost: ${failures.length} (${failures[0]})`] : []),
    ...(wrong > 0 ? [`wrong answers: ${wrong}`] : []),
  ].join("; "),
};
await Deno.stdout.write(new TextEncoder().encode(JSON.stringify(report)));
