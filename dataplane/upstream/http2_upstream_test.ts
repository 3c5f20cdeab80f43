import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import {
  dataFrame,
  frameBackend,
  type FrameClient,
  frameClient,
  goAwayFrame,
  headersFrame,
  http2Edge,
  paddedFrame,
  pingFrame,
  pseudo,
  resetFrame,
  settingsFrame,
  windowFrame,
} from "../../tests/support/http2_frames.ts";
import { GET, Harness } from "../../tests/support/exchange_harness.ts";
import { type Field, frame } from "../../tests/support/http2_wire.ts";
import { LIMIT } from "../config/defaults.ts";
import { ErrorCode, Flag, FrameType, MAX_WINDOW, Setting } from "../http2/frame.ts";
import { GLOBAL } from "../observe/counters.ts";

const OK: Field = [":status", "200"];
const id = (i: number) => 1 + 2 * i;

/** The whole answer to a stream, in one read. */
const reply = (stream: number, body: string): Uint8Array[] => [
  headersFrame(stream, [OK], false),
  dataFrame(stream, body, true),
];

/** What clients see: status and content, or "cut". */
function outcome(client: FrameClient, stream: number): string {
  const { status, body, resets, ended } = client.on(stream);
  if (!ended && resets.length === 0) return "open";
  return ended ? `${status} ${body}` : "cut";
}

const open = (edge: Harness) => edge.counters[GLOBAL.upstreamOpen];

Deno.test("a request of HTTP/1.1 travels to an HTTP/2 backend and back", () => {
  const edge = http2Edge();
  const client = edge.client();
  client.receive(
    "POST /a?b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nX-A: 1\r\n\r\n2\r\nab\r\n0\r\n\r\n",
  );
  const backend = frameBackend(edge, 0);
  const { sections: [fields], body, ended } = backend.on(1);
  assert.deepEqual(
    [":method", ":scheme", ":authority", ":path", "x-a"].map((name) => fields.get(name)),
    ["POST", "http", "h", "/a?b", "1"],
  );
  assert.equal(fields.has("transfer-encoding"), false);
  assert.deepEqual([body, ended], ["ab", true]);
  backend.headers(1, [OK, ["content-length", "2"]], false);
  backend.data(1, "ok", true);
  const date = "date: Tue, 01 Jan 2030 00:00:00 GMT\r\n";
  assert.equal(client.take(), `HTTP/1.1 200 OK\r\ncontent-length: 2\r\n${date}\r\nok`);
});

Deno.test("an answer without content-length reaches HTTP/1.1 clients in chunks, its trailers too", () => {
  const edge = http2Edge();
  const client = edge.client();
  client.receive(GET);
  const backend = frameBackend(edge, 0);
  backend.headers(1, [OK], false);
  backend.send(paddedFrame(1, "ab", 9, false));
  backend.headers(1, [["x-t", "1"]], true);
  assert.match(client.take(), /transfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nx-t: 1\r\n\r\n$/);
});

Deno.test("many requests share one connection", () => {
  const edge = http2Edge();
  const client = frameClient(edge);
  for (let i = 0; i < 50; i++) client.get(id(i));
  const backend = frameBackend(edge, 0);
  for (let i = 0; i < 50; i++) backend.send(...reply(id(i), `${i}`));
  for (let i = 0; i < 50; i++) assert.equal(outcome(client, id(i)), `200 ${i}`);
  assert.deepEqual([edge.connects, open(edge)], [1, 1]);
});

