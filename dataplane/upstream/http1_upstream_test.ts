import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { LIMIT } from "../config/defaults.ts";
import { FakeConnection } from "../../tests/support/fake_transport.ts";
import type { ProxyEndpoint } from "../net/proxy_protocol.ts";
import { Ticker } from "../loop/ticker.ts";
import { Http1Upstream } from "./http1_upstream.ts";
import type { UpstreamStream, UpstreamUser } from "./upstream_stream.ts";

/** How a user asks. */
interface Asking {
  readonly ended?: boolean;
  readonly unsized?: boolean;
  readonly upgrade?: string;
  readonly body?: string;
}

/** Sends one request and records what it is told. */
class User implements UpstreamUser {
  readonly share = null;
  readonly stalled = false;
  readonly idleTimeout = 0;
  readonly responseTimeout = LIMIT.responseHead;
  readonly contentExpected = true;
  readonly upgrade: string;
  status = 0;
  body = "";
  trailers = "";
  ends = 0;
  interims = 0;
  drains = 0;
  failure = "";
  answered = false;
  tunnel: string | null = null;
  readonly #asking: Asking;

  constructor(readonly upstreamMethod = "GET", asking: Asking = {}) {
    this.#asking = asking;
    this.upgrade = asking.upgrade ?? "";
  }

  proxySource(): ProxyEndpoint {
    return { address: "192.0.2.1", port: 4711 };
  }
  proxyDestination(): ProxyEndpoint {
    return { address: "192.0.2.254", port: 80 };
  }
  onStream(stream: UpstreamStream): void {
    const { unsized = false, ended = true, body } = this.#asking;
    const first = body === undefined ? null : Buffer.from(body);
    stream.send(Buffer.from("request"), first, unsized, ended);
  }
  onUpgraded(_head: unknown, rest: Buffer | null): void {
    this.tunnel = rest?.toString("latin1") ?? "";
  }
  onResponseTrailers(lines: Buffer): void {
    this.trailers += lines.toString("latin1");
    this.onResponseBody(null, true);
  }
  onInterim(): void {
    this.interims++;
  }
  onResponse(head: { status: number }, body: Buffer | null, ended: boolean): void {
    this.status = head.status;
    this.onResponseBody(body, ended);
  }
  onResponseBody(body: Buffer | null, ended: boolean): void {
    assert.equal(this.ends, 0, "nothing follows the end");
    this.body += body?.toString("latin1") ?? "";
    if (ended) this.ends++;
  }
  onFault(): void {}
  evict(): void {}
  onUpstreamDrain(): void {
    this.drains++;
  }
  onUpstreamFailure(failure: string, answered: boolean): void {
    assert.equal(this.failure, "", "one failure only");
    this.failure = failure;
    this.answered = answered;
  }
}

function setup(user = new User()) {
  const events: string[] = [];
  const ticker = new Ticker();
  const stream = new FakeConnection();
  const connection = new Http1Upstream(stream, {
    onIdle: () => events.push("idle"),
    onGone: () => events.push("gone"),
  }, ticker);
  stream.events = connection;
  connection.give(user);
  return { events, ticker, connection, stream, user };
}

/** A user whose request body is not complete. */
const sender = () => new User("POST", { ended: false });

const BODY = "hello world";
/** Complete answers, and whether the connection may be used again. */
const ANSWERS: readonly [string, boolean][] = [
  [`HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n${BODY}`, true],
  [`HTTP/1.1 200 OK\r\nContent-Length: 11\r\nConnection: close\r\n\r\n${BODY}`, false],
  [
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
    true,
  ],
  [
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n6\r\n world\r\n0\r\nT: 1\r\nHost: x\r\n\r\n",
    true,
  ],
  [`HTTP/1.0 200 OK\r\nContent-Length: 11\r\n\r\n${BODY}`, false],
  [`HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n${BODY}`, true],
];

Deno.test("a complete answer in any pieces ends once, and the pool learns whether to keep it", () => {
  fc.assert(fc.property(fc.constantFrom(...ANSWERS), fc.array(fc.nat()), ([answer, kept], cuts) => {
    const { events, stream, user } = setup();
    const places = [...new Set(cuts.map((cut) => cut % answer.length))].sort((a, b) => a - b);
    [0, ...places].forEach((from, i) => {
      const piece = answer.slice(from, places[i] ?? answer.length);
      if (piece !== "") stream.receive(piece);
    });
    assert.deepEqual([user.status, user.body, user.ends, user.failure], [200, BODY, 1, ""]);
    assert.equal(user.trailers, answer.includes("T: 1") ? "T: 1\r\n" : "");
    assert.deepEqual(events, [kept ? "idle" : "gone"]);
    assert.equal(stream.closed, !kept);
  }));
});

