import assert from "node:assert/strict";
import { GET, Harness, OK } from "../../tests/support/exchange_harness.ts";
import { GLOBAL } from "../observe/counters.ts";
import { LbPolicy } from "../../proto/gen/novaedge/v1/config.ts";
import type { RetryPolicy } from "../router/retry_policy.ts";
import { endpointAt } from "../../tests/support/route_builders.ts";

const POLICY: RetryPolicy = {
  attempts: 2,
  retriesStatus: (status) => status === 503,
  connect: true,
  reset: true,
  refused: true,
  timeout: true,
  methods: new Set(["GET"]),
  statusForAnyMethod: false,
  tryTimeout: 0,
  backoffBase: 0,
  backoffMax: 0,
  budget: 1,
};
const BUSY = "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy";
const POST = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello";

/** A worker with two endpoints and a policy. */
function edge(changes: Partial<RetryPolicy> = {}, rule: { requestTimeout?: number } = {}): Harness {
  const out = new Harness();
  out.backend("b", { endpoints: [endpointAt("10.0.0.1"), endpointAt("10.0.0.2")] });
  out.route("/", { ...rule, retry: { ...POLICY, ...changes } });
  return out;
}

function hosts(test: Harness): string[] {
  return test.transport.opened.map(({ options }) => options.host);
}

Deno.test("an answer that the policy names is asked for again, at another endpoint", () => {
  const test = edge();
  const client = test.client();
  client.receive(GET);
  const first = test.upstream(0);
  assert.match(first.take(), /^GET /);
  first.receive(BUSY);
  assert.equal(client.take(), "");
  const second = test.upstream(1);
  const again = second.take();
  assert.match(again, /^GET \/ HTTP\/1\.1\r\nHost: h\r\n/);
  second.receive(OK);
  assert.match(client.take(), /^HTTP\/1\.1 200 OK\r\n/);
  assert.equal(new Set(hosts(test)).size, 2);
  assert.ok(!first.closed, "its answer was complete: the connection serves again");
  const [line] = test.log();
  assert.deepEqual([line.status, (line as unknown as { attempts: number }).attempts], [200, 2]);
  assert.equal(test.counters[GLOBAL.retries], 1);
});

Deno.test("an answer that is not complete is given up for another try", () => {
  const test = edge();
  const client = test.client();
  client.receive(GET);
  const first = test.upstream(0);
  first.receive("HTTP/1.1 503 Busy\r\nContent-Length: 9\r\n\r\nbu");
  assert.ok(first.closed);
  test.upstream(1).receive(OK);
  assert.match(client.take(), /^HTTP\/1\.1 200 OK\r\n/);
});

Deno.test("after its attempts the last answer is the client's", () => {
  const test = edge();
  const client = test.client();
  client.receive(GET);
  test.upstream(0).receive(BUSY);
  const second = test.upstream(1);
  second.receive(BUSY);
  // The first endpoint is next, on the connection that it kept.
  const first = test.transport.opened[0].connection;
  first.take();
  first.receive(BUSY);
  assert.match(client.take(), /^HTTP\/1\.1 503 Busy\r\n.*busy$/s);
  assert.equal(test.counters[GLOBAL.retries], 2);
  assert.equal(test.connects, 2);
});

Deno.test("a method that the policy does not name reaches a backend once, but any that was not sent may go again", () => {
  const answered = edge();
  const client = answered.client();
  client.receive(POST);
  answered.upstream(0).receive(BUSY);
  assert.match(client.take(), /^HTTP\/1\.1 503 /);
  assert.equal(answered.connects, 1);

  const unsent = edge();
  const other = unsent.client();
  other.receive(POST);
  unsent.transport.opened[0].connection.gone(new Error("refused"));
  const second = unsent.upstream(1);
  assert.match(second.take(), /^POST .*hello$/s);
  second.receive(OK);
  assert.match(other.take(), /^HTTP\/1\.1 200 /);
});

Deno.test("a body is sent again whole, also one that came in pieces", () => {
  const test = edge({ statusForAnyMethod: true });
  const client = test.client();
  client.receive("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n");
  const first = test.upstream(0);
  client.receive("2\r\nlo\r\n0\r\n\r\n");
  assert.match(first.take(), /hel.*lo.*0\r\n\r\n$/s);
  first.receive(BUSY);
  const second = test.upstream(1);
  const again = second.take();
  assert.match(again, /transfer-encoding: chunked/i);
  assert.match(again, /5\r\nhello\r\n0\r\n\r\n$/);
  second.receive(OK);
  assert.match(client.take(), /^HTTP\/1\.1 200 /);
});

Deno.test("attempts 0 forbids every second try, safe or not", () => {
  const test = edge({ attempts: 0 });
  const client = test.client();
  client.receive(GET);
  test.transport.opened[0].connection.gone(new Error("refused"));
  assert.match(client.take(), /^HTTP\/1\.1 502 /);
  assert.equal(test.connects, 1);
});

Deno.test("a try that takes too long makes room for another within the request's time", () => {
  const test = edge({ tryTimeout: 1_000 }, { requestTimeout: 2_500 });
  const client = test.client();
  client.receive(GET);
  const first = test.upstream(0);
  test.pass(1_000);
  assert.ok(first.closed);
  const second = test.upstream(1);
  test.pass(1_000);
  assert.ok(second.closed);
  assert.equal(test.connects, 3);
  test.upstream(2);
  test.pass(1_000);
  assert.match(client.take(), /^HTTP\/1\.1 504 .*request_timeout/s);
});