Deno.test("REFUSED_STREAM: sent again, once, on a fresh connection", async (t) => {
  for (const method of ["GET", "POST"]) {
    await t.step(method, () => {
      const edge = http2Edge();
      const client = frameClient(edge);
      client.headers(1, pseudo(method), method === "GET");
      const first = frameBackend(edge, 0);
      if (method === "POST") client.data(1, "body", true);
      first.reset(1, ErrorCode.RefusedStream);
      const second = frameBackend(edge, 1);
      if (method === "POST") {
        assert.deepEqual([second.on(1).body, second.on(1).ended], ["body", true]);
      }
      second.send(...reply(1, "second"));
      assert.equal(outcome(client, 1), "200 second");
      assert.equal(edge.resent, 1);
    });
    await t.step(`${method}, refused again`, () => {
      const edge = http2Edge();
      const client = frameClient(edge);
      client.headers(1, pseudo(method), method === "GET");
      frameBackend(edge, 0).reset(1, ErrorCode.RefusedStream);
      frameBackend(edge, 1).reset(1, ErrorCode.RefusedStream);
      assert.equal(client.on(1).status, 502);
      assert.deepEqual([edge.connects, edge.resent], [2, 1]);
    });
  }
  await t.step("a body of which the rest comes later", () => {
    const edge = http2Edge();
    const client = frameClient(edge);
    client.post(1);
    const first = frameBackend(edge, 0);
    client.data(1, "one ", false);
    first.reset(1, ErrorCode.RefusedStream);
    client.data(1, "two ", false);
    const second = frameBackend(edge, 1);
    client.data(1, "three", true);
    assert.deepEqual([second.on(1).body, second.on(1).ended], ["one two three", true]);
  });
  await t.step("not when more was sent than is kept", () => {
    const edge = http2Edge();
    const client = frameClient(edge);
    client.post(1);
    const first = frameBackend(edge, 0);
    first.send(windowFrame(0, 1 << 20), windowFrame(1, 1 << 20));
    for (let i = 0; i < 5; i++) client.data(1, Buffer.alloc(16_384), false);
    first.reset(1, ErrorCode.RefusedStream);
    assert.equal(client.on(1).status, 502);
    assert.equal(edge.connects, 1);
  });
  await t.step("not behind an interim answer", () => {
    const edge = http2Edge();
    const client = frameClient(edge);
    client.get(1);
    const first = frameBackend(edge, 0);
    first.headers(1, [[":status", "103"]], false);
    first.reset(1, ErrorCode.RefusedStream);
    assert.equal(client.on(1).status, 502);
    assert.equal(edge.connects, 1);
  });
  await t.step("not within the answer", () => {
    const edge = http2Edge();
    const client = frameClient(edge);
    client.get(1);
    const first = frameBackend(edge, 0);
    first.headers(1, [OK], false);
    first.reset(1, ErrorCode.RefusedStream);
    assert.equal(outcome(client, 1), "cut");
    assert.equal(edge.connects, 1);
  });
});

Deno.test("bug: a refused request finds its way where one connection is all there may be", () => {
  const edge = http2Edge({ maxConnectionsPerEndpoint: 1 });
  const client = frameClient(edge);
  client.get(1);
  const backend = frameBackend(edge, 0);
  backend.reset(1, ErrorCode.RefusedStream);
  edge.pass(LIMIT.pending + 1_000);
  const last = [...backend.streams.keys()].at(-1)!;
  if (last !== 1) backend.send(...reply(last, "again"));
  assert.notEqual(client.on(1).status, 503);
  assert.notEqual(outcome(client, 1), "open");
});

Deno.test("bug: refused requests do not each open a connection of their own", () => {
  const edge = http2Edge();
  const client = frameClient(edge);
  for (let i = 0; i < 50; i++) client.get(id(i));
  const first = frameBackend(edge, 0);
  first.send(goAwayFrame(0, ErrorCode.NoError));
  for (let next = 1; next < edge.connects; next++) {
    const backend = frameBackend(edge, next);
    for (const stream of [...backend.streams.keys()]) {
      if (stream !== 0) backend.send(...reply(stream, "ok"));
    }
  }
  for (let i = 0; i < 50; i++) assert.equal(outcome(client, id(i)), "200 ok");
  assert.ok(edge.connects <= 5, `${edge.connects} connections for 50 requests`);
});

