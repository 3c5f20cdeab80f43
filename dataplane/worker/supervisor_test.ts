import assert from "node:assert/strict";
import { createLogger } from "../../common/log.ts";
import { Supervisor } from "./supervisor.ts";

Deno.test("changes that come before the workers start wait for them", async () => {
  const supervisor = new Supervisor({
    workers: 0,
    log: createLogger("dataplane", "silent"),
    faultInjection: false,
    transport: "node",
    sockets: { userTimeout: 0, upstreamMark: 0, upstreamTos: 0 },
    rateLimitKeys: 1024,
    zone: "",
    upstreams: { blocked: [], allowed: [] },
    resources: () => [],
    onAccessLog: (_batch, _lines, done) => done(),
    onListeners: () => {},
    onSpans: null,
  });
  const order: string[] = [];
  const applied = supervisor.apply([], []).then((refusals) => {
    order.push("applied");
    return refusals;
  });
  // Whatever does not wait for the workers is done when a later task of the event loop runs.
  await new Promise((resolve) => setTimeout(resolve, 0));
  order.push("started");
  supervisor.start();
  assert.deepEqual(await applied, []);
  assert.deepEqual(order, ["started", "applied"]);
  await supervisor.stop(0);
});
