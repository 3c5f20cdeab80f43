import assert from "node:assert/strict";
import fc from "fast-check";
import { LIMIT } from "../config/defaults.ts";
import { ErrorCode, Setting } from "../http2/frame.ts";
import { PLAIN_LISTENER } from "../router/port_table.ts";
import {
  assertClean,
  frameBackend,
  frameClient,
  http2Edge,
} from "../../tests/support/http2_frames.ts";
import { complete, GET, Harness, harness, OK } from "../../tests/support/exchange_harness.ts";

const POST = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello";
const ANSWERS = [
  "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789",
  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n",
];

const WEBSOCKET = "GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
const SWITCH = "HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

/** Brings one connection of the pool into use and back, so that the next request reuses it. */
function warm(edge: Harness) {
  const client = edge.client();
  client.receive(GET);
  const upstream = edge.upstream(0);
  upstream.take();
  upstream.receive(OK);
  client.take();
  return { client, upstream };
}

Deno.test("a backend that dies anywhere in its answer never yields a complete message", () => {
  for (const answer of ANSWERS) {
    for (let cut = 0; cut < answer.length; cut++) {
      for (const orderly of [true, false]) {
        const edge = harness();
        const client = edge.client();
        client.receive(GET);
        const upstream = edge.upstream(0);
        if (cut > 0) upstream.receive(answer.slice(0, cut));
        if (orderly) upstream.events.onEnd();
        else upstream.gone(new Error("reset"));
        const got = client.take();
        if (got.startsWith("HTTP/1.1 502")) assert.ok(complete(got));
        else {
          assert.equal(complete(got), false, `${JSON.stringify(answer)} cut at ${cut}: ${got}`);
          assert.ok(client.ended || client.wasReset);
        }
        assert.deepEqual(edge.log().map(({ reason }) => reason), ["upstream_reset"]);
      }
    }
  }
});

Deno.test("an answer in pieces reaches the client whole, whatever the pieces", () => {
  fc.assert(fc.property(fc.constantFrom(...ANSWERS), fc.array(fc.nat()), (answer, cuts) => {
    const edge = harness();
    const client = edge.client();
    client.receive(GET);
    const upstream = edge.upstream(0);
    const places = [...new Set(cuts.map((cut) => cut % answer.length))].sort((a, b) => a - b);
    [0, ...places].forEach((from, i) => {
      const piece = answer.slice(from, places[i] ?? answer.length);
      if (piece !== "") upstream.receive(piece);
    });
    const got = client.take();
    assert.ok(complete(got), got);
    const body = got.slice(got.indexOf("\r\n\r\n") + 4);
    const plain = body.replace(/[0-9a-f]+\r\n(.*?)\r\n/gs, "$1").replace(/\r\n$/, "");
    assert.equal(/chunked/.test(got) ? plain : body, "0123456789");
    assert.equal(edge.backends.get("b")!.endpoints[0].pool.idleConnections, 1);
  }));
});

Deno.test("GET on a reused connection that closed is sent once more on a fresh one", () => {
  const edge = harness();
  const { client, upstream } = warm(edge);
  client.receive(GET);
  assert.match(upstream.take(), /^GET/);
  upstream.events.onEnd();
  assert.equal(edge.connects, 2);
  const second = edge.upstream(1);
  assert.match(second.take(), /^GET/);
  assert.equal(edge.resent, 1);
  second.gone();
  assert.match(client.take(), /^HTTP\/1\.1 502/);
  assert.equal(edge.connects, 2, "twice would be a retry that nobody asked for");
});

Deno.test("POST is never sent again, neither are bodies on GET nor unknown methods", () => {
  const requests = [
    POST,
    POST.replace("POST", "GET"),
    GET.replace("GET", "PURGE"),
    GET.replace("GET", "DELETE"),
  ];
  for (const request of requests) {
    const edge = harness();
    const { client, upstream } = warm(edge);
    client.receive(request);
    assert.notEqual(upstream.take(), "");
    upstream.gone();
    assert.match(client.take(), /^HTTP\/1\.1 502/, request);
    assert.deepEqual([edge.connects, edge.resent], [1, 0]);
  }
});