Deno.test("RST_STREAM with an error is an answer of its kind: nothing is sent again", async (t) => {
  for (
    const code of [
      ErrorCode.NoError,
      ErrorCode.InternalError,
      ErrorCode.Cancel,
      ErrorCode.EnhanceYourCalm,
    ]
  ) {
    await t.step(`code ${code}`, () => {
      const edge = http2Edge();
      const client = frameClient(edge);
      client.get(1);
      const backend = frameBackend(edge, 0);
      backend.send(...reply(1, "ok"));
      client.get(3);
      backend.reset(3, code);
      assert.equal(client.on(3).status, 502);
      assert.equal(edge.resent, 0);
    });
  }
});

Deno.test("a GET whose reused connection ends before an answer is sent again, a POST is not", () => {
  const edge = http2Edge();
  const client = frameClient(edge);
  client.get(1);
  const first = frameBackend(edge, 0);
  first.send(...reply(1, "ok"));
  client.get(3);
  client.post(5);
  client.data(5, "x", true);
  first.connection.gone();
  assert.equal(client.on(5).status, 502);
  const second = frameBackend(edge, 1);
  second.send(...reply(1, "again"));
  assert.equal(outcome(client, 3), "200 again");
  assert.equal(edge.resent, 1);
});

Deno.test("GOAWAY: what is above its id goes elsewhere, what is below is completed", () => {
  const edge = http2Edge();
  const client = frameClient(edge);
  client.get(1);
  client.get(3);
  client.post(5);
  client.data(5, "body", true);
  const first = frameBackend(edge, 0);
  first.send(goAwayFrame(1, ErrorCode.NoError));
  const second = frameBackend(edge, 1);
  const bodies = [...second.streams].map(([, { body }]) => body);
  assert.ok(bodies.length >= 1);
  first.send(...reply(1, "first"));
  assert.ok(first.connection.closed);
  for (let next = 1; next < edge.connects; next++) {
    const backend = next === 1 ? second : frameBackend(edge, next);
    for (const [stream, { body }] of [...backend.streams]) {
      if (stream !== 0) backend.send(...reply(stream, body === "" ? "get" : `post ${body}`));
    }
  }
  assert.deepEqual(
    [1, 3, 5].map((stream) => outcome(client, stream)),
    ["200 first", "200 get", "200 post body"],
  );
});

Deno.test("GOAWAY twice, as a graceful end is announced: everything is completed, nothing is sent again", () => {
  const edge = http2Edge();
  const client = frameClient(edge);
  client.get(1);
  const first = frameBackend(edge, 0);
  first.send(goAwayFrame(MAX_WINDOW, ErrorCode.NoError), pingFrame());
  assert.equal(first.acks.ping, 1);
  client.get(3);
  const second = frameBackend(edge, 1);
  second.send(...reply(1, "new"));
  first.send(goAwayFrame(1, ErrorCode.NoError));
  first.send(...reply(1, "old"));
  assert.deepEqual([outcome(client, 1), outcome(client, 3)], ["200 old", "200 new"]);
  assert.ok(first.connection.closed);
  assert.deepEqual([edge.resent, open(edge)], [0, 1]);
});

Deno.test("bug: frames behind a GOAWAY that ends the connection are not answered", () => {
  const edge = http2Edge();
  const client = frameClient(edge);
  client.get(1);
  const first = frameBackend(edge, 0);
  first.send(...reply(1, "ok"));
  first.send(goAwayFrame(1, ErrorCode.NoError), pingFrame(), settingsFrame([]));
  assert.ok(first.connection.closed);
});

Deno.test("RST_STREAM within an answer cuts it for every kind of client", () => {
  const edge = http2Edge();
  const modern = frameClient(edge);
  const plain = edge.client();
  modern.get(1);
  plain.receive(GET);
  const backend = frameBackend(edge, 0);
  for (const stream of [1, 3]) {
    backend.headers(stream, [OK, ["content-length", "10"]], false);
    backend.data(stream, "half", false);
    backend.reset(stream, ErrorCode.InternalError);
  }
  assert.deepEqual(modern.on(1).resets, [ErrorCode.InternalError]);
  assert.ok(plain.wasReset || plain.ended);
  assert.equal(backend.goAway, -1);
});

