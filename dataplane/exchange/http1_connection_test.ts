import assert from "node:assert/strict";
import fc from "fast-check";
import type { FakeConnection } from "../../tests/support/fake_transport.ts";
import { complete, GET, Harness, harness, OK } from "../../tests/support/exchange_harness.ts";

const get = (path: string) => GET.replace("/", path);
const POST_HEAD = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n";
/** A body that no connection takes at once: above every copy and coalescing limit. */
const LARGE = "x".repeat(40_000);

/** Answers every request that reached `upstream` with its own path, one after another. */
function answerPath(upstream: FakeConnection): boolean {
  const path = /^GET (\S+) /.exec(upstream.take())?.[1];
  if (path === undefined) return false;
  upstream.receive(`HTTP/1.1 200 OK\r\nContent-Length: ${path.length}\r\n\r\n${path}`);
  return true;
}

Deno.test("a request travels to the backend and back", () => {
  const edge = harness();
  const client = edge.client();
  client.receive(GET);
  const upstream = edge.upstream(0);
  assert.match(
    upstream.take(),
    /^GET \/ HTTP\/1\.1\r\nHost: h\r\nx-forwarded-for: 192\.0\.2\.1\r\n/,
  );
  upstream.receive(OK);
  assert.equal(client.take(), OK);
  assert.deepEqual(edge.log().map(({ status, reason }) => [status, reason]), [[200, "ok"]]);
});

Deno.test("pipelined requests are answered in order, however their bytes are cut", () => {
  const stream = ["/a", "/b", "/c"].map(get).join("");
  fc.assert(fc.property(fc.array(fc.nat(stream.length - 1), { maxLength: 5 }), (cuts) => {
    const edge = harness();
    const client = edge.client();
    const places = [...new Set(cuts)].sort((a, b) => a - b);
    [0, ...places].forEach((from, i) => {
      const piece = stream.slice(from, places[i] ?? stream.length);
      if (piece !== "") client.receive(piece);
    });
    const upstream = edge.upstream(0);
    const bodies: string[] = [];
    while (answerPath(upstream)) bodies.push(client.take().slice(-2));
    assert.deepEqual(bodies, ["/a", "/b", "/c"]);
    assert.equal(edge.connects, 1);
  }));
});

Deno.test("a second request is not started while the first is in progress", () => {
  const edge = harness();
  const client = edge.client();
  client.receive(get("/a") + get("/b"));
  const upstream = edge.upstream(0);
  assert.equal(upstream.take().match(/GET/g)?.length, 1);
  assert.equal(edge.connects, 1);
});

Deno.test("reading pauses when a client piles up requests, and goes on after the answer", () => {
  const edge = harness();
  const client = edge.client();
  client.receive(get("/a"));
  client.receive(get(`/${"b".repeat(10_000)}`).repeat(8));
  assert.equal(client.paused, true);
  const upstream = edge.upstream(0);
  let answers = 0;
  while (answerPath(upstream)) answers++;
  assert.deepEqual([answers, client.paused], [9, false]);
});

Deno.test("bug: pipelined requests before the client's FIN are all answered", () => {
  const edge = harness();
  const client = edge.client();
  client.receive(get("/a") + get("/b"));
  client.events.onEnd();
  const upstream = edge.upstream(0);
  let answers = 0;
  while (answerPath(upstream)) answers++;
  assert.equal(answers, 2);
  assert.equal(client.ended, true);
});

Deno.test("a refused head is answered, ends the connection, and what follows is thrown away", () => {
  const edge = harness();
  const client = edge.client();
  client.receive(
    `POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n${GET}`,
  );
  const got = client.take();
  assert.match(got, /^HTTP\/1\.1 400 .*connection: close.*bad_framing\n$/s);
  client.receive(GET);
  assert.deepEqual([edge.connects, client.ended, client.take()], [0, true, ""]);
  edge.pass(3000);
  assert.equal(client.closed, true);
});

