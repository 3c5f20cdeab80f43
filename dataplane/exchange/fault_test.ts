import assert from "node:assert/strict";
import { GET, Harness, harness, OK } from "../../tests/support/exchange_harness.ts";
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