Deno.test("interim answers pass up to a limit", () => {
  const edge = http2Edge();
  const client = frameClient(edge);
  client.get(1);
  const backend = frameBackend(edge, 0);
  for (let i = 0; i < LIMIT.interimHeads; i++) backend.headers(1, [[":status", "103"]], false);
  assert.equal(client.on(1).sections.length, LIMIT.interimHeads);
  backend.headers(1, [[":status", "103"]], false);
  assert.deepEqual(backend.on(1).resets, [ErrorCode.ProtocolError]);
  assert.equal(client.on(1).status, 502);
  assert.equal(edge.overload.buffered, 0);
});

Deno.test("a backend that grants no window is given up, and the client told", () => {
  const edge = http2Edge();
  const client = frameClient(edge);
  client.post(1);
  const backend = frameBackend(edge, 0, [[Setting.InitialWindowSize, 0]]);
  client.data(1, "x".repeat(10_000), false);
  client.data(1, "x".repeat(10_000), false);
  assert.ok(edge.overload.buffered >= 20_000);
  edge.pass(LIMIT.bodyProgress);
  assert.equal(client.on(1).status, 504);
  assert.deepEqual(backend.on(1).resets, [ErrorCode.Cancel]);
  assert.equal(edge.overload.buffered, 0);
});

Deno.test("a backend's window that opens again lets the request go on", () => {
  const edge = http2Edge();
  const client = frameClient(edge);
  client.post(1);
  const backend = frameBackend(edge, 0, [[Setting.InitialWindowSize, 4]]);
  client.data(1, "0123456789", true);
  assert.equal(backend.on(1).body, "0123");
  backend.grant(1, 2);
  backend.send(settingsFrame([[Setting.InitialWindowSize, 100]]));
  assert.deepEqual([backend.on(1).body, backend.on(1).ended], ["0123456789", true]);
});

Deno.test("a backend that stays silent is given up, and nobody is sent there again", () => {
  const edge = http2Edge();
  const client = frameClient(edge);
  client.get(1);
  const silent = frameBackend(edge, 0);
  edge.pass(LIMIT.responseHead);
  assert.equal(client.on(1).status, 504);
  assert.deepEqual(silent.on(1).resets, [ErrorCode.Cancel]);
  client.get(3);
  assert.equal(edge.connects, 2, "a connection without a sign of life is used again");
});

Deno.test("a backend that does not end its answer is given up", () => {
  const edge = http2Edge();
  const client = frameClient(edge);
  client.get(1);
  const backend = frameBackend(edge, 0);
  backend.headers(1, [OK], false);
  edge.pass(LIMIT.bodyProgress / 2);
  backend.data(1, "x", false);
  edge.pass(LIMIT.bodyProgress / 2);
  assert.equal(outcome(client, 1), "open");
  edge.pass(LIMIT.bodyProgress / 2);
  assert.equal(outcome(client, 1), "cut");
});

Deno.test("as many streams as the backend allows, and no more; the rest goes elsewhere", () => {
  const edge = http2Edge();
  const client = frameClient(edge);
  client.get(1);
  const first = frameBackend(edge, 0, [[Setting.MaxConcurrentStreams, 2]]);
  client.get(3);
  client.get(5);
  assert.equal(edge.connects, 2);
  const second = frameBackend(edge, 1);
  first.read();
  assert.deepEqual([first, second].map(({ streams }) => streams.size), [2, 1]);
  first.send(...reply(1, "ok"));
  client.get(7);
  assert.equal(first.on(5).sections[0].get(":path"), "/");
});

