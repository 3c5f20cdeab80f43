import assert from "node:assert/strict";
import type { Backend } from "../../proto/gen/novaedge/v1/config.ts";
import { Breaker, HealthCheck, OutlierDetection } from "../../proto/gen/novaedge/v1/config.ts";
import { GET, Harness, OK } from "../../tests/support/exchange_harness.ts";
import { endpointAt } from "../../tests/support/route_builders.ts";
import { BreakerState } from "../upstream/breaker.ts";
import { Health, WORD } from "../upstream/endpoint_table.ts";

const ERROR = "HTTP/1.1 500 Broken\r\nContent-Length: 0\r\n\r\n";

function edge(changes: Partial<Backend>, endpoints = 2): Harness {
  const out = new Harness();
  out.backend("b", {
    ...changes,
    endpoints: Array.from({ length: endpoints }, (_, i) => endpointAt(`10.0.0.${i + 1}`)),
  });
  out.route("/");
  return out;
}

/** Sends a request and gives the answer of whoever gets it; the status, and who it was. */
function ask(test: Harness, answer: string): [number, string] {
  const client = test.client();
  const before = test.connects;
  client.receive(GET);
  let host = "";
  if (test.connects > before) {
    host = test.transport.opened[before].options.host;
    const upstream = test.upstream(before);
    // Each connection serves one request, so that the next is told by its connection.
    upstream.receive(answer.replace("\r\n", "\r\nConnection: close\r\n"));
  }
  return [Number(/^HTTP\/1.1 (\d+)/.exec(client.take())![1]), host];
}

Deno.test("a change of health counts from the next selection on", () => {
  const test = edge({ healthCheck: HealthCheck.create() });
  const set = (slot: number, health: Health) => {
    test.endpoints.set(slot, WORD.health, health);
    test.endpoints.changed();
  };
  set(1, Health.Good);
  set(2, Health.Good);
  assert.notEqual(ask(test, OK)[1], ask(test, OK)[1]);
  set(1, Health.Bad);
  for (let i = 0; i < 4; i++) assert.deepEqual(ask(test, OK), [200, "10.0.0.2"]);
  set(2, Health.Bad);
  assert.deepEqual(ask(test, OK), [503, ""]);
  assert.equal(test.log().at(-1)!.reason, "unhealthy");
  set(1, Health.Good);
  assert.deepEqual(ask(test, OK), [200, "10.0.0.1"]);
});

Deno.test("an endpoint that answers errors is left out until its time is over", () => {
  const test = edge({
    outlierDetection: OutlierDetection.create({
      consecutive5xx: 2,
      baseEjectionMs: 10_000,
      maxPercent: 50,
    }),
  });
  const bad = "10.0.0.1";
  const seen: string[] = [];
  for (let i = 0; i < 8; i++) {
    const before = test.connects;
    const client = test.client();
    client.receive(GET);
    const { host } = test.transport.opened[before].options;
    seen.push(host);
    const answer = host === bad ? ERROR : OK;
    test.upstream(before).receive(answer.replace("\r\n", "\r\nConnection: close\r\n"));
  }
  assert.deepEqual(seen.filter((host) => host === bad).length, 2);
  test.pass(10_000);
  assert.ok([ask(test, OK)[1], ask(test, OK)[1]].includes(bad));
});

Deno.test("breaker: open, one trial, closed; refused with a reason meanwhile", () => {
  const breaker = Breaker.create({ consecutive: 2, intervalMs: 1_000, openMs: 5_000 });
  const test = edge({ breaker }, 1);
  assert.equal(ask(test, ERROR)[0], 500);
  assert.equal(ask(test, ERROR)[0], 500);
  assert.equal(test.endpoints.get(1, WORD.breaker), BreakerState.Open);
  assert.deepEqual(ask(test, OK), [503, ""]);
  assert.equal(test.log().at(-1)!.reason, "breaker_open");
  test.pass(5_000);
  assert.deepEqual(ask(test, ERROR), [500, "10.0.0.1"]);
  assert.deepEqual(ask(test, OK), [503, ""]);
  test.pass(10_000);
  assert.deepEqual(ask(test, OK), [200, "10.0.0.1"]);
  assert.equal(test.endpoints.get(1, WORD.breaker), BreakerState.Closed);
});

Deno.test("breaker of the whole backend: by the share of failures of all endpoints", () => {
  const breaker = Breaker.create({
    ratePercent: 50,
    minimumRequests: 4,
    intervalMs: 1_000,
    openMs: 5_000,
  });
  const test = edge({ breaker }, 4);
  for (const answer of [ERROR, OK, ERROR, OK]) ask(test, answer);
  // Each endpoint has had one request, so no breaker of theirs can be open.
  assert.equal(test.endpoints.get(0, WORD.breaker), BreakerState.Closed);
  ask(test, ERROR);
  assert.equal(test.endpoints.get(0, WORD.breaker), BreakerState.Open);
  assert.deepEqual(ask(test, OK), [503, ""]);
  assert.equal(test.log().at(-1)!.reason, "breaker_open");
});

Deno.test("requests beyond the limit are refused at once, and places come free", () => {
  const test = edge({ maxRequests: 2 });
  const clients = [test.client(), test.client(), test.client()];
  for (const client of clients) client.receive(GET);
  assert.match(clients[2].take(), /^HTTP\/1.1 503 .*requests_overflow/s);
  test.upstream(0).receive(OK);
  clients[2].receive(GET);
  assert.equal(clients[2].take(), "");
  // A client that goes gives its place back too.
  clients[1].gone();
  const next = test.client();
  next.receive(GET);
  assert.equal(next.take(), "");
});

Deno.test("what is known of endpoints stays through changes of their backend", () => {
  const detection = OutlierDetection.create({
    consecutive5xx: 1,
    baseEjectionMs: 60_000,
    maxPercent: 50,
  });
  const test = edge({ outlierDetection: detection });
  const [, bad] = ask(test, ERROR);
  const backend = test.backends.get("b")!;
  for (let i = 0; i < 100; i++) {
    backend.update({
      ...{ connectTimeoutMs: i + 1, idleTimeoutMs: 0, maxConnectionsPerEndpoint: 0 },
      ...{ maxIdlePerEndpoint: 0, maxPendingRequests: 0, lbPolicy: 0, closedReason: "" },
      outlierDetection: detection,
      policies: [],
      servicePolicies: [],
      endpoints: [endpointAt("10.0.0.1"), endpointAt("10.0.0.2")],
    } as unknown as Backend, [0, 1, 2]);
    assert.notEqual(ask(test, OK)[1], bad);
  }
});

Deno.test("bug: a request that was counted is given back although the limit has gone meanwhile", () => {
  const test = edge({ maxRequests: 1 }, 1);
  const client = test.client();
  client.receive(GET);
  const backend = test.backends.get("b")!;
  const change = (maxRequests: number) =>
    backend.update({
      ...{ connectTimeoutMs: 0, idleTimeoutMs: 0, maxConnectionsPerEndpoint: 0, lbPolicy: 0 },
      ...{
        maxIdlePerEndpoint: 0,
        maxPendingRequests: 0,
        closedReason: "",
        policies: [],
        servicePolicies: [],
      },
      maxRequests,
      endpoints: [endpointAt("10.0.0.1")],
    } as unknown as Backend, [0, 1]);
  change(0);
  test.upstream(0).receive(OK);
  assert.match(client.take(), /^HTTP\/1.1 200/);
  change(1);
  const next = test.client();
  next.receive(GET);
  assert.equal(next.take(), "");
});