Deno.test("GET is not sent again on a fresh connection, nor after one byte of an answer", () => {
  const fresh = harness();
  const first = fresh.client();
  first.receive(GET);
  fresh.upstream(0).gone();
  assert.match(first.take(), /^HTTP\/1\.1 502/);
  assert.equal(fresh.connects, 1);
  const edge = harness();
  const { client, upstream } = warm(edge);
  client.receive(GET);
  upstream.receive("H");
  upstream.gone();
  assert.match(client.take(), /^HTTP\/1\.1 502/);
  assert.equal(edge.connects, 1);
});

Deno.test("any method goes to another endpoint when the first takes no connection", () => {
  const endpoints = [1, 2].map((n) => ({ address: `10.0.0.${n}`, port: 80, weight: 1 }));
  const edge = harness({}, { endpoints } as never);
  const client = edge.client();
  client.receive(POST);
  const [first] = edge.transport.opened;
  first.connection.gone(new Error("refused"));
  const second = edge.transport.opened[1];
  assert.notEqual(second.options.host, first.options.host);
  const upstream = edge.upstream(1);
  assert.ok(upstream.take().endsWith("\r\n\r\nhello"));
  upstream.receive(OK);
  assert.equal(client.take(), OK);
});

Deno.test("bug: a GET failed when its stale connection closed and the endpoint was gone as well", () => {
  const endpoints = [1, 2].map((n) => ({ address: `10.0.0.${n}`, port: 80, weight: 1 }));
  const edge = harness({}, { endpoints } as never);
  const client = edge.client();
  for (const i of [0, 1]) {
    client.receive(GET);
    edge.upstream(i).receive(OK);
    edge.upstream(i).take();
  }
  client.take();
  client.receive(GET);
  const stale = [0, 1].find((i) => edge.upstream(i).take() !== "")!;
  edge.transport.opened[stale].connection.gone();
  const fresh = edge.transport.opened[2];
  fresh.connection.gone(new Error("refused"));
  const other = edge.transport.opened[3];
  assert.notEqual(other.options.host, fresh.options.host);
  edge.upstream(3).receive(OK);
  assert.equal(client.take(), OK);
});

Deno.test("surplus bytes destroy the connection, so the next user never gets them", () => {
  const tails = ["X", OK, "\r\n"];
  const answers = [
    OK,
    ANSWERS[1],
    "HTTP/1.1 204 No\r\n\r\n",
    "HTTP/1.1 304 No\r\nContent-Length: 1\r\n\r\n",
  ];
  for (const answer of answers) {
    for (const tail of tails) {
      const edge = harness();
      const client = edge.client();
      client.receive(GET);
      const upstream = edge.upstream(0);
      upstream.receive(answer + tail);
      assert.equal(upstream.closed, true, JSON.stringify(answer + tail));
      assert.ok(!client.take().endsWith(`${answer}${tail}`));
      client.receive(GET);
      assert.equal(edge.connects, 2);
    }
  }
});

Deno.test("bytes on an idle connection destroy it", () => {
  const edge = harness();
  const { upstream } = warm(edge);
  upstream.receive(OK);
  assert.equal(upstream.closed, true);
  assert.equal(edge.backends.get("b")!.endpoints[0].pool.idleConnections, 0);
});

Deno.test("an answer before the end of the request ends both connections", () => {
  const edge = harness();
  const client = edge.client();
  client.receive("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nstart");
  const upstream = edge.upstream(0);
  upstream.receive("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno");
  const got = client.take();
  assert.match(got, /^HTTP\/1\.1 413/);
  assert.match(got, /connection: close\r\n/);
  assert.equal(client.ended, true);
  assert.equal(upstream.closed, true, "an unfinished request body must not meet the next answer");
  client.receive("GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n");
  assert.equal(edge.connects, 1);
});

Deno.test("interim answers pass, and 101 that nobody asked for is an error", () => {
  const edge = harness();
  const client = edge.client();
  client.receive(GET);
  const upstream = edge.upstream(0);
  upstream.receive("HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n");
  assert.equal(client.take(), "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n");
  upstream.receive(OK);
  assert.equal(client.take(), OK);
  client.receive(GET);
  assert.ok(!/upgrade/i.test(upstream.take()));
  upstream.receive(`${SWITCH}frames`);
  assert.match(client.take(), /^HTTP\/1\.1 502/);
  assert.equal(upstream.closed, true);
});