Deno.test("streams beyond our own limit open another connection", () => {
  const edge = http2Edge();
  const clients = [frameClient(edge), frameClient(edge)];
  clients[0].get(1);
  const first = frameBackend(edge, 0);
  for (let i = 1; i < LIMIT.upstreamStreams; i++) clients[0].get(id(i));
  assert.equal(edge.connects, 1);
  clients[1].get(1);
  assert.equal(edge.connects, 2);
  first.read();
  assert.equal(first.streams.size, LIMIT.upstreamStreams);
});

Deno.test("a limit of streams that is lowered holds for the next ones", () => {
  const edge = http2Edge({ maxConnectionsPerEndpoint: 1 });
  const client = frameClient(edge);
  client.get(1);
  const backend = frameBackend(edge, 0);
  client.get(3);
  backend.send(settingsFrame([[Setting.MaxConcurrentStreams, 1]]));
  client.get(5);
  backend.read();
  assert.equal(backend.streams.size, 2);
  backend.send(...reply(1, "ok"));
  assert.equal(backend.streams.size, 2);
  backend.send(...reply(3, "ok"));
  backend.read();
  backend.send(...reply(5, "ok"));
  assert.equal(outcome(client, 5), "200 ok");
});

Deno.test("a connection takes as many requests as configured, then it ends", () => {
  const edge = http2Edge({ maxRequestsPerConnection: 2 });
  const client = frameClient(edge);
  client.get(1);
  const first = frameBackend(edge, 0);
  client.get(3);
  client.get(5);
  assert.equal(edge.connects, 2);
  first.send(...reply(1, "ok"), ...reply(3, "ok"));
  assert.ok(first.connection.closed);
  frameBackend(edge, 1).send(...reply(1, "ok"));
  for (const stream of [1, 3, 5]) assert.equal(outcome(client, stream), "200 ok");
  assert.equal(open(edge), 1);
});

Deno.test("an old connection takes no further request", () => {
  const edge = http2Edge({ maxConnectionAgeMs: 10_000, idleTimeoutMs: 100_000 });
  const client = frameClient(edge);
  client.get(1);
  const first = frameBackend(edge, 0);
  first.send(...reply(1, "ok"));
  edge.pass(20_000);
  client.get(3);
  const last = edge.connects === 1 ? first : frameBackend(edge, 1);
  last.send(...reply(edge.connects === 1 ? 3 : 1, "ok"));
  assert.equal(outcome(client, 3), "200 ok");
  assert.ok(first.connection.closed);
});

Deno.test("an unused connection ends by its timer, with GOAWAY", () => {
  const edge = http2Edge();
  const client = frameClient(edge);
  client.get(1);
  const backend = frameBackend(edge, 0);
  backend.send(...reply(1, "ok"));
  edge.pass(LIMIT.upstreamIdle - 1_000);
  assert.equal(backend.connection.closed, false);
  edge.pass(1_000);
  assert.equal(backend.goAway, ErrorCode.NoError);
  assert.ok(backend.connection.closed);
  assert.equal(open(edge), 0);
});

Deno.test("an early answer ends the request: the backend is told by RST_STREAM with NO_ERROR", () => {
  const edge = http2Edge();
  const client = frameClient(edge);
  client.post(1);
  const backend = frameBackend(edge, 0);
  client.data(1, "x", false);
  backend.send(...reply(1, "early"));
  assert.equal(outcome(client, 1), "200 early");
  assert.deepEqual(backend.on(1).resets, [ErrorCode.NoError]);
  client.get(3);
  backend.send(...reply(3, "next"));
  assert.equal(outcome(client, 3), "200 next");
});

Deno.test("bug: backends that end calls early and say so stay connected", () => {
  // gRPC servers send RST_STREAM with NO_ERROR behind trailers that come before the request's end.
  const edge = http2Edge();
  const client = frameClient(edge);
  client.post(1);
  const backend = frameBackend(edge, 0);
  for (let i = 0; i < 3_000; i++) {
    if (i > 0) client.post(id(i));
    backend.send(
      headersFrame(id(i), [OK], false),
      headersFrame(id(i), [["grpc-status", "0"]], true),
      resetFrame(id(i), ErrorCode.NoError),
    );
    if (i % 1_000 === 999) edge.pass(1_000);
  }
  assert.equal(backend.goAway, -1);
  assert.equal(edge.connects, 1);
});

