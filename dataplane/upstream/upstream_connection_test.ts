import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { FakeConnection } from "../../tests/support/fake_transport.ts";
import { Ticker } from "../worker/ticker.ts";
import { UpstreamConnection } from "./upstream_connection.ts";
import type { UpstreamUser } from "./user.ts";

/** Records what a user is told. */
class User implements UpstreamUser {
  status = 0;
  body = "";
  ends = 0;
  interims = 0;
  drains = 0;
  failure = "";
  answered = false;

  constructor(readonly method = "GET") {}

  onConnection(): void {}
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
  onUpstreamDrain(): void {
    this.drains++;
  }
  onUpstreamFailure(failure: string, answered: boolean): void {
    assert.equal(this.failure, "", "one failure only");
    this.failure = failure;
    this.answered = answered;
  }
}

function setup(user = new User(), requestEnded = true) {
  const events: string[] = [];
  const ticker = new Ticker();
  const connection = new UpstreamConnection({
    onConnected: () => events.push("connected"),
    onIdle: () => events.push("idle"),
    onGone: () => events.push("gone"),
  }, ticker);
  const stream = new FakeConnection();
  stream.events = connection;
  connection.attach(stream, 2000);
  connection.onConnect();
  connection.send(user, Buffer.from("request"), requestEnded);
  return { events, ticker, connection, stream, user };
}

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
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n6\r\n world\r\n0\r\nT: 1\r\n\r\n",
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
    assert.deepEqual(events, ["connected", kept ? "idle" : "gone"]);
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
      assert.deepEqual(events, ["connected", "gone"]);
    }
  }
});

Deno.test("a body until close ends by FIN only, and a reset is a failure", () => {
  const orderly = setup();
  orderly.stream.receive(`HTTP/1.1 200 OK\r\n\r\n${BODY}`);
  assert.equal(orderly.user.ends, 0);
  orderly.stream.events.onEnd();
  assert.deepEqual([orderly.user.body, orderly.user.ends, orderly.user.failure], [BODY, 1, ""]);
  assert.deepEqual(orderly.events, ["connected", "gone"]);
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
    assert.deepEqual(events, ["connected", "gone"]);
    assert.equal(stream.closed, true);
  }
});

Deno.test("an answer to HEAD has no body, and one that comes all the same ends the connection", () => {
  const head = setup(new User("HEAD"));
  head.stream.receive("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
  assert.deepEqual([head.user.ends, head.events], [1, ["connected", "idle"]]);
  const liar = setup(new User("HEAD"));
  liar.stream.receive("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
  assert.deepEqual([liar.user.body, liar.events], ["", ["connected", "gone"]]);
});

Deno.test("a connection whose request was not finished is not used again", () => {
  const { events, stream, user } = setup(new User("POST"), false);
  stream.receive(ANSWERS[0][0]);
  assert.deepEqual([user.ends, events], [1, ["connected", "gone"]]);
});

Deno.test("malformed answers fail as a protocol error and close", () => {
  const bad = [
    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    "SSH-2.0-x\r\n",
    "HTTP/1.1 101 Switching\r\n\r\n",
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

Deno.test("deadlines: connecting, waiting for the head, sending, a stalled body, idle", () => {
  const ticker = new Ticker();
  const opening = new UpstreamConnection(
    { onConnected() {}, onIdle() {}, onGone() {} },
    ticker,
  );
  opening.attach(new FakeConnection(), 2000);
  ticker.tick(2000);
  assert.equal(opening.failure, "connect_timeout");
  const waiting = setup();
  waiting.ticker.tick(59_999);
  assert.equal(waiting.user.failure, "");
  waiting.ticker.tick(60_000);
  assert.equal(waiting.user.failure, "response_timeout");
  const sending = setup(new User("POST"), false);
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
  assert.deepEqual(events, ["connected", "idle", "gone"]);
});

Deno.test("what was abandoned tells its user nothing more", () => {
  const { connection, stream, user, events } = setup();
  stream.receive("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n");
  connection.abandon();
  stream.events.onData(Buffer.from("late"));
  stream.gone();
  assert.deepEqual([user.body, user.failure, events], ["", "", ["connected", "gone"]]);
});

Deno.test("a drained socket is told to the user of the moment only", () => {
  const { stream, user } = setup(new User("POST"), false);
  stream.drained();
  assert.equal(user.drains, 1);
  stream.receive(ANSWERS[0][0]);
  stream.drained();
  assert.equal(user.drains, 1);
});
