import assert from "node:assert/strict";
import { Policy } from "../../proto/gen/novaedge/v1/config.ts";
import {
  GET,
  Harness,
  harness,
  OK,
  type RouteOptions,
} from "../../tests/support/exchange_harness.ts";
import { frameBackend, frameClient, http2Edge } from "../../tests/support/http2_frames.ts";
import { LIMIT } from "../config/defaults.ts";
import { PLAIN_LISTENER } from "../router/port_table.ts";

const FAULT = { delay: 0, delayPercent: 0, abortStatus: 418, abortPercent: 0, header: "" };

Deno.test("a share of requests is refused on purpose, or only those with a header", () => {
  for (
    const [percent, random, header, refused] of [
      [100, 0.99, "", true],
      [50, 0.49, "", true],
      [50, 0.5, "", false],
      [0, 0, "", false],
      [100, 0, "x-fault", false],
      [100, 0, "host", true],
    ] as const
  ) {
    const test = new Harness(PLAIN_LISTENER, () => random);
    test.backend("b");
    test.route("/", { fault: { ...FAULT, abortPercent: percent, header } });
    const client = test.client();
    client.receive(GET);
    if (refused) {
      assert.match(client.take(), /^HTTP\/1.1 418 .*418 fault_injected/s);
      assert.equal(test.log()[0].reason, "fault_injected");
    } else assert.equal(test.connects, 1);
  }
});

Deno.test("a delayed request waits, with its body, and goes on", async () => {
  const test = harness({ fault: { ...FAULT, delay: 2_000, delayPercent: 100 } });
  const client = test.client();
  client.receive("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhe");
  client.receive("llo");
  test.pass(1_000);
  await Promise.resolve();
  assert.equal(test.connects, 0);
  test.pass(1_000);
  // What waits goes on by promises.
  for (let i = 0; i < 5; i++) await Promise.resolve();
  const upstream = test.upstream(0);
  upstream.receive(OK);
  assert.match(upstream.take(), /hello$/);
  assert.match(client.take(), /^HTTP\/1.1 200/);
});

Deno.test("a rule's idle time takes the place of the standard, longer or shorter", () => {
  for (const [idleTimeout, alive, over] of [[5_000, 4_000, 6_000], [200_000, 190_000, 210_000]]) {
    const test = harness({ idleTimeout });
    const client = test.client();
    client.receive(GET);
    const upstream = test.upstream(0);
    test.pass(alive);
    upstream.receive("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab");
    assert.match(client.take(), /ab$/);
    test.pass(alive);
    upstream.receive("c");
    assert.equal(client.take(), "c");
    test.pass(over);
    assert.equal(test.log()[0].reason, "upstream_stalled");
  }
});

Deno.test("bug: a time that was given, or switched off, ended at the standard of 60 s", () => {
  const timed: [RouteOptions, number, number][] = [
    [{}, 60_000, 504],
    [{ requestTimeout: 600_000 }, 590_000, 200],
    [{ requestTimeout: 0 }, 3_000_000, 200],
    [{ backendTimeout: 600_000 }, 590_000, 200],
    // Bytes of a response have a time of their own.
    [{ requestTimeout: 600_000, idleTimeout: 5_000 }, 6_000, 504],
  ];
  for (const [options, time, status] of timed) {
    const test = harness(options);
    const client = test.client();
    client.receive(GET);
    test.upstream(0);
    test.pass(time);
    if (status === 200) test.upstream(0).receive(OK);
    assert.equal(test.log()[0].status, status, JSON.stringify(options));
  }
});

Deno.test("a policy says how long backends may be silent, unless the rule does", () => {
  for (const [options, over] of [[{}, 90_000], [{ idleTimeout: 5_000 }, 5_000]] as const) {
    const test = new Harness();
    test.backend("b");
    const value = { maxBodyBytes: 0, methods: [], idleTimeoutMs: 90_000 };
    const policy = Policy.fromPartial({ rule: { $case: "requestLimits", value } });
    test.policies.prepare("quiet", policy)();
    test.route("/", { policies: [["quiet"]], ...options });
    test.client().receive(GET);
    test.upstream(0);
    test.pass(over - 1_000);
    assert.deepEqual(test.log(), []);
    test.pass(2_000);
    assert.equal(test.log()[0].reason, "response_timeout");
  }
});

Deno.test("bug: grpc-timeout of a client lifted the limit for a response to begin", () => {
  const edge = http2Edge();
  const client = frameClient(edge);
  const fields: [string, string][] = [["content-type", "application/grpc"], [
    "grpc-timeout",
    "9999999H",
  ]];
  client.post(1, "/s/M", ...fields);
  client.data(1, "", true);
  frameBackend(edge, 0);
  edge.pass(LIMIT.askedTime + 1_000);
  assert.equal(edge.log()[0].reason, "response_timeout");
});