Deno.test("bug: a backend that measures the path with a PING for each DATA is not taken for a flood", () => {
  const edge = http2Edge();
  const client = frameClient(edge);
  client.post(1);
  const backend = frameBackend(edge, 0);
  backend.grant(0, 1 << 20);
  for (let i = 0; i < 5_000; i++) {
    client.data(1, "x", false);
    backend.send(pingFrame(), windowFrame(1, 1));
    if (i % 500 === 0) edge.pass(1_000);
  }
  assert.equal(backend.goAway, -1);
});

Deno.test("answers that come after their clients have gone harm nobody", () => {
  const edge = http2Edge();
  const steady = frameClient(edge);
  steady.get(1);
  const backend = frameBackend(edge, 0);
  for (let round = 0; round < 4; round++) {
    const client = frameClient(edge);
    for (let i = 0; i < LIMIT.upstreamStreams - 1; i++) client.get(id(i));
    client.connection.gone();
  }
  assert.equal(edge.connects, 1);
  backend.read();
  const cancelled = [...backend.streams].filter(([, { resets }]) => resets.length > 0);
  assert.equal(cancelled.length, 4 * (LIMIT.upstreamStreams - 1));
  // All of them had been on their way before the backend knew.
  for (const [stream] of cancelled) backend.send(...reply(stream, "late"));
  assert.equal(backend.goAway, -1);
  backend.send(...reply(1, "ok"));
  assert.equal(outcome(steady, 1), "200 ok");
});

Deno.test("streams that a failing backend resets do not take the others with them", () => {
  const edge = http2Edge();
  const steady = frameClient(edge);
  steady.get(1);
  const backend = frameBackend(edge, 0);
  const client = frameClient(edge);
  for (let i = 0; i < 300; i++) {
    client.headers(id(i), pseudo("POST"), true);
    backend.reset(id(i + 1), ErrorCode.InternalError);
    if (i % 50 === 49) edge.pass(500);
  }
  assert.equal(backend.goAway, -1);
  backend.send(...reply(1, "ok"));
  assert.equal(outcome(steady, 1), "200 ok");
});