Deno.test("a query passes byte for byte, an empty one too, also behind a path that was changed", () => {
  const targets = [["/a?b=%20c?d", "/a?b=%20c?d"], ["/%61?%61", "/a?%61"], ["/%61?", "/a?"]];
  for (const [target, sent] of [...targets, ["/%61", "/a"], ["/a?/../b", "/a?/../b"]]) {
    const edge = harness();
    edge.client().receive(GET.replace("/", target));
    assert.ok(edge.upstream(0).take().startsWith(`GET ${sent} HTTP/1.1\r\n`), target);
  }
});

Deno.test("only an upgrade that may pass is asked for", () => {
  const asking = [
    // A token that the route does not name; a body behind the request; no Connection: upgrade.
    WEBSOCKET.replace("websocket", "h2c"),
    WEBSOCKET.replace("Host", "Content-Length: 1\r\nHost") + "x",
    WEBSOCKET.replace("Connection: upgrade\r\n", ""),
  ];
  for (const text of asking) {
    const edge = harness();
    const client = edge.client();
    client.receive(text);
    const upstream = edge.upstream(0);
    assert.ok(!/upgrade/i.test(upstream.take()), text);
    upstream.receive(SWITCH);
    assert.match(client.take(), /^HTTP\/1\.1 502/, text);
  }
});

Deno.test("an upgrade passes, and then bytes both ways until both sides have ended", () => {
  const edge = harness();
  const client = edge.client();
  client.receive(`${WEBSOCKET}early`);
  const upstream = edge.upstream(0);
  assert.match(upstream.take(), /\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n$/);
  upstream.receive(`${SWITCH}frames`);
  assert.match(client.take(), /^HTTP\/1\.1 101 .*connection: upgrade\r\n\r\nframes$/s);
  assert.equal(upstream.take(), "early", "what came before the 101 waited for it");
  // What looks like HTTP is none any more.
  client.receive(GET);
  upstream.receive(OK);
  assert.deepEqual([upstream.take(), client.take()], [GET, OK]);
  upstream.events.onEnd();
  assert.deepEqual([client.ended, edge.log().length], [true, 0]);
  client.events.onEnd();
  assert.deepEqual(edge.log().map(({ status, reason }) => [status, reason]), [[101, "ok"]]);
  assert.equal(edge.backends.get("b")!.endpoints[0].pool.connections, 0);
});

Deno.test("an upgrade that the backend does not take is an ordinary answer", () => {
  const edge = harness();
  const client = edge.client();
  client.receive(WEBSOCKET);
  edge.upstream(0).receive(OK);
  assert.equal(client.take(), OK);
  client.receive(GET);
  assert.equal(edge.connects, 1);
});

Deno.test("trailers of an answer pass but for those of framing, and the connection stays", () => {
  const edge = harness();
  const client = edge.client();
  client.receive(GET);
  const upstream = edge.upstream(0);
  const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n";
  upstream.receive(`${chunked}Content-Length: 9\r\nX-Sum: 1\r\nSet-Cookie: a=b\r\n\r\n`);
  assert.ok(client.take().endsWith("\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n"));
  assert.equal(edge.backends.get("b")!.endpoints[0].pool.idleConnections, 1);
  // HTTP/1.0 has no chunks, so no place for trailers.
  const old = edge.client();
  old.receive("GET / HTTP/1.0\r\nHost: h\r\n\r\n");
  upstream.receive(`${chunked}X-Sum: 1\r\n\r\n`);
  assert.ok(old.take().endsWith("\r\n\r\nok"));
  assert.equal(old.ended, true);
});

Deno.test("a client that leaves ends the exchange with the backend at once", () => {
  const edge = harness();
  const client = edge.client();
  client.receive(GET);
  const upstream = edge.upstream(0);
  client.gone();
  assert.equal(upstream.closed, true);
  assert.deepEqual(edge.log().map(({ status, reason }) => [status, reason]), [[
    499,
    "client_gone",
  ]]);
  assert.equal(edge.closed, 1);
});