Deno.test("between tries there is a pause with jitter that grows, and the client may leave in it", () => {
  const test = edge({ backoffBase: 4_000, backoffMax: 6_000 });
  const client = test.client();
  client.receive(GET);
  test.upstream(0).receive(BUSY);
  test.pass(1_000);
  assert.equal(test.connects, 1);
  test.pass(1_000);
  test.upstream(1).receive(BUSY);
  test.pass(2_000);
  const first = test.transport.opened[0].connection;
  first.take();
  test.pass(1_000);
  assert.match(first.take(), /^GET /, "half of the longest pause");
  first.receive(OK);
  assert.match(client.take(), /^HTTP\/1\.1 200 /);

  client.receive(GET);
  const next = test.transport.opened.find(({ connection }) => connection.take() !== "")!;
  next.connection.receive(BUSY);
  client.gone();
  test.pass(10_000);
  assert.deepEqual(test.log().map(({ status, reason }) => [status, reason]), [[200, "ok"], [
    499,
    "client_gone",
  ]]);
});

Deno.test("retries end with the budget, and what is left out is counted", () => {
  const test = edge({ budget: 0, attempts: 1 });
  for (let i = 0; i < 20; i++) {
    const client = test.client();
    client.receive(GET);
    for (let tries = 0; tries < 2; tries++) {
      if (test.connects < 1 + tries) break;
      if (i === 0) test.upstream(tries);
      for (const { connection } of test.transport.opened) {
        if (connection.take() !== "") connection.receive(BUSY);
      }
    }
    assert.match(client.take(), /^HTTP\/1\.1 503 Busy\r\n/);
  }
  assert.equal(test.counters[GLOBAL.retries], 10);
  assert.equal(test.counters[GLOBAL.retryBudgetSpent], 10);
});

Deno.test("bug: an answer that has begun in time takes as long as it wants", () => {
  const test = edge({ tryTimeout: 2_000 });
  const client = test.client();
  client.receive(GET);
  const backend = test.upstream(0);
  backend.receive("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\none");
  test.pass(30_000);
  backend.receive("two");
  assert.match(client.take(), /^HTTP\/1\.1 200 OK\r\n.*onetwo$/s);
  assert.equal(test.log()[0].reason, "ok");
});

Deno.test("the time of a backend is for its whole answer", () => {
  const test = new Harness();
  test.backend("b");
  test.route("/", { backendTimeout: 2_000 });
  const client = test.client();
  client.receive(GET);
  test.upstream(0).receive("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\none");
  test.pass(3_000);
  assert.ok(client.wasReset || client.closed || client.ended);
  assert.equal(test.log()[0].reason, "backend_timeout");
});

Deno.test("bug: without a method that may be sent again, none is but what nobody has seen", () => {
  const test = edge({ methods: new Set() });
  for (const request of [POST, GET]) {
    const client = test.client();
    client.receive(request);
    const backend = test.transport.opened.at(-1)!;
    backend.options.onConnect();
    backend.connection.receive(BUSY);
    assert.match(client.take(), /^HTTP\/1\.1 503 Busy/);
  }
  assert.equal(test.counters[GLOBAL.retries], 0);
});

Deno.test("bug: names that are known not to resolve leave the next try's time alone", async () => {
  const test = new Harness();
  const hosts = ["one.example", "two.example", "10.0.0.3"];
  test.backend("b", { endpoints: hosts.map((host) => endpointAt(host)) });
  test.route("/", { retry: POLICY });
  const first = test.client();
  first.receive(GET);
  // Both names are asked for, one after the other.
  for (let i = 0; i < 2; i++) await new Promise((resolve) => setTimeout(resolve));
  const backend = test.upstream(0);
  backend.receive(OK);
  assert.match(first.take(), /^HTTP\/1\.1 200 /);
  backend.take();
  const second = test.client();
  second.receive(GET);
  assert.match(backend.take(), /^GET /, "sent in the same call, on the connection that is there");
  test.pass(20_000);
  assert.equal(second.take(), "");
  backend.receive(OK);
  assert.match(second.take(), /^HTTP\/1\.1 200 /);
});

Deno.test("bug: peak EWMA learns that an endpoint lets requests time out", () => {
  const test = new Harness();
  const lbPolicy = LbPolicy.LB_POLICY_EWMA;
  test.backend("b", { lbPolicy, endpoints: [endpointAt("10.0.0.1"), endpointAt("10.0.0.2")] });
  test.route("/", { backendTimeout: 1_000 });
  let silent = 0;
  for (let i = 0; i < 30; i++) {
    const client = test.client();
    client.receive(GET);
    for (const [j, { options, connection }] of test.transport.opened.entries()) {
      if (connection.closed) continue;
      const asked = connection.take() + (options.onConnect(), connection.take());
      if (!asked.includes("GET")) continue;
      if (options.host === "10.0.0.1") silent++;
      else test.transport.opened[j].connection.receive(OK);
    }
    test.pass(1_000);
    client.take();
  }
  assert.ok(silent > 0 && silent <= 5, `${silent} of 30 went to the one that never answers`);
});