Deno.test("what a backend does against the protocol ends its connection", async (t) => {
  const cases: [string, Uint8Array][] = [
    ["PUSH_PROMISE", frame(FrameType.PushPromise, Flag.EndHeaders, 1, Buffer.alloc(4, 2))],
    ["HEADERS on a stream of its own", headersFrame(2, [OK], true)],
    ["HEADERS on an idle stream", headersFrame(9, [OK], true)],
    ["DATA on an idle stream", dataFrame(9, "x", true)],
    ["push enabled", settingsFrame([[Setting.EnablePush, 1]])],
    ["HTTP/1.1", Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n")],
    ["bad HPACK", frame(FrameType.Headers, Flag.EndHeaders, 1, Buffer.from([0x80]))],
  ];
  for (const [name, bytes] of cases) {
    await t.step(name, () => {
      const edge = http2Edge();
      const client = frameClient(edge);
      client.post(1);
      const backend = frameBackend(edge, 0);
      backend.send(bytes);
      assert.ok(backend.goAway > 0);
      assert.ok(backend.connection.closed);
      assert.equal(client.on(1).status, 502);
      assert.deepEqual([open(edge), edge.overload.buffered], [0, 0]);
    });
  }
});

Deno.test("floods of a backend end its connection", async (t) => {
  const cases: [string, (i: number) => Uint8Array][] = [
    ["PING", () => pingFrame()],
    ["SETTINGS", () => settingsFrame([])],
    ["empty DATA", () => dataFrame(1, "", false)],
    ["unknown frames", () => frame(0x42 as FrameType, 0, 0, Buffer.alloc(1))],
    [
      "empty CONTINUATION",
      (i) =>
        i === 0
          ? frame(FrameType.Headers, 0, 1, Buffer.alloc(0))
          : frame(FrameType.Continuation, 0, 1, Buffer.alloc(0)),
    ],
  ];
  for (const [name, next] of cases) {
    await t.step(name, () => {
      const edge = http2Edge();
      const client = frameClient(edge);
      client.get(1);
      const backend = frameBackend(edge, 0);
      if (name === "empty DATA") backend.headers(1, [OK], false);
      for (let i = 0; i < 20_000 && !backend.connection.closed; i++) backend.send(next(i));
      assert.equal(backend.goAway, ErrorCode.EnhanceYourCalm);
      assert.ok(client.on(1).over);
      assert.deepEqual([open(edge), edge.overload.buffered], [0, 0]);
    });
  }
});

Deno.test("more content than our window ends the answer", () => {
  const edge = http2Edge();
  const client = frameClient(edge, [[Setting.InitialWindowSize, 0]]);
  client.get(1);
  const backend = frameBackend(edge, 0);
  backend.headers(1, [OK], false);
  for (let i = 0; i < 20; i++) backend.data(1, Buffer.alloc(16_384), false);
  assert.deepEqual(backend.on(1).resets, [ErrorCode.FlowControlError]);
  assert.ok(client.on(1).over);
  assert.equal(edge.overload.buffered, 0);
});

Deno.test("bug: an endpoint that leaves while its connection is opened leaves nobody waiting", () => {
  const edge = new Harness();
  const proxied = {
    protocol: "http2",
    tls: null,
    proxyProtocol: 2,
    networks: null,
    key: "proxied",
  } as const;
  const backend = edge.backend("b", {}, proxied);
  edge.route("/");
  const client = frameClient(edge);
  client.get(1);
  assert.equal(edge.connects, 1);
  backend.drain();
  edge.pass(10 * LIMIT.connect);
  assert.notEqual(outcome(client, 1), "open");
  client.connection.gone();
  assert.equal(open(edge), 0);
});

Deno.test("bug: requests that wait for a connection beyond the limit have a deadline", () => {
  const edge = new Harness();
  // Which version the backend speaks turns out when the connection is open; many could share it.
  const auto = {
    protocol: "auto",
    tls: null,
    proxyProtocol: 0,
    networks: null,
    key: "auto",
  } as const;
  edge.backend("b", { maxConnectionsPerEndpoint: 1 }, auto);
  edge.route("/");
  const client = frameClient(edge);
  client.get(1);
  client.get(3);
  const upstream = edge.upstream(0);
  upstream.receive("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (let i = 0; i < 10; i++) {
    upstream.receive("1\r\nx\r\n");
    edge.pass(LIMIT.pending);
  }
  assert.equal(client.on(3).status, 503);
});

Deno.test("three rounds of broken backends leave the same behind", () => {
  const edge = http2Edge();
  const ends: number[] = [];
  for (let round = 0; round < 3; round++) {
    const client = frameClient(edge);
    for (let i = 0; i < 90; i++) client.get(id(i));
    const first = edge.connects - 1;
    const backend = frameBackend(edge, first);
    for (let i = 0; i < 30; i++) backend.headers(id(i), [OK], false);
    for (let i = 0; i < 30; i++) backend.data(id(i), "x".repeat(500), false);
    backend.send(Buffer.from("GET / HTTP/1.1\r\n\r\n"));
    client.connection.gone();
    edge.pass(LIMIT.upstreamIdle + LIMIT.connect + 1_000);
    assert.deepEqual([open(edge), edge.overload.buffered, edge.closed], [0, 0, round + 1]);
    ends.push(edge.connects);
  }
  assert.equal(ends[2] - ends[1], ends[1] - ends[0]);
});
