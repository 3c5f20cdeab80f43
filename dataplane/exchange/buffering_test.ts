import assert from "node:assert/strict";
import { harness, OK } from "../../tests/support/exchange_harness.ts";

const POST = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n";
const CHUNKED = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";

Deno.test("a backend hears of a buffered request when all of it has come", () => {
  const test = harness({ requestBuffer: 100 });
  const client = test.client();
  client.receive(`${POST}abc`);
  client.receive("defg");
  assert.equal(test.connects, 0);
  client.receive("hij");
  const upstream = test.upstream(0);
  assert.match(upstream.take(), /\r\n\r\nabcdefghij$/);
  upstream.receive(OK);
  assert.match(client.take(), /^HTTP\/1.1 200/);
  assert.equal(test.overload.buffered, 0);
});

Deno.test("chunks too, and trailers behind them", () => {
  const test = harness({ requestBuffer: 100 });
  const client = test.client();
  client.receive(`${CHUNKED}3\r\nabc\r\n`);
  client.receive("2\r\nde\r\n0\r\nx-t: 1\r\n\r\n");
  const sent = test.upstream(0).take();
  assert.match(sent, /abc/);
  assert.match(sent, /x-t: 1/);
});

Deno.test("a request that is larger than its buffer is refused before a backend hears of it", () => {
  const test = harness({ requestBuffer: 4 });
  const client = test.client();
  client.receive(`${CHUNKED}3\r\nabc\r\n`);
  client.receive("3\r\ndef\r\n");
  assert.match(client.take(), /^HTTP\/1.1 413 .*body_too_large/s);
  assert.equal(test.connects, 0);
  assert.equal(test.overload.buffered, 0);
});

Deno.test("a client that leaves while its request is collected leaves nothing behind", () => {
  const test = harness({ requestBuffer: 100 });
  const client = test.client();
  client.receive(`${POST}abc`);
  client.gone(new Error("reset"));
  assert.equal(test.connects, 0);
  assert.equal(test.overload.buffered, 0);
  assert.equal(test.log()[0].reason, "client_gone");
});

Deno.test("a request without a body does not wait", () => {
  const test = harness({ requestBuffer: 100 });
  test.client().receive("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  assert.equal(test.connects, 1);
});

Deno.test("an answer is taken ahead of a slow client, up to its buffer", () => {
  for (const [answerBuffer, pausedAt] of [[0, 1], [3_000, 3]] as const) {
    const test = harness({ answerBuffer });
    const client = test.client();
    client.receive("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    const upstream = test.upstream(0);
    client.flowing = false;
    let pieces = 0;
    upstream.receive("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
    while (!upstream.paused && pieces < 50) {
      upstream.receive("x".repeat(1_000));
      pieces++;
    }
    assert.ok(Math.abs(pieces - pausedAt) <= 1, `${pieces} pieces with ${answerBuffer}`);
    client.drained();
    assert.equal(upstream.paused, false);
  }
});