Deno.test("timeouts: connect, response head, stalled body, request", () => {
  const connect = harness();
  const c1 = connect.client();
  c1.receive(GET);
  connect.pass(2000);
  connect.pass(2000);
  assert.match(c1.take(), /^HTTP\/1\.1 504 .*connect_timeout/s);

  const silent = harness();
  const c2 = silent.client();
  c2.receive(GET);
  silent.upstream(0);
  silent.pass(59_000);
  assert.equal(c2.take(), "");
  silent.pass(1000);
  assert.match(c2.take(), /^HTTP\/1\.1 504 .*response_timeout/s);

  const stalled = harness();
  const c3 = stalled.client();
  c3.receive(GET);
  const upstream = stalled.upstream(0);
  for (let i = 0; i < 10; i++) {
    // An event each 30 seconds is progress: no total time limits the answer.
    upstream.receive(i === 0 ? "HTTP/1.1 200 OK\r\n\r\n" : "event");
    stalled.pass(30_000);
  }
  assert.equal(c3.ended, false);
  stalled.pass(31_000);
  assert.equal(c3.ended, true);
  assert.equal(complete(c3.take()), false);
  assert.equal(stalled.log()[0].reason, "upstream_stalled");

  const limited = harness({ requestTimeout: 3000 });
  const c4 = limited.client();
  c4.receive(GET);
  const late = limited.upstream(0);
  limited.pass(4000);
  assert.match(c4.take(), /^HTTP\/1\.1 504 .*request_timeout/s);
  assert.equal(late.closed, true);
});

Deno.test("bug: a connect timeout longer than the queue's limit is not cut by it", () => {
  const edge = harness({}, { connectTimeoutMs: 10_000 });
  const client = edge.client();
  client.receive(GET);
  edge.pass(6000);
  assert.equal(client.take(), "", "no queue was full: the connection was being opened");
  edge.upstream(0).receive(OK);
  assert.equal(client.take(), OK);
});

Deno.test("a full queue answers at once, a waiting request after its limit", () => {
  const edge = harness({}, { maxConnectionsPerEndpoint: 1, maxPendingRequests: 1 });
  const clients = [edge.client(), edge.client(), edge.client()];
  for (const client of clients) client.receive(GET);
  assert.equal(edge.connects, 1);
  assert.match(clients[2].take(), /^HTTP\/1\.1 503 .*pending_overflow/s);
  edge.upstream(0);
  edge.pass(5000);
  assert.match(clients[1].take(), /^HTTP\/1\.1 503 .*pending_timeout/s);
});

Deno.test("a waiting request takes over the connection, and each client gets its own answer", () => {
  const edge = harness({}, { maxConnectionsPerEndpoint: 1 });
  const [a, b] = [edge.client(), edge.client()];
  a.receive(GET.replace("/", "/a"));
  b.receive(GET.replace("/", "/b"));
  const upstream = edge.upstream(0);
  assert.match(upstream.take(), /^GET \/a /);
  upstream.receive(OK);
  assert.match(upstream.take(), /^GET \/b /);
  upstream.receive(OK.replace("ok", "bb"));
  assert.deepEqual([a.take(), b.take()], [OK, OK.replace("ok", "bb")]);
});

Deno.test("bug: an exchange that waits for its next request keeps no connection in memory", async () => {
  const edge = harness();
  const served = () => {
    const client = edge.client();
    client.receive(GET);
    edge.upstream(0).receive(OK);
    client.gone();
    return new WeakRef(client.server);
  };
  const connection = served();
  // What a weak reference has given out lives until its turn is over.
  await new Promise((resolve) => setTimeout(resolve, 0));
  (globalThis as unknown as { gc(): void }).gc();
  assert.equal(connection.deref(), undefined);
});

Deno.test("a request that ends while its content is sent is answered once, and nobody is paused", () => {
  const edge = http2Edge();
  const client = edge.client();
  client.receive("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n");
  frameBackend(edge, 0, [[Setting.InitialWindowSize, 0]]);
  edge.overload.buffered += LIMIT.bufferedBytes;
  client.receive("x".repeat(50));
  assert.equal(client.take().match(/HTTP\/1.1 502 /g)?.length, 1);
  assert.equal(client.paused, false);
  assert.equal(edge.log().length, 1);
});