Deno.test("limits: head, target, and the status of each", () => {
  const cases: [string, RegExp][] = [
    [`GET / HTTP/1.1\r\nHost: h\r\nA: ${"a".repeat(70_000)}`, /^HTTP\/1\.1 431 /],
    [`GET / HTTP/1.1\r\nHost: h\r\nA: ${"a".repeat(70_000)}\r\n\r\n`, /^HTTP\/1\.1 431 /],
    [get(`/${"a".repeat(20_000)}`), /^HTTP\/1\.1 414 /],
    [`GET / HTTP/1.1\r\nHost: h\r\n${"A: 1\r\n".repeat(200)}\r\n`, /^HTTP\/1\.1 431 /],
    [get("/%00"), /^HTTP\/1\.1 400 .*bad_path/s],
    [get("/").replace("GET", "TRACE"), /^HTTP\/1\.1 405 /],
    ["CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n\r\n", /^HTTP\/1\.1 501 /],
  ];
  for (const [text, expected] of cases) {
    for (const size of [text.length, 1000]) {
      const edge = harness();
      const client = edge.client();
      for (let at = 0; at < text.length; at += size) client.receive(text.slice(at, at + size));
      assert.match(client.take(), expected);
      assert.equal(edge.connects, 0);
    }
  }
});

Deno.test("a body split anywhere, plain or chunked, reaches the backend whole", () => {
  const plain = `${POST_HEAD}0123456789`;
  const chunked = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" +
    "3\r\n012\r\n7;x\r\n3456789\r\n0\r\nX: 1\r\n\r\n";
  for (const text of [plain, chunked]) {
    for (let at = 1; at < text.length; at++) {
      const edge = harness();
      const client = edge.client();
      client.receive(text.slice(0, at));
      if (edge.connects === 1) edge.upstream(0);
      client.receive(text.slice(at));
      const upstream = edge.connects === 1 ? edge.transport.opened[0].connection : edge.upstream(0);
      const sent = upstream.take() || edge.upstream(0).take();
      const body = sent.slice(sent.indexOf("\r\n\r\n") + 4);
      const end = text === plain ? "" : "0\r\nX: 1\r\n\r\n";
      assert.ok(body.endsWith(end), `trailers are kept: cut at ${at}`);
      const coded = body.slice(0, body.length - end.length);
      const data = text === plain ? coded : coded.replace(/[0-9a-f]+\r\n(.*?)\r\n/gs, "$1");
      assert.equal(data, "0123456789", `cut at ${at}`);
      upstream.receive(OK);
      assert.equal(client.take(), OK);
      assert.equal(client.ended, false);
    }
  }
});

/** What the backend gets for a chunked body that comes in one piece. */
function sentBody(coded: string): string {
  const edge = harness();
  const client = edge.client();
  client.receive(`POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n${coded}`);
  const upstream = edge.upstream(0);
  const sent = upstream.take();
  upstream.receive(OK);
  assert.equal(client.take(), OK);
  return sent.slice(sent.indexOf("\r\n\r\n") + 4);
}

Deno.test("trailers of a request pass but for those of framing", () => {
  assert.equal(
    sentBody("5\r\nhello\r\n0\r\nContent-Length: 9\r\nX: 1\r\nHost: evil\r\n\r\n"),
    "5\r\nhello\r\n0\r\nX: 1\r\n\r\n",
  );
});

Deno.test("trailers behind an empty body wait for the connection as a body would", () => {
  assert.equal(sentBody("0\r\nX: 1\r\n\r\n"), "0\r\nX: 1\r\n\r\n");
});

Deno.test("a client that does not read pauses the backend, and draining resumes it", () => {
  const edge = harness();
  const client = edge.client();
  client.receive(GET);
  const upstream = edge.upstream(0);
  client.flowing = false;
  upstream.receive(`HTTP/1.1 200 OK\r\nContent-Length: 80000\r\n\r\n${LARGE}`);
  assert.equal(upstream.paused, true);
  client.drained();
  assert.equal(upstream.paused, false);
  upstream.receive(LARGE);
  assert.ok(complete(client.take()));
});

Deno.test("a backend that does not read pauses the client, and draining resumes it", () => {
  const edge = harness();
  const client = edge.client();
  client.receive(POST_HEAD);
  assert.equal(client.paused, true, "no connection yet: nowhere to put the body");
  const upstream = edge.upstream(0);
  assert.equal(client.paused, false);
  upstream.flowing = false;
  client.receive("01234");
  assert.equal(client.paused, true);
  upstream.drained();
  assert.equal(client.paused, false);
  client.receive("56789");
  assert.ok(upstream.take().endsWith("0123456789"));
});