Deno.test("an answer cut short fails, never ends", () => {
  for (const [answer] of ANSWERS) {
    for (let cut = 0; cut < answer.length; cut++) {
      const { events, stream, user } = setup();
      if (cut > 0) stream.receive(answer.slice(0, cut));
      stream.events.onEnd();
      stream.gone();
      assert.deepEqual([user.ends, user.failure, user.answered], [0, "upstream_reset", cut > 0]);
      assert.deepEqual(events, ["gone"]);
    }
  }
});

Deno.test("a body until close ends by FIN only, and a reset is a failure", () => {
  const orderly = setup();
  orderly.stream.receive(`HTTP/1.1 200 OK\r\n\r\n${BODY}`);
  assert.equal(orderly.user.ends, 0);
  orderly.stream.events.onEnd();
  assert.deepEqual([orderly.user.body, orderly.user.ends, orderly.user.failure], [BODY, 1, ""]);
  assert.deepEqual(orderly.events, ["gone"]);
  const cut = setup();
  cut.stream.receive(`HTTP/1.1 200 OK\r\n\r\n${BODY}`);
  cut.stream.gone(new Error("reset"));
  assert.deepEqual([cut.user.ends, cut.user.failure], [0, "upstream_reset"]);
});

Deno.test("surplus bytes end the connection after the answer was passed on", () => {
  for (const [answer, kept] of ANSWERS) {
    if (!kept) continue;
    const { events, stream, user } = setup();
    stream.receive(`${answer}HTTP/1.1 200 OK\r\n`);
    assert.deepEqual([user.body, user.ends], [BODY, 1]);
    assert.deepEqual(events, ["gone"]);
    assert.equal(stream.closed, true);
  }
});

