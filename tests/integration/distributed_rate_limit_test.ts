import assert from "node:assert/strict";
import { httpBackend } from "../support/backends.ts";
import { backend, documents, Edge, gateway, route } from "../support/edge.ts";
import { get } from "../support/http_client.ts";
import { freePort } from "../support/programs.ts";

Deno.test("bug: a DistributedRateLimit policy ended every traffic worker, again and again", async () => {
  await using served = httpBackend(() => new Response("ok"));
  const [port, redis] = [freePort(), freePort()];
  await using edge = await Edge.start({
    "edge.yaml": documents(
      gateway("edge", port),
      route("all", "b"),
      backend("b", served.port),
      `apiVersion: novaedge.io/v1alpha1
kind: ProxyPolicy
metadata: { name: limit }
spec:
  targetRef: { kind: ProxyGateway, name: edge }
  type: DistributedRateLimit
  distributedRateLimit:
    requestsPerSecond: 1
    burst: 2
    redisRef: { address: "127.0.0.1:${redis}" }
`,
    ),
  });
  const statuses = [];
  for (let i = 0; i < 4; i++) statuses.push((await get(port)).status);
  // Without an answer of the server each dataplane counts by itself.
  assert.deepEqual(statuses.slice(0, 2), [200, 200]);
  assert.equal(statuses[3], 429);
  assert.equal(await edge.metric("novaedge_worker_deaths_total"), 0);
  assert.equal(await edge.metric("novaedge_internal_errors_total"), 0);
});