Deno.test("bug: a full backend socket at the end of a request does not stop the client's next one", () => {
  const edge = harness();
  const client = edge.client();
  client.receive(POST_HEAD);
  const upstream = edge.upstream(0);
  upstream.flowing = false;
  client.receive("0123456789");
  upstream.drained();
  upstream.receive(OK);
  client.take();
  client.receive(get("/next"));
  assert.equal(client.paused, false);
  assert.match(upstream.take(), /GET \/next /);
});

Deno.test("bug: a pooled connection is never left paused by a slow client", () => {
  const edge = harness();
  const client = edge.client();
  client.receive(GET);
  const upstream = edge.upstream(0);
  client.flowing = false;
  // The chunk fills the client's socket; the end of the answer stands in the same bytes.
  upstream.receive(
    `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9c40\r\n${LARGE}\r\n0\r\n\r\n`,
  );
  client.drained();
  const pooled = edge.backends.get("b")!.endpoints[0].pool.idleConnections === 1;
  assert.ok(!pooled || !upstream.paused, "the next answer would never be read");
});

Deno.test("bug: a client that drained in time is not dropped for what the backend then does not send", () => {
  const edge = harness();
  const client = edge.client();
  client.receive(GET);
  const upstream = edge.upstream(0);
  client.flowing = false;
  upstream.receive(`HTTP/1.1 200 OK\r\nContent-Length: 80000\r\n\r\n${LARGE}`);
  edge.pass(30_000);
  client.drained();
  edge.pass(40_000);
  assert.equal(client.wasReset, false, "40 s of silence are within the backend's 60 s");
  upstream.receive(LARGE);
  assert.ok(complete(client.take()));
});

Deno.test("a client that takes nothing for a minute is cut off, and its backend let go", () => {
  const edge = harness();
  const client = edge.client();
  client.receive(GET);
  const upstream = edge.upstream(0);
  client.flowing = false;
  upstream.receive(`HTTP/1.1 200 OK\r\nContent-Length: 80000\r\n\r\n${LARGE}`);
  edge.pass(61_000);
  assert.deepEqual([client.wasReset, upstream.closed], [true, true]);
});

Deno.test("bug: a client cut off for not reading has no further request sent to a backend", () => {
  const edge = harness();
  const client = edge.client();
  client.receive(GET + POST_HEAD + "0123456789");
  const upstream = edge.upstream(0);
  client.flowing = false;
  upstream.receive(`HTTP/1.1 200 OK\r\nContent-Length: 80000\r\n\r\n${LARGE}`);
  edge.pass(61_000);
  assert.equal(client.wasReset, true);
  assert.equal(edge.connects, 1, "a POST whose answer nobody can get");
});

Deno.test("timeouts of the client's side: idle and head", () => {
  const idle = harness().client();
  const edge = harness();
  const [quiet, slow] = [edge.client(), edge.client()];
  slow.receive("GET / HTTP/1.1\r\n");
  edge.pass(5000);
  slow.receive("A: 1\r\n");
  edge.pass(6000);
  assert.match(slow.take(), /^HTTP\/1\.1 408 .*head_timeout/s, "bytes in between gain no time");
  assert.deepEqual([quiet.ended, quiet.take()], [true, ""]);
  assert.equal(idle.ended, false);
});

Deno.test("bug: a client that stops sending its body gets 408, not a 504 blamed on the backend", () => {
  const edge = harness();
  const client = edge.client();
  client.receive(POST_HEAD);
  const upstream = edge.upstream(0);
  edge.pass(61_000);
  assert.match(client.take(), /^HTTP\/1\.1 408 .*body_timeout/s);
  assert.deepEqual([client.ended, upstream.closed], [true, true]);
});

Deno.test("bug: a head begun in the bytes of an answered request has the head's time, not the idle one", () => {
  const edge = new Harness();
  const client = edge.client();
  client.receive(`${GET}GET / HT`);
  assert.match(client.take(), /^HTTP\/1\.1 404 /);
  edge.pass(11_000);
  assert.match(client.take(), /^HTTP\/1\.1 408 /);
});