Deno.test("an answer to HEAD has no body, and one that comes all the same ends the connection", () => {
  const head = setup(new User("HEAD"));
  head.stream.receive("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
  assert.deepEqual([head.user.ends, head.events], [1, ["idle"]]);
  const liar = setup(new User("HEAD"));
  liar.stream.receive("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
  assert.deepEqual([liar.user.body, liar.events], ["", ["gone"]]);
});

Deno.test("a connection whose request was not finished is not used again", () => {
  const { events, stream, user } = setup(sender());
  stream.receive(ANSWERS[0][0]);
  assert.deepEqual([user.ends, events], [1, ["gone"]]);
});

Deno.test("malformed answers fail as a protocol error and close", () => {
  const bad = [
    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    "SSH-2.0-x\r\n",
    "HTTP/1.1 101 Switching\r\n\r\n",
    "HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    `HTTP/1.1 200 OK\r\nA: ${"a".repeat(70_000)}`,
  ];
  for (const text of bad) {
    const { stream, user, events } = setup();
    stream.receive(text);
    assert.deepEqual([user.ends, user.failure], [0, "upstream_protocol"], text.slice(0, 60));
    assert.deepEqual([stream.closed, events.at(-1)], [true, "gone"]);
  }
});

Deno.test("deadlines: waiting for the head, sending, a stalled body", () => {
  const waiting = setup();
  waiting.ticker.tick(59_999);
  assert.equal(waiting.user.failure, "");
  waiting.ticker.tick(60_000);
  assert.equal(waiting.user.failure, "response_timeout");
  const sending = setup(sender());
  sending.stream.flowing = false;
  sending.connection.sendBody(Buffer.from("more"), false);
  sending.ticker.tick(60_000);
  assert.equal(sending.user.failure, "upstream_stalled");
  const body = setup();
  body.ticker.tick(30_000);
  body.stream.receive("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe");
  body.ticker.tick(89_000);
  assert.equal(body.user.failure, "");
  body.ticker.tick(90_000);
  assert.equal(body.user.failure, "upstream_stalled");
});

Deno.test("interim answers gain no time: the head is due when it was due", () => {
  const { ticker, stream, user } = setup();
  for (let now = 10_000; now <= 60_000; now += 10_000) {
    if (user.failure === "") stream.receive("HTTP/1.1 102 Processing\r\n\r\n");
    ticker.tick(now);
  }
  assert.deepEqual([user.interims, user.failure], [6, "response_timeout"]);
});

Deno.test("bytes for nobody destroy the connection, also just after the answer", () => {
  const { stream, events } = setup();
  stream.receive(ANSWERS[0][0]);
  stream.receive("x");
  assert.deepEqual(events, ["idle", "gone"]);
});

Deno.test("what was abandoned tells its user nothing more", () => {
  const { connection, stream, user, events } = setup();
  stream.receive("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n");
  connection.abandon();
  stream.events.onData(Buffer.from("late"));
  stream.gone();
  assert.deepEqual([user.body, user.failure, events], ["", "", ["gone"]]);
});

Deno.test("a drained socket is told to the user of the moment only", () => {
  const { stream, user } = setup(sender());
  stream.drained();
  assert.equal(user.drains, 1);
  stream.receive(ANSWERS[0][0]);
  stream.drained();
  assert.equal(user.drains, 1);
});

Deno.test("head and first bytes of a request leave together, chunked where they have no length", () => {
  for (const body of ["hello", "x".repeat(40_000)]) {
    const plain = setup(new User("POST", { body }));
    assert.equal(plain.stream.take(), `request${body}`);
    const size = body.length.toString(16);
    const chunked = setup(new User("POST", { body, unsized: true }));
    assert.equal(chunked.stream.take(), `request${size}\r\n${body}\r\n0\r\n\r\n`);
  }
});

Deno.test("what follows of a request body is framed as its beginning was", () => {
  const plain = setup(new User("POST", { body: "hello", ended: false }));
  plain.connection.sendBody(Buffer.from("more"), true);
  assert.equal(plain.stream.take(), "requesthellomore");
  const chunked = setup(new User("POST", { body: "hello", ended: false, unsized: true }));
  chunked.connection.sendBody(Buffer.from("more"), false);
  chunked.connection.sendBody(null, true);
  assert.equal(chunked.stream.take(), "request5\r\nhello\r\n4\r\nmore\r\n0\r\n\r\n");
  const large = "x".repeat(20_000);
  for (const [ended, end] of [[false, ""], [true, "0\r\n\r\n"]] as const) {
    const { stream, connection } = setup(
      new User("POST", { body: "hello", ended: false, unsized: true }),
    );
    connection.sendBody(Buffer.from(large), ended);
    assert.equal(stream.take(), `request5\r\nhello\r\n4e20\r\n${large}\r\n${end}`);
  }
});

Deno.test("trailers of a request end its chunks; a body of known length has no place for them", () => {
  const chunked = setup(new User("POST", { ended: false, unsized: true }));
  chunked.connection.sendTrailers(Buffer.from("a: 1\r\n"));
  assert.equal(chunked.stream.take(), "request0\r\na: 1\r\n\r\n");
  const plain = setup(sender());
  plain.connection.sendTrailers(Buffer.from("a: 1\r\n"));
  assert.equal(plain.stream.take(), "request");
  plain.stream.receive(ANSWERS[0][0]);
  assert.deepEqual(plain.events, ["idle"]);
});

Deno.test("too many interim answers are an error", () => {
  const { stream, user } = setup();
  stream.receive("HTTP/1.1 103 Hints\r\n\r\n".repeat(16));
  assert.deepEqual([user.interims, user.failure], [16, ""]);
  stream.receive("HTTP/1.1 103 Hints\r\n\r\n");
  assert.equal(user.failure, "upstream_protocol");
});

const SWITCH = "HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n\r\n";

Deno.test("the 101 that was asked for opens a tunnel, whose bytes pass as they are", () => {
  const { stream, user, connection, events } = setup(new User("GET", { upgrade: "websocket" }));
  stream.take();
  stream.receive(`${SWITCH}first`);
  assert.deepEqual([user.tunnel, user.failure], ["first", ""]);
  stream.receive("0\r\n\r\n");
  connection.sendBody(Buffer.from("frame"), false);
  assert.deepEqual([user.body, stream.take()], ["0\r\n\r\n", "frame"]);
  // One side may end while the other goes on.
  connection.sendBody(null, true);
  assert.deepEqual([stream.ended, user.ends], [true, 0]);
  stream.receive("more");
  stream.events.onEnd();
  assert.deepEqual([user.body, user.ends, events], ["0\r\n\r\nmore", 1, []]);
});

Deno.test("a 101 to another protocol than the one asked for is an error", () => {
  for (const text of [SWITCH.replace("WebSocket", "h2c"), SWITCH.replace("Upgrade", "close")]) {
    const { stream, user } = setup(new User("GET", { upgrade: "websocket" }));
    stream.receive(text);
    assert.deepEqual([user.tunnel, user.failure], [null, "upstream_protocol"], text);
  }
});

Deno.test("a tunnel without a byte in either direction ends, one with bytes stays", () => {
  const { stream, user, connection, ticker } = setup(new User("GET", { upgrade: "websocket" }));
  stream.receive(SWITCH);
  ticker.tick(299_000);
  stream.receive("x");
  ticker.tick(598_000);
  connection.sendBody(Buffer.from("x"), false);
  ticker.tick(897_000);
  assert.equal(user.failure, "");
  ticker.tick(898_000);
  assert.equal(user.failure, "upstream_stalled");
});

Deno.test("an idle connection whose time is over closes without telling anybody but its pool", () => {
  const { stream, user, connection, ticker, events } = setup();
  stream.receive(ANSWERS[0][0]);
  connection.deadline = 5000;
  ticker.tick(5000);
  assert.deepEqual([stream.closed, user.failure, events], [true, "", ["idle", "gone"]]);
});

Deno.test("bug: a connection to which a write had failed went back to its pool", () => {
  for (const sendable of [true, false]) {
    const { events, stream, user } = setup();
    stream.sendable = sendable;
    stream.receive(`HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n${BODY}`);
    assert.deepEqual([user.body, events], [BODY, [sendable ? "idle" : "gone"]]);
  }
});
