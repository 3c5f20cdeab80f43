import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  assertClean,
  dataFrame,
  frameBackend,
  frameClient,
  type FramePeer,
  goAwayFrame,
  headersFrame,
  http2Edge,
  paddedFrame,
  pingFrame,
  pseudo,
  resetFrame,
  settingsFrame,
  stalledClient,
  wideClient,
  windowFrame,
} from "../../tests/support/http2_frames.ts";
import { Harness, harness, OK } from "../../tests/support/exchange_harness.ts";
import type { FakeConnection } from "../../tests/support/fake_transport.ts";
import { type Field, frame } from "../../tests/support/http2_wire.ts";
import { LIMIT } from "../config/defaults.ts";
import {
  DEFAULT_WINDOW,
  ErrorCode,
  Flag,
  FRAME_HEADER,
  FrameType,
  Setting,
} from "../http2/frame.ts";

const GRPC: Field = ["content-type", "application/grpc"];

/** What an HTTP/1.1 backend answers with this body. */
const answer = (body: string, head = "") =>
  `HTTP/1.1 200 OK\r\n${head}content-length: ${body.length}\r\n\r\n${body}`;

/** The content of a chunked request, however it was cut, and its trailer lines. */
function content(request: string): { body: string; trailers: string } {
  let rest = request.slice(request.indexOf("\r\n\r\n") + 4);
  let body = "";
  for (;;) {
    const size = parseInt(rest, 16);
    rest = rest.slice(rest.indexOf("\r\n") + 2);
    if (size === 0) break;
    body += rest.slice(0, size);
    rest = rest.slice(size + 2);
  }
  assert.ok(rest.endsWith("\r\n"), "incomplete");
  return { body, trailers: rest.slice(0, -2) };
}

/** Lets the transport report the end of every connection, as it does after each. */
function allGone(...connections: FakeConnection[]): void {
  for (const connection of connections) connection.gone();
}

Deno.test("bug: a jar of 130 cookies in fields of their own was too many fields", () => {
  const edge = harness();
  const client = frameClient(edge);
  const jar = Array.from({ length: 130 }, (_, i) => `c${i}=${"v".repeat(i)}`);
  const fields = jar.map((cookie) => ["cookie", cookie] as [string, string]);
  client.get(1, "/", ...fields.slice(0, 60), ["x-a", "1"], ...fields.slice(60));
  const head = edge.upstream(0).take();
  assert.ok(head.includes(`cookie: ${jar.join("; ")}\r\n`), head);
  assert.match(head, /^x-a: 1\r$/m);
});

Deno.test("too many fields have the same reason by HTTP/1.1 and HTTP/2", () => {
  const edge = harness();
  const client = frameClient(edge);
  const fields = Array.from({ length: 200 }, (_, i) => [`x-${i}`, "1"] as [string, string]);
  client.get(1, "/", ...fields);
  assert.equal(client.on(1).status, 431);
  const plain = edge.client();
  plain.receive(`GET / HTTP/1.1\r\nhost: h\r\n${"a: 1\r\n".repeat(200)}\r\n`);
  assert.deepEqual(edge.log().map(({ reason }) => reason), [
    "too_many_headers",
    "too_many_headers",
  ]);
});

Deno.test("a GET travels to an HTTP/1.1 backend and back", () => {
  const edge = harness();
  const client = frameClient(edge);
  assert.equal(client.settings.get(Setting.MaxConcurrentStreams), LIMIT.streams);
  assert.equal(client.settings.get(Setting.EnableConnectProtocol), 1);
  assert.equal(client.acks.settings, 1);
  client.get(1, "/a?b=c", ["x-a", "1"], ["cookie", "a=1"], ["cookie", "b=2"]);
  const upstream = edge.upstream(0);
  const head = upstream.take();
  assert.match(head, /^GET \/a\?b=c HTTP\/1\.1\r\n/);
  assert.match(head, /^host: h\r$/m);
  assert.match(head, /^x-a: 1\r$/m);
  assert.match(head, /^cookie: a=1; b=2\r$/m);
  upstream.receive(
    "HTTP/1.1 200 OK\r\nConnection: x-b\r\nX-B: 1\r\nX-C: 2\r\nContent-Length: 2\r\n\r\nok",
  );
  const received = client.on(1);
  assert.deepEqual([received.status, received.body, received.ended], [200, "ok", true]);
  assert.deepEqual([...received.sections[0].keys()], [
    ...[":status", "x-c", "content-length", "date"],
  ]);
  assert.deepEqual(received.resets, []);
  assert.deepEqual(edge.log().map(({ status, reason }) => [status, reason]), [[200, "ok"]]);
  client.connection.events.onEnd();
  assert.ok(client.connection.closed);
  assertClean(edge, 1);
});