Deno.test("bug: the log names the method of the request that timed out, not of another connection", () => {
  const edge = new Harness();
  const slow = edge.client();
  slow.receive("GET / HTTP/1.1\r\n");
  edge.client().receive(GET.replace("GET", "DELETE"));
  edge.pass(11_000);
  const line = edge.log().find(({ reason }) => reason === "head_timeout")!;
  assert.notEqual(line.method, "DELETE");
});

Deno.test("bug: an answer cut by a slow upload is not complete for an HTTP/1.0 client", () => {
  const edge = harness();
  const client = edge.client();
  client.receive("POST / HTTP/1.0\r\nHost: h\r\nContent-Length: 10\r\n\r\n01234");
  const upstream = edge.upstream(0);
  upstream.receive("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nstart\r\n");
  edge.pass(30_000);
  upstream.receive("4\r\nmore\r\n");
  edge.pass(31_000);
  assert.equal(upstream.closed, true);
  // Without length or chunks an orderly end is the end of the message: only a reset tells.
  assert.equal(client.wasReset, true);
});

Deno.test("an answer without end for HTTP/1.0 is cut by a reset when the backend dies", () => {
  const edge = harness();
  const client = edge.client();
  client.receive("GET / HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n\r\n");
  const upstream = edge.upstream(0);
  upstream.receive("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nstart\r\n");
  assert.match(client.take(), /connection: close\r\n\r\nstart$/);
  upstream.events.onEnd();
  assert.equal(client.wasReset, true);
});

Deno.test("bug: our own answer tells an HTTP/1.0 client that the connection stays", () => {
  const edge = new Harness();
  const client = edge.client();
  client.receive("GET / HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n\r\n");
  const got = client.take();
  assert.ok(client.ended || /connection: keep-alive/.test(got), got);
});

Deno.test("malformed chunks never reach the backend as a complete request", () => {
  for (const tail of ["5\r\nhelloX", "zz\r\n", "5\nhello\r\n0\r\n\r\n", "0\r\n\n"]) {
    const edge = harness();
    const client = edge.client();
    client.receive("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    const upstream = edge.upstream(0);
    client.receive(tail + GET);
    assert.equal(upstream.closed, true, tail);
    const sent = upstream.take();
    assert.ok(!sent.slice(sent.indexOf("\r\n\r\n") + 4).includes("0\r\n\r\n"), sent);
    assert.match(client.take(), /^HTTP\/1\.1 400 .*bad_chunk/s);
    assert.equal(client.ended, true);
    assert.equal(edge.connects, 1);
  }
});

Deno.test("a client that ends within its body never makes a complete request", () => {
  const edge = harness();
  const client = edge.client();
  client.receive(`${POST_HEAD}01234`);
  const upstream = edge.upstream(0);
  client.events.onEnd();
  assert.deepEqual([upstream.closed, client.ended], [true, true]);
  assert.equal(edge.log()[0].reason, "client_gone");
});

Deno.test("draining: idle connections end, busy ones after their answer, with the header", () => {
  const edge = harness();
  const [idle, busy] = [edge.client(), edge.client()];
  busy.receive(GET);
  const upstream = edge.upstream(0);
  edge.engine.draining = true;
  idle.server.drain();
  busy.server.drain();
  assert.deepEqual([idle.ended, busy.ended], [true, false]);
  upstream.receive(OK);
  assert.match(busy.take(), /connection: close\r\n/);
  assert.equal(busy.ended, true);
});

Deno.test("TLS: a Host of another listener is 421, of none 404", () => {
  const edge = harness();
  const tls = {
    serverName: "x",
    alpn: "",
    protocol: "TLSv1.3",
    listener: "ns/gw/other",
    resumed: false,
    peerChain: [],
  };
  const client = edge.client(tls);
  client.receive(GET);
  assert.match(client.take(), /^HTTP\/1\.1 421 /);
});

Deno.test("every connection leaves the ticker and is reported closed exactly once", () => {
  const edge = harness();
  const clients = Array.from({ length: 5 }, () => edge.client());
  clients.forEach((client, i) => {
    if (i > 0) client.receive(GET.slice(0, i * 8));
    client.gone();
  });
  assert.equal(edge.closed, 5);
  assert.ok(clients.every(({ server }) => server.tickerSlot === -1));
});