Deno.test("bug: a page instead of a complete answer leaves the connection to whom it serves by then", () => {
  const page = { contentType: "text/plain", body: () => "page", intercept: true };
  const edge = new Harness({ ...PLAIN_LISTENER, errorPages: new Map([[404, page]]) });
  edge.backend("b", { maxConnectionsPerEndpoint: 1 });
  edge.route("/");
  const [a, b] = [edge.client(), edge.client()];
  a.receive(GET.replace("/", "/a"));
  b.receive(GET.replace("/", "/b"));
  const upstream = edge.upstream(0);
  assert.match(upstream.take(), /^GET \/a /);
  upstream.receive(OK.replace("200 OK", "404 Not Found"));
  assert.match(a.take(), /^HTTP\/1.1 404 .*page$/s);
  assert.match(upstream.take(), /^GET \/b /);
  upstream.receive(OK);
  assert.equal(b.take(), OK);
});

Deno.test("bug: a request that is cut twice over, by its size and by too many resets, ends once", () => {
  const edge = harness({ maxBody: 3 });
  const client = frameClient(edge);
  let requests = 0;
  // The last reset is one too many and ends the connection, with the requests on it.
  while (client.goAway < 0) {
    const stream = 2 * requests + 1;
    client.post(stream);
    edge.upstream(requests++).receive("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123");
    client.data(stream, "more", false);
  }
  client.endsWith(ErrorCode.EnhanceYourCalm);
  assert.equal(edge.log().length, requests);
  assertClean(edge, 1);
  const [a, b] = [edge.client(), edge.client()];
  a.receive(GET.replace("/", "/a"));
  b.receive(GET.replace("/", "/b"));
  const [first, second] = [edge.upstream(requests), edge.upstream(requests + 1)];
  first.receive(OK.replace("ok", "aa"));
  second.receive(OK.replace("ok", "bb"));
  assert.deepEqual([a.take().slice(-2), b.take().slice(-2)], ["aa", "bb"]);
});

Deno.test("bug: servers that read announced trailers saw none, for Trailer was dropped", () => {
  const edge = harness();
  const client = edge.client();
  const body = "Transfer-Encoding: chunked\r\n\r\n0\r\nX-Sum: 1\r\n\r\n";
  client.receive(`POST / HTTP/1.1\r\nHost: h\r\nTrailer: X-Sum\r\n${body}`);
  const upstream = edge.upstream(0);
  assert.match(upstream.take(), /^Trailer: X-Sum\r\n[^]*0\r\nX-Sum: 1\r\n\r\n$/m);
  upstream.receive(`HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\n${body}`);
  assert.match(client.take(), /^Trailer: X-Sum\r\n[^]*0\r\nX-Sum: 1\r\n\r\n$/m);
  // No trailers can follow these.
  client.receive("POST / HTTP/1.1\r\nHost: h\r\nTrailer: X-Sum\r\nContent-Length: 0\r\n\r\n");
  assert.doesNotMatch(edge.upstream(0).take(), /trailer/i);
  edge.upstream(0).receive("HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nContent-Length: 0\r\n\r\n");
  assert.doesNotMatch(client.take(), /trailer/i);
});

Deno.test("bug: a response without Date was passed on without one", () => {
  const edge = harness();
  const client = edge.client();
  client.receive(GET);
  edge.upstream(0).receive("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  assert.match(client.take(), /^date: Tue, 01 Jan 2030 00:00:0\d GMT\r$/m);
  client.receive(GET);
  edge.upstream(0).receive("HTTP/1.1 200 OK\r\nDate: its own\r\nContent-Length: 0\r\n\r\n");
  assert.deepEqual(client.take().match(/^date: .*$/gim), ["Date: its own"]);
});

Deno.test("bug: the log did not say what a backend had done against the protocol", () => {
  const wrongs: [string, string][] = [
    ["SSH-2.0-OpenSSH_9.6\r\n\r\n", "no status line of HTTP/1"],
    ["HTTP/1.1 200 OK\r\nA b: 1\r\n\r\n", "field name that is none behind the status line"],
    ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "malformed chunk"],
    [`HTTP/1.1 200 OK\r\nA: ${"a".repeat(70_000)}\r\n\r\n`, "head of more than 65536 bytes"],
    ["HTTP/1.1 101 Switching Protocols\r\n\r\n", "101 that the request did not ask for"],
  ];
  for (const [answer, detail] of wrongs) {
    const edge = harness();
    const client = edge.client();
    client.receive(GET);
    edge.upstream(0).receive(answer);
    const [line] = edge.log() as unknown as { reason: string; detail: string }[];
    assert.deepEqual([line.reason, line.detail], ["upstream_protocol", detail]);
    edge.route("/");
    client.take();
  }
});