Deno.test("a POST with content-length keeps it; one without becomes chunked", () => {
  const edge = harness();
  const client = frameClient(edge);
  client.post(1, "/", ["content-length", "4"]);
  const upstream = edge.upstream(0);
  client.data(1, "ab", false);
  client.data(1, "cd", true);
  assert.match(upstream.take(), /content-length: 4\r\n[^]*\r\n\r\nabcd$/);
  upstream.receive(OK);
  client.post(3);
  client.data(3, "ab", false);
  client.data(3, "", true);
  assert.match(upstream.take(), /transfer-encoding: chunked\r\n[^]*\r\n\r\n2\r\nab\r\n0\r\n\r\n$/);
  upstream.receive(OK);
  assert.deepEqual([client.on(1).body, client.on(3).body], ["ok", "ok"]);
  assert.equal(edge.connects, 1);
});

Deno.test("content that comes before the connection to the backend waits and then leaves", () => {
  const edge = harness();
  const client = frameClient(edge);
  client.send(
    headersFrame(1, pseudo("POST"), false),
    dataFrame(1, "ab", false),
    paddedFrame(1, "cd", 10, false),
    dataFrame(1, "ef", true),
  );
  assert.equal(edge.overload.buffered, 6);
  const upstream = edge.upstream(0);
  assert.deepEqual(content(upstream.take()), { body: "abcdef", trailers: "" });
  assert.equal(edge.overload.buffered, 0);
  upstream.receive(OK);
  assert.equal(client.on(1).body, "ok");
});

Deno.test("trailers pass both ways", () => {
  const edge = harness();
  const client = frameClient(edge);
  client.post(1, "/", ["te", "trailers"], ["trailer", "x-sum"]);
  const upstream = edge.upstream(0);
  client.data(1, "ab", false);
  client.headers(1, [["x-sum", "1"], ["content-length", "9"]], true);
  assert.match(upstream.take(), /^trailer: x-sum\r\n[^]*2\r\nab\r\n0\r\nx-sum: 1\r\n\r\n$/m);
  upstream.receive(
    "HTTP/1.1 200 OK\r\nTrailer: X-End\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-End: 1\r\n\r\n",
  );
  const received = client.on(1);
  assert.deepEqual([received.body, received.ended], ["ok", true]);
  assert.equal(received.sections[0].get("trailer"), "X-End");
  assert.equal(received.sections.at(-1)!.get("x-end"), "1");
});

Deno.test("trailers pass between two HTTP/2 connections, also those of a request without content", () => {
  const edge = http2Edge();
  const client = frameClient(edge);
  client.post(1, "/", ["trailer", "x-a"]);
  client.headers(1, [["x-a", "1"]], true);
  const backend = frameBackend(edge, 0);
  assert.equal(backend.on(1).sections[0].get("trailer"), "x-a");
  assert.equal(backend.on(1).sections.at(-1)!.get("x-a"), "1");
  assert.equal(backend.on(1).ended, true);
  backend.headers(1, [[":status", "200"]], false);
  backend.headers(1, [["x-b", "2"]], true);
  assert.equal(client.on(1).sections.at(-1)!.get("x-b"), "2");
  assert.equal(client.on(1).ended, true);
});

Deno.test("answers without content end with their head", async (t) => {
  for (
    const [name, method, head] of [
      ["HEAD", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"],
      ["204", "GET", "HTTP/1.1 204 No Content\r\n\r\n"],
      ["304", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"],
    ]
  ) {
    await t.step(name, () => {
      const edge = harness();
      const client = frameClient(edge);
      client.headers(1, pseudo(method), true);
      edge.upstream(0).receive(head);
      const received = client.on(1);
      assert.deepEqual([received.ended, received.body], [true, ""]);
      assert.equal(received.sections[0].get("content-length"), name === "204" ? undefined : "5");
    });
  }
});

Deno.test("content of an HTTP/2 backend where none may be is not passed on", async (t) => {
  for (const [method, status] of [["HEAD", "200"], ["GET", "204"], ["GET", "304"]]) {
    await t.step(`${method} ${status}`, () => {
      const edge = http2Edge();
      const client = frameClient(edge);
      client.headers(1, pseudo(method), true);
      const backend = frameBackend(edge, 0);
      backend.headers(1, [[":status", status]], false);
      backend.data(1, "EVIL", true);
      assert.equal(client.on(1).body, "");
      assert.ok(client.on(1).over);
    });
  }
});

Deno.test("interim answers come before the final one", () => {
  const edge = harness();
  const client = frameClient(edge);
  client.post(1, "/", ["expect", "100-continue"]);
  const upstream = edge.upstream(0);
  assert.match(upstream.take(), /expect: 100-continue/i);
  upstream.receive("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
  client.data(1, "ab", true);
  upstream.receive(OK);
  const statuses = client.on(1).sections.map((fields) => fields.get(":status"));
  assert.deepEqual(statuses, ["100", "103", "200"]);
  assert.equal(client.on(1).sections[1].get("link"), "</a>");
});

Deno.test("an early answer asks for no more of the request by RST_STREAM with NO_ERROR", () => {
  const edge = harness();
  const client = frameClient(edge);
  client.post(1);
  client.data(1, "ab", false);
  edge.upstream(0).receive(answer("early"));
  const received = client.on(1);
  assert.deepEqual([received.body, received.ended], ["early", true]);
  // What is under way is taken and its window given back.
  for (let i = 0; i < 20; i++) client.data(1, Buffer.alloc(16_384), false);
  // libcurl 7.88 reports a framing error for a reset that comes together with the response.
  assert.deepEqual(client.on(1).resets, []);
  edge.pass(LIMIT.lingering);
  assert.deepEqual(client.on(1).resets, [ErrorCode.NoError]);
  for (let i = 0; i < 20; i++) client.data(1, Buffer.alloc(16_384), false);
  assert.ok(client.updates.get(0)! > LIMIT.connectionWindow - DEFAULT_WINDOW);
  assert.equal(client.goAway, -1);
  assert.equal(edge.overload.buffered, 0);
});

Deno.test("an answer of our own to a request with content ends with NO_ERROR too", () => {
  const edge = new Harness();
  const client = frameClient(edge);
  client.post(1);
  assert.equal(client.on(1).status, 404);
  assert.equal(client.on(1).ended, true);
  assert.deepEqual(client.on(1).resets, []);
  edge.pass(LIMIT.lingering);
  assert.deepEqual(client.on(1).resets, [ErrorCode.NoError]);
});

Deno.test("a client that ends its request behind an early answer gets no reset", () => {
  const edge = new Harness();
  const client = frameClient(edge);
  client.post(1);
  client.data(1, "rest", true);
  edge.pass(LIMIT.lingering);
  assert.equal(client.on(1).status, 404);
  assert.deepEqual(client.on(1).resets, []);
  client.get(3);
  assert.equal(client.on(3).status, 404);
});

Deno.test("an answer waits for the window of its stream and goes on", () => {
  const edge = harness();
  const client = frameClient(edge, [[Setting.InitialWindowSize, 10]]);
  client.get(1);
  const upstream = edge.upstream(0);
  upstream.receive(answer("0123456789abcdefghij"));
  assert.equal(client.on(1).body, "0123456789");
  assert.equal(edge.overload.buffered, 10);
  client.grant(1, 4);
  assert.equal(client.on(1).body, "0123456789abcd");
  client.grant(1, 100);
  assert.equal(client.on(1).body, "0123456789abcdefghij");
  assert.equal(client.on(1).ended, true);
  assert.equal(edge.overload.buffered, 0);
});

Deno.test("bug: windows that grow in one read are used together, not by a frame for each update", () => {
  const edge = harness();
  const client = stalledClient(edge);
  client.get(1);
  edge.upstream(0).receive(answer("0123456789"));
  client.read();
  const before = client.bytes;
  client.send(windowFrame(1, 5), windowFrame(1, 5));
  assert.equal(client.on(1).body, "0123456789");
  assert.equal(client.bytes - before, FRAME_HEADER + 10);
});

Deno.test("streams share the window of the connection", () => {
  const edge = harness();
  const client = frameClient(edge, [[Setting.InitialWindowSize, 1 << 20]]);
  const body = "x".repeat(50_000);
  client.send(
    headersFrame(1, pseudo("GET", "/1"), true),
    headersFrame(3, pseudo("GET", "/3"), true),
  );
  const upstreams = [edge.upstream(0), edge.upstream(1)];
  for (const upstream of upstreams) upstream.receive(answer(body));
  const sum = () => client.on(1).body.length + client.on(3).body.length;
  assert.equal(sum(), DEFAULT_WINDOW);
  client.grant(0, 1_000);
  assert.equal(sum(), DEFAULT_WINDOW + 1_000);
  client.grant(0, 100_000);
  assert.deepEqual([client.on(1).body, client.on(3).body], [body, body]);
  assert.equal(edge.overload.buffered, 0);
});

Deno.test("reading from the backend stops while a client does not take the answer", () => {
  const edge = harness();
  const client = stalledClient(edge);
  client.get(1);
  const upstream = edge.upstream(0);
  upstream.receive("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + "x".repeat(1_000));
  assert.equal(upstream.paused, true);
  client.grant(1, 1_000);
  assert.equal(upstream.paused, false);
});

Deno.test("SETTINGS change the windows of open streams, below zero too", () => {
  const edge = harness();
  const client = frameClient(edge, [[Setting.InitialWindowSize, 100]]);
  client.get(1);
  edge.upstream(0).receive(answer("x".repeat(300)));
  assert.equal(client.on(1).body.length, 100);
  client.send(settingsFrame([[Setting.InitialWindowSize, 20]]));
  // Now 80 below zero.
  client.grant(1, 80);
  assert.equal(client.on(1).body.length, 100);
  client.grant(1, 1);
  assert.equal(client.on(1).body.length, 101);
  client.send(settingsFrame([[Setting.InitialWindowSize, 219]]));
  assert.equal(client.on(1).body.length, 300);
  assert.equal(client.acks.settings, 3);
});

Deno.test("priority is read and ignored", () => {
  const edge = harness();
  const client = frameClient(edge);
  const priority = (parent: number) => {
    const payload = Buffer.alloc(5, 1);
    payload.writeUInt32BE(parent);
    return payload;
  };
  client.send(frame(FrameType.Priority, 0, 3, priority(1)));
  const block = headersFrame(1, pseudo("GET"), true).subarray(9);
  const flags = Flag.EndHeaders | Flag.EndStream | Flag.Priority;
  client.send(frame(FrameType.Headers, flags, 1, Buffer.concat([priority(3), block])));
  edge.upstream(0).receive(OK);
  client.send(frame(FrameType.Priority, 0, 1, priority(3)));
  assert.equal(client.on(1).body, "ok");
});

Deno.test("a drain says GOAWAY twice: streams that were under way are served", () => {
  const edge = http2Edge();
  const client = frameClient(edge);
  client.get(1);
  const backend = frameBackend(edge, 0);
  client.drain();
  assert.deepEqual(client.goAway, ErrorCode.NoError);
  assert.equal(client.goAways[0].last, 0x7fffffff);
  // Sent before the client knew.
  client.get(3);
  client.send(pingFrame(true, client.pings.at(-1)));
  client.read();
  assert.deepEqual(client.goAways.map(({ last }) => last), [0x7fffffff, 3]);
  for (const id of [1, 3]) {
    backend.headers(id, [[":status", "200"]], false);
    backend.data(id, "ok", true);
    assert.equal(client.on(id).body, "ok");
  }
  client.endsWith(ErrorCode.NoError);
  assertClean(edge, 1);
});

Deno.test("the last stream named by GOAWAY never grows", () => {
  const edge = harness();
  const client = frameClient(edge);
  client.get(1);
  client.drain();
  client.read();
  client.send(pingFrame(true, client.pings.at(-1)));
  client.get(3);
  edge.upstream(0).receive(OK);
  assert.equal(client.on(1).body, "ok");
  const lasts = (client.read(), client.goAways.map(({ last }) => last));
  assert.deepEqual(lasts, lasts.toSorted((a, b) => b - a));
});

Deno.test("a drain ends by its timer when the client does not answer", () => {
  const edge = harness();
  const client = frameClient(edge);
  client.drain();
  edge.pass(LIMIT.drainLingering);
  client.endsWith(ErrorCode.NoError);
  assertClean(edge, 1);
});

Deno.test("a client that does not answer the PING of a drain takes no new streams for ever", () => {
  const edge = harness();
  const client = frameClient(edge);
  client.get(1);
  client.drain();
  let answered = 0;
  for (let id = 3; id < 400; id += 2) {
    client.get(id);
    while (answered < edge.connects) edge.upstream(answered++).receive(OK);
    edge.pass(1_000);
    if (client.connection.ended) break;
  }
  assert.ok(client.connection.ended, "still open 200 s after the drain began");
});

Deno.test("GOAWAY of the client lets its streams end, and then the connection", () => {
  const edge = harness();
  const client = frameClient(edge);
  client.get(1);
  client.send(goAwayFrame(0, ErrorCode.NoError));
  edge.upstream(0).receive(OK);
  assert.equal(client.on(1).body, "ok");
  client.endsWith(ErrorCode.NoError);
  assertClean(edge, 1);
});

Deno.test("bug: frames behind GOAWAY in the same read are not answered on the ended connection", () => {
  const edge = harness();
  const client = frameClient(edge);
  client.send(goAwayFrame(0, ErrorCode.NoError), pingFrame(), settingsFrame([]));
  client.endsWith(ErrorCode.NoError);
  assertClean(edge, 1);
});

Deno.test("streams are taken up to the limit, then refused; a free place serves again", () => {
  const edge = http2Edge();
  const client = frameClient(edge);
  for (let i = 0; i < LIMIT.streams + 5; i++) client.get(1 + 2 * i);
  for (let i = 0; i < 5; i++) {
    assert.deepEqual(client.on(1 + 2 * (LIMIT.streams + i)).resets, [ErrorCode.RefusedStream]);
  }
  const backend = frameBackend(edge, 0);
  backend.headers(1, [[":status", "204"]], true);
  const next = 1 + 2 * (LIMIT.streams + 5);
  client.get(next);
  backend.headers(1 + 2 * LIMIT.streams, [[":status", "201"]], true);
  assert.deepEqual([client.on(1).status, client.on(next).status], [204, 201]);
  assert.equal(client.goAway, -1);
});

Deno.test("errors of our own to gRPC are an answer with trailers only", async (t) => {
  const grpc = (edge: Harness, ...more: Field[]) => {
    const client = frameClient(edge);
    client.post(1, "/s/M", GRPC, ["te", "trailers"], ...more);
    return client;
  };
  const expect = (client: FramePeer, status: string) => {
    const { sections, ended, body } = client.on(1);
    assert.deepEqual([sections.length, ended, body], [1, true, ""]);
    assert.deepEqual([sections[0].get(":status"), sections[0].get("grpc-status")], ["200", status]);
    assert.equal(sections[0].get("content-type"), "application/grpc");
  };
  await t.step("no route: UNIMPLEMENTED", () => expect(grpc(new Harness()), "12"));
  await t.step("metadata too large: RESOURCE_EXHAUSTED", () => {
    const edge = http2Edge();
    const more = Array.from({ length: 200 }, (_, i): Field => [`x-${i}`, "1"]);
    expect(grpc(edge, ...more), "8");
    assert.deepEqual(edge.log().map(({ status, reason }) => [status, reason]), [
      [431, "too_many_headers"],
    ]);
  });
  await t.step("no endpoint: UNAVAILABLE", () => {
    const edge = new Harness();
    edge.backend("b", { endpoints: [] });
    edge.route("/");
    expect(grpc(edge), "14");
  });
  await t.step("backend gone: UNAVAILABLE", () => {
    const edge = http2Edge();
    const client = grpc(edge);
    frameBackend(edge, 0).connection.gone();
    expect(client, "14");
  });
  await t.step("grpc-timeout: DEADLINE_EXCEEDED", () => {
    const edge = http2Edge();
    const client = grpc(edge, ["grpc-timeout", "5S"]);
    const backend = frameBackend(edge, 0);
    assert.equal(backend.on(1).sections[0].get("grpc-timeout"), "5S");
    edge.pass(4_000);
    assert.equal(client.on(1).over, false);
    edge.pass(1_000);
    expect(client, "4");
    assert.deepEqual(backend.on(1).resets, [ErrorCode.Cancel]);
  });
  await t.step("grpc-timeout within the answer ends it with its status", () => {
    const edge = http2Edge();
    const client = grpc(edge, ["grpc-timeout", "5S"]);
    const backend = frameBackend(edge, 0);
    backend.headers(1, [[":status", "200"], GRPC], false);
    edge.pass(5_000);
    assert.equal(client.on(1).over, true);
    assert.equal(client.on(1).sections.at(-1)!.get("grpc-status"), "4");
    assert.deepEqual(backend.on(1).resets, [ErrorCode.Cancel]);
  });
});

const CONNECT: Field[] = [
  [":method", "CONNECT"],
  [":protocol", "websocket"],
  [":scheme", "http"],
  [":authority", "h"],
  [":path", "/chat"],
  ["sec-websocket-version", "13"],
];

Deno.test("bug: a request that its client's FIN cuts short ends at once, here and at the backend", () => {
  const edge = http2Edge();
  const client = frameClient(edge);
  client.post(1);
  client.data(1, "the beginning", false);
  const backend = frameBackend(edge, 0);
  assert.ok(edge.overload.buffered > 0);
  client.connection.events.onEnd();
  backend.read();
  assert.deepEqual(backend.on(1).resets, [ErrorCode.Cancel]);
  assert.equal(edge.overload.buffered, 0);
  assert.ok(client.connection.closed);
});

Deno.test("bug: a key that the client made up does not go beside ours", () => {
  const edge = harness();
  const client = frameClient(edge);
  client.headers(1, [...CONNECT, ["sec-websocket-key", "mine"]], false);
  const keys = edge.upstream(0).take().match(/sec-websocket-key: .*/gi);
  assert.equal(keys?.length, 1);
  assert.ok(!keys![0].includes("mine"));
});

Deno.test("bug: more trailers than a block of 64 took are not cut short", () => {
  const edge = http2Edge();
  const client = frameClient(edge);
  client.get(1);
  const backend = frameBackend(edge, 0);
  backend.headers(1, [[":status", "200"]], false);
  const trailers = Array.from({ length: 100 }, (_, i): Field => [`x-${i}`, "1"]);
  backend.headers(1, trailers, true);
  assert.equal(client.on(1).sections.at(-1)!.get("x-99"), "1");
});

function upgraded(upstream: FakeConnection): string {
  const key = /^sec-websocket-key: (\S+)\r$/m.exec(upstream.take())![1];
  const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
    .digest("base64");
  return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
    `Sec-WebSocket-Accept: ${accept}\r\n\r\n`;
}

Deno.test("extended CONNECT opens a WebSocket at an HTTP/1.1 backend", () => {
  const edge = harness();
  const client = frameClient(edge);
  client.headers(1, CONNECT, false);
  client.data(1, "early", false);
  const upstream = edge.upstream(0);
  const reply = upgraded(upstream);
  upstream.receive(`${reply}first`);
  assert.deepEqual([client.on(1).status, client.on(1).body], [200, "first"]);
  assert.equal(upstream.take(), "early");
  client.data(1, "more", false);
  assert.equal(upstream.take(), "more");
  upstream.receive("back");
  assert.equal(client.on(1).body, "firstback");
  client.data(1, "", true);
  assert.equal(upstream.ended, true);
  upstream.receive("last");
  upstream.events.onEnd();
  assert.deepEqual([client.on(1).body, client.on(1).ended], ["firstbacklast", true]);
  assert.ok(upstream.closed);
  assert.deepEqual(edge.log().map(({ status, reason }) => [status, reason]), [[101, "ok"]]);
  assert.equal(edge.overload.buffered, 0);
});

Deno.test("a tunnel ends with whichever side breaks off", async (t) => {
  const open = () => {
    const edge = harness();
    const client = frameClient(edge);
    client.headers(1, CONNECT, false);
    const upstream = edge.upstream(0);
    upstream.receive(upgraded(upstream));
    assert.equal(client.on(1).status, 200);
    return { edge, client, upstream };
  };
  await t.step("RST_STREAM of the client", () => {
    const { client, upstream } = open();
    client.reset(1, ErrorCode.Cancel);
    assert.ok(upstream.closed);
  });
  await t.step("the client's connection", () => {
    const { edge, client, upstream } = open();
    client.connection.gone();
    assert.ok(upstream.closed);
    assertClean(edge, 1);
  });
  await t.step("the backend's connection", () => {
    const { client, upstream } = open();
    upstream.gone();
    assert.deepEqual(client.on(1).resets, [ErrorCode.InternalError]);
  });
  await t.step("nobody sends for long", () => {
    const { edge, client, upstream } = open();
    edge.pass(LIMIT.streamIdle);
    assert.ok(upstream.closed);
    assert.equal(client.on(1).over, true);
  });
  await t.step("bug: trailers of the client end its direction", () => {
    const { client, upstream } = open();
    client.headers(1, [["x-a", "1"]], true);
    assert.equal(upstream.ended, true);
  });
  await t.step("bug: what a paused backend has not taken is not lost when it ends its side", () => {
    const { client, upstream } = open();
    upstream.flowing = false;
    client.data(1, "one", false);
    client.data(1, "two", true);
    upstream.events.onEnd();
    upstream.drained();
    assert.equal(upstream.take(), "onetwo");
    assert.equal(client.on(1).ended, true);
  });
});

Deno.test("bug: a tunnel whose client ended with its head leaves nothing behind", () => {
  const edge = harness();
  const client = frameClient(edge);
  client.headers(1, CONNECT, true);
  if (edge.connects > 0) {
    const upstream = edge.upstream(0);
    upstream.receive(upgraded(upstream));
    upstream.events.onEnd();
    assert.ok(upstream.closed || upstream.ended, "the backend's connection is kept");
  }
  assert.ok(client.on(1).over);
});

Deno.test("a backend that answers extended CONNECT in another way opens nothing", async (t) => {
  for (
    const [name, reply, status] of [
      ["200", OK, 502],
      ["403", "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", 403],
      [
        "101 with another key",
        "HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n",
        502,
      ],
    ] as const
  ) {
    await t.step(name, () => {
      const edge = harness();
      const client = frameClient(edge);
      client.headers(1, CONNECT, false);
      client.data(1, "early", false);
      const upstream = edge.upstream(0);
      upstream.take();
      upstream.receive(reply);
      assert.equal(client.on(1).status, status);
      assert.equal(client.on(1).ended, true);
      assert.equal(upstream.take(), "");
      assert.ok(upstream.closed);
      assert.equal(edge.overload.buffered, 0);
    });
  }
});

Deno.test("a client that resets its stream cancels the backend's at once", () => {
  const edge = http2Edge();
  const client = frameClient(edge);
  client.get(1);
  const backend = frameBackend(edge, 0);
  client.reset(1, ErrorCode.Cancel);
  assert.deepEqual(backend.on(1).resets, [ErrorCode.Cancel]);
  assert.equal(edge.log()[0].reason, "client_gone");
});

Deno.test("a client that goes away cancels all its streams at the backend", () => {
  const edge = http2Edge();
  const client = frameClient(edge);
  for (const id of [1, 3, 5]) client.get(id);
  const backend = frameBackend(edge, 0);
  client.connection.gone();
  for (const id of [1, 3, 5]) assert.deepEqual(backend.on(id).resets, [ErrorCode.Cancel]);
  assertClean(edge, 1);
});

Deno.test("bug: a client that ends its side has gone, also while all its requests are whole", () => {
  const edge = http2Edge();
  const client = frameClient(edge);
  client.get(1);
  const backend = frameBackend(edge, 0);
  client.connection.events.onEnd();
  backend.read();
  assert.deepEqual(backend.on(1).resets, [ErrorCode.Cancel]);
  assert.ok(client.connection.closed);
  assertClean(edge, 1);
});

Deno.test("bug: of a request that is answered before its backend took all of it nothing is kept", async (t) => {
  for (const ended of [true, false]) {
    await t.step(ended ? "the client has sent it all" : "the client still sends", () => {
      const edge = harness();
      const client = frameClient(edge);
      client.post(1);
      const backend = edge.upstream(0);
      backend.flowing = false;
      client.data(1, "taken", false);
      client.data(1, "kept", ended);
      assert.equal(edge.overload.buffered, 4);
      backend.receive(OK);
      assert.equal(client.on(1).body, "ok");
      assert.equal(edge.overload.buffered, 0);
      edge.pass(LIMIT.lingering);
      assert.deepEqual(client.on(1).resets, ended ? [] : [ErrorCode.NoError]);
      client.drain();
      client.send(pingFrame(true, "draining"));
      client.endsWith(ErrorCode.NoError);
    });
  }
});

Deno.test("bug: a backend that has answered need not take the rest of its request", () => {
  const edge = http2Edge();
  const client = frameClient(edge);
  client.post(1);
  const backend = frameBackend(edge, 0, [[Setting.InitialWindowSize, 1]]);
  client.data(1, "content", true);
  backend.headers(1, [[":status", "200"]], true);
  assert.equal(client.on(1).status, 200);
  assert.deepEqual(backend.on(1).resets, [ErrorCode.NoError]);
  assert.equal(edge.overload.buffered, 0);
});

Deno.test("bug: an answer held for a slow client is not lost when the request ends after it", () => {
  const edge = http2Edge();
  const client = stalledClient(edge);
  client.post(1);
  client.data(1, "ab", false);
  const backend = frameBackend(edge, 0);
  backend.headers(1, [[":status", "200"]], false);
  backend.data(1, "first ", false);
  backend.data(1, "second ", false);
  backend.data(1, "third", true);
  client.data(1, "", true);
  assert.equal(backend.on(1).ended, true);
  client.grant(1, 1_000);
  assert.equal(client.on(1).body, "first second third");
  assert.equal(client.on(1).ended, true);
  assert.equal(edge.overload.buffered, 0);
});

Deno.test("a bidirectional stream flows both ways at once, in any order", () => {
  const edge = http2Edge();
  const client = frameClient(edge);
  client.post(1, "/s/M", GRPC);
  const backend = frameBackend(edge, 0);
  backend.headers(1, [[":status", "200"]], false);
  for (let i = 0; i < 10; i++) {
    client.data(1, `${i}`, false);
    backend.data(1, backend.on(1).body.at(-1)!, false);
  }
  client.data(1, "", true);
  backend.headers(1, [["grpc-status", "0"]], true);
  assert.equal(client.on(1).body, "0123456789");
  assert.equal(client.on(1).sections.at(-1)!.get("grpc-status"), "0");
  assert.equal(edge.log()[0].reason, "ok");
});

Deno.test("a client that takes its answers slowly but steadily is not cut", () => {
  const edge = harness();
  const client = stalledClient(edge);
  client.get(1);
  const upstream = edge.upstream(0);
  upstream.receive("HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n" + "x".repeat(60_000));
  for (let i = 0; i < 6; i++) {
    edge.pass(LIMIT.bodyProgress / 2);
    client.grant(1, 10_000);
  }
  assert.deepEqual(client.on(1).resets, []);
  assert.equal(client.on(1).body.length, 60_000);
  assert.equal(client.on(1).ended, true);
});

Deno.test("long connections are not ended for control frames that came slowly", async (t) => {
  await t.step("keep-alive PING", () => {
    const edge = harness();
    const client = frameClient(edge);
    client.post(1);
    const upstream = edge.upstream(0);
    upstream.receive("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (let i = 0; i < 2_000; i++) {
      client.send(pingFrame(), dataFrame(1, "x", false));
      upstream.receive("1\r\nx\r\n");
      edge.pass(10_000);
    }
    assert.equal(client.acks.ping, 2_000);
    assert.equal(client.goAway, -1);
  });
  await t.step("requests that the client cancels now and then", () => {
    const edge = http2Edge();
    const client = frameClient(edge);
    let backend: FramePeer | null = null;
    for (let i = 0; i < 2_000; i++) {
      client.get(1 + 2 * i);
      backend ??= frameBackend(edge, 0);
      client.reset(1 + 2 * i, ErrorCode.Cancel);
      backend.send(pingFrame());
      edge.pass(1_000);
    }
    assert.equal(client.goAway, -1);
    assert.equal(backend!.goAway, -1);
    assert.equal(edge.connects, 1);
  });
});

Deno.test("a client that measures the path with a PING for each DATA is not taken for a flood", () => {
  // What grpc-go does in both roles, one PING for each round trip.
  const edge = harness();
  const client = wideClient(edge);
  client.get(1);
  const upstream = edge.upstream(0);
  upstream.receive("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (let i = 0; i < 5_000; i++) {
    upstream.receive("1\r\nx\r\n");
    client.send(pingFrame());
    if (i % 500 === 0) edge.pass(1_000);
  }
  assert.equal(client.goAway, -1);
  assert.equal(client.on(1).body.length, 5_000);
});

Deno.test("frames may be cut anywhere", () => {
  const bytes = Buffer.concat([
    headersFrame(1, pseudo("POST"), false),
    dataFrame(1, "ab", false),
    paddedFrame(1, "cd", 3, false),
    headersFrame(1, [["x-t", "1"]], true),
  ]);
  for (let cut = 1; cut < bytes.length; cut++) {
    const edge = harness();
    const client = frameClient(edge);
    client.send(bytes.subarray(0, cut));
    client.send(bytes.subarray(cut));
    const upstream = edge.upstream(0);
    assert.deepEqual(content(upstream.take()), { body: "abcd", trailers: "x-t: 1\r\n" });
    allGone(client.connection, upstream);
    assertClean(edge, 1);
  }
});

Deno.test("streams of one connection do not mix, whichever is answered first", () => {
  const edge = http2Edge();
  const client = frameClient(edge);
  const ids = [...Array(50).keys()].map((i) => 1 + 2 * i);
  client.send(...ids.map((id) => headersFrame(id, pseudo("GET", `/${id}`), true)));
  const backend = frameBackend(edge, 0);
  for (const id of ids.toReversed()) {
    backend.headers(id, [[":status", "200"]], false);
    backend.data(id, backend.on(id).sections[0].get(":path")!, id % 3 === 0);
  }
  for (const id of ids) if (id % 3 !== 0) backend.data(id, "", true);
  for (const id of ids) {
    assert.deepEqual([client.on(id).body, client.on(id).ended], [`/${id}`, true]);
  }
  assert.equal(edge.connects, 1);
});

Deno.test("a request that ends by RST_STREAM in the read of its head reaches no pool", () => {
  const edge = http2Edge();
  const client = frameClient(edge);
  client.send(headersFrame(1, pseudo("GET"), true), resetFrame(1, ErrorCode.Cancel));
  const backend = frameBackend(edge, 0);
  assert.equal(backend.streams.size, 0);
  client.get(3);
  backend.send(windowFrame(0, 1));
  assert.equal(backend.on(1).sections[0].get(":path"), "/");
});
