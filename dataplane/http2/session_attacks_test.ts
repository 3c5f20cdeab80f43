import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import {
  assertClean,
  dataFrame,
  four,
  frameBackend,
  type FrameClient,
  frameClient,
  FramePeer,
  headersFrame,
  http2Edge,
  openHeadersFrame,
  paddedFrame,
  pingFrame,
  pseudo,
  repeatedReferences,
  resetFrame,
  settingsFrame,
  stalledClient,
  wideClient,
  windowFrame,
} from "../../tests/support/http2_frames.ts";
import { Harness, harness, OK } from "../../tests/support/exchange_harness.ts";
import { type Field, frame, literal, section } from "../../tests/support/http2_wire.ts";
import { LIMIT } from "../config/defaults.ts";
import { ErrorCode, Flag, FrameType, MAX_WINDOW, Setting } from "./frame.ts";
import { PREFACE } from "./preface.ts";

/** Far more than any budget admits at once. */
const FLOOD = 20_000;
const EMPTY = Buffer.alloc(0);

/** Sends until the connection is given up; returns how often that was. */
function flood(client: FrameClient, next: (i: number) => Uint8Array, times = FLOOD): number {
  for (let i = 0; i < times; i++) {
    if (client.connection.ended) return i;
    client.send(next(i));
  }
  return times;
}

const id = (i: number) => 1 + 2 * i;

/** An attack that must end the connection with ENHANCE_YOUR_CALM long before it is through. */
function isGivenUp(
  name: string,
  next: (i: number, client: FrameClient) => Uint8Array,
  prepare: (client: FrameClient) => void = () => {},
  code = ErrorCode.EnhanceYourCalm,
): void {
  Deno.test(`flood: ${name}`, () => {
    const edge = http2Edge();
    const client = frameClient(edge);
    prepare(client);
    const taken = flood(client, (i) => next(i, client));
    assert.ok(taken < FLOOD / 2, `${taken} were taken`);
    client.endsWith(code);
    assertClean(edge, 1);
  });
}

const openStream = (client: FrameClient) => client.post(1);
const resetByUs = (client: FrameClient) => {
  client.post(1);
  client.grant(1, 0);
  assert.deepEqual(client.on(1).resets, [ErrorCode.ProtocolError]);
};

isGivenUp("rapid reset", (i) =>
  Buffer.concat([
    headersFrame(id(i), pseudo("GET"), true),
    resetFrame(id(i), ErrorCode.Cancel),
  ]));
isGivenUp("requests above the limit of streams", (i) => headersFrame(id(i), pseudo("GET"), true));
isGivenUp("PING", () => pingFrame());
isGivenUp("PING ACK that nobody asked for", () => pingFrame(true));
isGivenUp("SETTINGS", () => settingsFrame([]));
isGivenUp(
  "SETTINGS that change the windows",
  (i) => settingsFrame([[Setting.InitialWindowSize, i]]),
  openStream,
);
isGivenUp(
  "large SETTINGS of unknown kinds",
  () => settingsFrame(Array.from({ length: 2_000 }, () => [0x1234, 1] as const)),
);
isGivenUp("SETTINGS ACK", () => frame(FrameType.Settings, Flag.Ack, 0, EMPTY));
isGivenUp("PRIORITY", (i) => frame(FrameType.Priority, 0, id(i), Buffer.alloc(5)));
isGivenUp("unknown frames", () => frame(0x42 as FrameType, 0, 0, Buffer.alloc(16)));
isGivenUp("WINDOW_UPDATE of the connection", () => windowFrame(0, 1));
isGivenUp("WINDOW_UPDATE of a stream", () => windowFrame(1, 1), openStream);
isGivenUp("empty DATA", () => dataFrame(1, "", false), openStream);
isGivenUp("DATA of padding alone", () => paddedFrame(1, "", 0, false), openStream);
isGivenUp(
  "RST_STREAM of a stream that is gone",
  () => resetFrame(1, ErrorCode.Cancel),
  (client) => {
    openStream(client);
    client.reset(1, ErrorCode.Cancel);
  },
);
isGivenUp("DATA that ends a stream which we have reset", () => dataFrame(1, "", true), resetByUs);
isGivenUp(
  "HEADERS of a stream which we have reset",
  () => headersFrame(1, [["x-a", "b"]], false),
  resetByUs,
);
isGivenUp(
  "HEADERS that end a stream which we have reset",
  () => headersFrame(1, [["x-a", "b"]], true),
  resetByUs,
  // One may have been under way; the next is on a stream that its sender had ended.
  ErrorCode.StreamClosed,
);
isGivenUp("GOAWAY", () => frame(FrameType.GoAway, 0, 0, Buffer.alloc(8)), openStream);

/** Each makes us reset the stream: as costly as a reset of the client's own (CVE-2025-8671). */
const primitives: [string, (id: number) => Uint8Array[]][] = [
  ["empty WINDOW_UPDATE", (id) => [headersFrame(id, pseudo("GET"), true), windowFrame(id, 0)]],
  ["overflowing WINDOW_UPDATE", (id) => [
    headersFrame(id, pseudo("GET"), true),
    windowFrame(id, MAX_WINDOW),
  ]],
  ["DATA on a half-closed stream", (id) => [
    headersFrame(id, pseudo("GET"), true),
    dataFrame(id, "x", true),
  ]],
  ["HEADERS on a half-closed stream", (id) => [
    headersFrame(id, pseudo("GET"), true),
    headersFrame(id, [["x-a", "b"]], true),
  ]],
  ["PRIORITY of a wrong size", (id) => [
    headersFrame(id, pseudo("GET"), true),
    frame(FrameType.Priority, 0, id, Buffer.alloc(4)),
  ]],
  ["PRIORITY on itself", (id) => [
    headersFrame(id, pseudo("GET"), true),
    frame(FrameType.Priority, 0, id, Buffer.concat([four(id), Buffer.alloc(1)])),
  ]],
  ["HEADERS that depend on themselves", (id) => {
    const block = Buffer.concat([four(id), Buffer.alloc(1), section(pseudo("GET"))]);
    const flags = Flag.EndHeaders | Flag.EndStream | Flag.Priority;
    return [frame(FrameType.Headers, flags, id, block)];
  }],
  ["less content than announced", (id) => [
    headersFrame(id, [...pseudo("POST"), ["content-length", "4"]], false),
    dataFrame(id, "x", true),
  ]],
  ["more content than announced", (id) => [
    headersFrame(id, [...pseudo("POST"), ["content-length", "4"]], false),
    dataFrame(id, "12345", false),
  ]],
  ["malformed requests", (id) => [headersFrame(id, [...pseudo("GET"), ["X-Upper", "1"]], true)]],
  ["malformed trailers", (id) => [
    headersFrame(id, pseudo("POST"), false),
    headersFrame(id, pseudo("GET"), true),
  ]],
  ["more content than the stream's window", (id) => [
    headersFrame(id, pseudo("POST"), false),
    ...Array.from({ length: 17 }, () => dataFrame(id, Buffer.alloc(16_384), false)),
  ]],
];

for (const [name, attack] of primitives) {
  Deno.test(`resets that we are made to send count: ${name}`, () => {
    const edge = http2Edge();
    const client = frameClient(edge);
    let i = 0;
    for (; i < 500 && !client.connection.ended; i++) {
      client.send(...attack(id(i)));
      assert.ok(client.connection.ended || client.on(id(i)).resets.length > 0, "not reset");
    }
    assert.ok(i <= 101, `${i} resets were taken`);
    client.endsWith(ErrorCode.EnhanceYourCalm);
    assertClean(edge, 1);
  });
}

Deno.test("a client that cancels as browsers do stays", () => {
  const edge = http2Edge();
  const client = frameClient(edge);
  for (let i = 0; i < 2_000; i++) {
    client.send(headersFrame(id(i), pseudo("GET"), true), resetFrame(id(i), ErrorCode.Cancel));
    if (i % 20 === 19) edge.pass(1_000);
  }
  assert.equal(client.goAway, -1);
});

Deno.test("streams that a broken backend cuts are not the client's fault", () => {
  const edge = http2Edge();
  const client = frameClient(edge);
  let backend: FramePeer | null = null;
  for (let i = 0; i < 300; i++) {
    client.get(id(i));
    backend ??= frameBackend(edge, 0);
    backend.headers(id(i), [[":status", "200"]], false);
    backend.reset(id(i), ErrorCode.InternalError);
    assert.deepEqual(client.on(id(i)).resets, [ErrorCode.InternalError]);
    // Slower than the backend's own budget.
    edge.pass(25);
  }
  assert.equal(client.goAway, -1);
});

Deno.test("CONTINUATION: frames and bytes of one section are bounded", async (t) => {
  await t.step("empty frames", () => {
    const edge = harness();
    const client = frameClient(edge);
    client.send(openHeadersFrame(1, pseudo("GET")));
    const taken = flood(client, () => frame(FrameType.Continuation, 0, 1, EMPTY));
    assert.ok(taken <= LIMIT.continuations + 1);
    client.endsWith(ErrorCode.EnhanceYourCalm);
    assertClean(edge, 1);
  });
  await t.step("large frames", () => {
    const edge = harness();
    const client = frameClient(edge);
    client.send(openHeadersFrame(1, pseudo("GET")));
    const taken = flood(
      client,
      () => frame(FrameType.Continuation, 0, 1, literal("a", "x".repeat(16_000))),
    );
    assert.ok(taken <= 2 * LIMIT.headBytes / 16_000 + 1, `${taken} were taken`);
    client.endsWith(ErrorCode.EnhanceYourCalm);
    assertClean(edge, 1);
  });
  await t.step("anything between them", () => {
    for (const between of [pingFrame(), dataFrame(1, "x", false), settingsFrame([])]) {
      const edge = harness();
      const client = frameClient(edge);
      client.send(openHeadersFrame(1, pseudo("GET")), between);
      client.endsWith(ErrorCode.ProtocolError);
      assertClean(edge, 1);
    }
  });
});

Deno.test("header lists: too many fields get 431, and the connection goes on", () => {
  const edge = harness();
  const client = frameClient(edge);
  const many = Array.from({ length: LIMIT.fields + 1 }, (_, i): Field => [`x-${i}`, "1"]);
  client.headers(1, [...pseudo("GET"), ...many], true);
  assert.deepEqual([client.on(1).status, client.on(1).ended], [431, true]);
  client.headers(3, [...pseudo("GET"), ...many.slice(1 + pseudo("GET").length)], true);
  edge.upstream(0).receive(OK);
  assert.equal(client.on(3).body, "ok");
});

Deno.test("HPACK: a small block that unfolds into a large list is refused with 431", () => {
  const edge = harness();
  const client = frameClient(edge);
  const block = repeatedReferences(4_000, 12_000);
  client.send(
    frame(FrameType.Headers, Flag.EndHeaders | Flag.EndStream, 1, block),
  );
  assert.equal(client.on(1).status, 431);
  assert.equal(edge.connects, 0);
});

Deno.test("HPACK: what cannot be decoded ends the connection", async (t) => {
  const blocks: [string, Buffer][] = [
    ["index 0", Buffer.from([0x80])],
    ["an index beyond the tables", Buffer.from([0xff, 0x20])],
    ["an endless integer", Buffer.alloc(64, 0xff)],
    ["a string longer than the block", Buffer.from([0x40, 0x7f, 0xff, 0x01])],
    ["a table above what we offered", Buffer.from([0x3f, 0xe2, 0x1f])],
    ["a size update behind a field", Buffer.from([0x82, 0x20])],
    ["EOS in a Huffman string", Buffer.from([0x40, 0x84, 0xff, 0xff, 0xff, 0xff, 0x00])],
  ];
  for (const [name, block] of blocks) {
    await t.step(name, () => {
      const edge = harness();
      const client = frameClient(edge);
      client.get(1);
      client.send(frame(FrameType.Headers, Flag.EndHeaders | Flag.EndStream, 3, block));
      client.endsWith(ErrorCode.CompressionError);
      assertClean(edge, 1);
    });
  }
});

/** Passes time until nothing can be left; every stream must be over by then. */
function passEverything(edge: Harness): void {
  edge.pass(3 * Math.max(LIMIT.bodyProgress, LIMIT.idle, LIMIT.responseHead));
}

Deno.test("a client that grants no window: kept bytes are bounded, every stream ends by its deadline", async (t) => {
  await t.step("answers of an HTTP/1.1 backend", () => {
    const edge = harness();
    const client = stalledClient(edge);
    for (let i = 0; i < LIMIT.streams; i++) client.get(id(i));
    for (let i = 0; i < LIMIT.streams; i++) {
      edge.upstream(i).receive(
        `HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n${"x".repeat(60_000)}`,
      );
    }
    assert.ok(edge.overload.buffered <= LIMIT.streams * 65_536);
    passEverything(edge);
    for (let i = 0; i < LIMIT.streams; i++) {
      assert.deepEqual(client.on(id(i)).resets, [ErrorCode.Cancel]);
    }
    assert.ok(edge.transport.opened.every(({ connection }) => connection.closed));
    client.endsWith(ErrorCode.NoError);
    assertClean(edge, 1);
  });
  await t.step("answers of an HTTP/2 backend", () => {
    const edge = http2Edge();
    const client = stalledClient(edge);
    for (let i = 0; i < LIMIT.streams; i++) client.get(id(i));
    const backend = frameBackend(edge, 0);
    for (let i = 0; i < 16; i++) {
      backend.headers(id(i), [[":status", "200"]], false);
      for (let k = 0; k < 3; k++) backend.data(id(i), Buffer.alloc(16_000), false);
    }
    assert.ok(edge.overload.buffered <= LIMIT.bufferedBytes);
    passEverything(edge);
    for (let i = 0; i < LIMIT.streams; i++) assert.ok(client.on(id(i)).over, `stream ${i}`);
    client.endsWith(ErrorCode.NoError);
    assertClean(edge, 1);
  });
  await t.step("answers of our own", () => {
    const edge = new Harness();
    const client = stalledClient(edge);
    for (let i = 0; i < LIMIT.streams; i++) client.get(id(i));
    passEverything(edge);
    for (let i = 0; i < LIMIT.streams; i++) {
      assert.ok(client.on(id(i)).over, `stream ${i} is open for ever`);
    }
    client.endsWith(ErrorCode.NoError);
    assertClean(edge, 1);
  });
  await t.step("answers of our own to heads that were refused", () => {
    const edge = new Harness();
    const client = stalledClient(edge);
    const many = Array.from({ length: LIMIT.fields + 1 }, (_, i): Field => [`x-${i}`, "1"]);
    for (let i = 0; i < 10; i++) client.headers(id(i), [...pseudo("POST"), ...many], i % 2 === 0);
    passEverything(edge);
    for (let i = 0; i < 10; i++) assert.ok(client.on(id(i)).over, `stream ${i} is open for ever`);
    client.endsWith(ErrorCode.NoError);
    assertClean(edge, 1);
  });
  await t.step("an answer to a body that never came", () => {
    const edge = http2Edge();
    const client = stalledClient(edge);
    client.post(1);
    frameBackend(edge, 0);
    passEverything(edge);
    assert.equal(client.on(1).status, 408);
    assert.ok(client.on(1).over, "the stream is open for ever");
    client.endsWith(ErrorCode.NoError);
    assertClean(edge, 1);
  });
  await t.step("trailers behind content", () => {
    const edge = http2Edge();
    const client = stalledClient(edge);
    client.get(1);
    const backend = frameBackend(edge, 0);
    backend.headers(1, [[":status", "200"]], false);
    backend.data(1, "x", false);
    backend.headers(1, [["x-t", "1"]], true);
    passEverything(edge);
    assert.ok(client.on(1).over);
    client.endsWith(ErrorCode.NoError);
    assertClean(edge, 1);
  });
});

Deno.test("a client whose socket takes nothing: every stream ends by its deadline", () => {
  const edge = harness();
  const client = wideClient(edge);
  client.connection.flowing = false;
  for (let i = 0; i < LIMIT.streams; i++) client.get(id(i));
  for (let i = 0; i < LIMIT.streams; i++) {
    edge.upstream(i).receive(
      `HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n${"x".repeat(60_000)}`,
    );
  }
  assert.ok(edge.overload.buffered <= LIMIT.streams * 65_536);
  passEverything(edge);
  assert.ok(edge.transport.opened.every(({ connection }) => connection.closed));
  client.endsWith(ErrorCode.NoError);
  assertClean(edge, 1);
});

Deno.test("what waits for a client that does not read is bounded, whatever it asks for", async (t) => {
  const attacks: [string, Harness, (i: number) => Uint8Array][] = [
    [
      "answers of our own without content",
      new Harness(),
      (i) => headersFrame(id(i), pseudo("HEAD"), true),
    ],
    [
      "gRPC errors",
      new Harness(),
      (i) => headersFrame(id(i), [...pseudo("POST"), ["content-type", "application/grpc"]], true),
    ],
    [
      "answers of our own with content",
      new Harness(),
      (i) => headersFrame(id(i), pseudo("GET"), true),
    ],
    ["PING", new Harness(), () => pingFrame()],
    ["SETTINGS", new Harness(), () => settingsFrame([])],
  ];
  for (const [name, edge, next] of attacks) {
    await t.step(name, () => {
      const client = wideClient(edge);
      client.connection.flowing = false;
      const before = client.bytes;
      // Slow enough for every budget.
      for (let i = 0; i < 20_000 && !client.connection.ended && !client.connection.paused; i++) {
        client.send(next(i));
        if (i % 100 === 0) edge.pass(1_000);
      }
      const queued = client.bytes - before;
      assert.ok(queued < 1 << 16, `${queued} bytes wait for a client that reads nothing`);
    });
  }
});

Deno.test("bug: an exchange whose answer cannot be kept is not given back twice", async (t) => {
  /** Two exchanges that are one would mix the answers of two clients. */
  const assertDistinct = (edge: Harness) => {
    const taken = Array.from({ length: 8 }, () => edge.engine.exchanges.take(edge.engine));
    assert.equal(new Set(taken).size, taken.length);
  };
  await t.step("an answer of our own", () => {
    const edge = new Harness();
    const client = stalledClient(edge);
    edge.overload.buffered = LIMIT.bufferedBytes;
    client.get(1);
    assert.equal(client.on(1).over, true);
    assertDistinct(edge);
    assert.equal(edge.log().length, 1);
  });
  await t.step("a complete answer of a backend", () => {
    const edge = harness();
    const client = stalledClient(edge);
    client.get(1);
    const upstream = edge.upstream(0);
    edge.overload.buffered = LIMIT.bufferedBytes;
    upstream.receive(OK);
    assert.equal(client.on(1).over, true);
    assertDistinct(edge);
    assert.equal(edge.log().length, 1);
  });
  await t.step("the last piece of an answer", () => {
    const edge = harness();
    const client = stalledClient(edge);
    client.get(1);
    const upstream = edge.upstream(0);
    upstream.receive("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
    edge.overload.buffered = LIMIT.bufferedBytes;
    upstream.receive("ok");
    assert.equal(client.on(1).over, true);
    assertDistinct(edge);
    assert.equal(edge.log().length, 1);
  });
  await t.step("the content of a request", () => {
    const edge = http2Edge();
    const client = frameClient(edge);
    client.post(1);
    frameBackend(edge, 0, [[Setting.InitialWindowSize, 0]]);
    edge.overload.buffered = LIMIT.bufferedBytes;
    client.data(1, "content", false);
    assertDistinct(edge);
    assert.equal(edge.log().length, 1);
  });
});

Deno.test("above the limit of kept bytes streams are reset, and the account is right afterwards", () => {
  const edge = harness();
  const client = stalledClient(edge);
  const reserved = LIMIT.bufferedBytes - 100_000;
  edge.overload.buffered = reserved;
  for (let i = 0; i < 5; i++) client.get(id(i));
  for (let i = 0; i < 5; i++) {
    edge.upstream(i).receive(
      `HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n${"x".repeat(30_000)}`,
    );
    assert.ok(edge.overload.buffered <= LIMIT.bufferedBytes);
  }
  assert.deepEqual([0, 1, 2, 3, 4].map((i) => client.on(id(i)).resets), [
    [],
    [],
    [],
    [ErrorCode.EnhanceYourCalm],
    [ErrorCode.EnhanceYourCalm],
  ]);
  client.connection.gone();
  assert.equal(edge.overload.buffered, reserved);
});

/** Heap and buffers in use, after a collection where the runtime offers one. */
function memory(): number {
  (globalThis as { gc?: () => void }).gc?.();
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}

Deno.test("kept content costs memory in proportion to its bytes, however it is cut", async (t) => {
  /** As many frames of one byte as a stream's window takes, in reads of 64 KiB. */
  const drip = (client: FrameClient, stream: number, bytes: number) => {
    const one = dataFrame(stream, "x", false);
    const many = Buffer.concat(Array.from({ length: 4_096 }, () => one));
    for (let sent = 0; sent < bytes; sent += 4_096) client.connection.receive(many);
    client.read();
  };
  /** Room for measuring, above what content of that size may take. */
  const most = (bytes: number) => 16 * bytes + (4 << 20);

  await t.step("content that waits for a connection to the backend", () => {
    const edge = harness();
    const client = frameClient(edge);
    client.post(1);
    const before = memory();
    drip(client, 1, LIMIT.streamWindow);
    const used = memory() - before;
    assert.ok(used < most(LIMIT.streamWindow), `${used} bytes for ${LIMIT.streamWindow}`);
    client.connection.gone();
  });
  await t.step("content kept for sending it again", () => {
    const edge = http2Edge();
    const client = frameClient(edge);
    client.post(1);
    const backend = frameBackend(edge, 0);
    backend.send(windowFrame(0, 1 << 20), windowFrame(1, 1 << 20));
    const before = memory();
    drip(client, 1, LIMIT.replayBytes - 4_096);
    backend.read();
    const used = memory() - before;
    assert.ok(used < most(LIMIT.replayBytes), `${used} bytes for ${LIMIT.replayBytes}`);
    client.connection.gone();
  });
});

Deno.test("content in tiny frames is passed on in pieces that are worth a write", () => {
  // One write for each byte of a full window takes the worker from everybody for half a minute.
  const edge = harness();
  const client = frameClient(edge);
  client.post(1);
  const bytes = 8_192;
  const one = dataFrame(1, "x", false);
  client.send(...Array.from({ length: bytes }, () => one));
  const upstream = edge.upstream(0);
  const chunks = upstream.take().match(/\r\nx+(?=\r\n)/g)!;
  assert.ok(chunks.length <= bytes / 256, `${chunks.length} chunks for ${bytes} bytes`);
});

Deno.test("content kept for sending it again counts as kept bytes", () => {
  const edge = http2Edge();
  const client = frameClient(edge);
  client.post(1);
  const backend = frameBackend(edge, 0);
  for (let i = 0; i < 3; i++) client.data(1, Buffer.alloc(16_000), false);
  assert.ok(backend.on(1).body.length === 48_000);
  assert.ok(edge.overload.buffered >= 48_000, "nobody bounds it in all");
  client.reset(1, ErrorCode.Cancel);
  assert.equal(edge.overload.buffered, 0);
});

Deno.test("a slow client of one backend connection does not hold up the others", () => {
  const edge = http2Edge();
  const slow = stalledClient(edge);
  const streams = 8;
  for (let i = 0; i < streams; i++) slow.get(id(i), "/large");
  const backend = frameBackend(edge, 0);
  // Of each answer as much as the windows allow.
  let sent = 0;
  const window = () => 65_535 + (backend.updates.get(0) ?? 0) - sent;
  for (let i = 0; i < streams; i++) {
    backend.headers(id(i), [[":status", "200"]], false);
    for (let left = LIMIT.streamWindow; left > 0 && window() > 0;) {
      const size = Math.min(16_384, left, window());
      backend.data(id(i), Buffer.alloc(size), false);
      left -= size;
      sent += size;
    }
  }
  assert.ok(window() > 0, "the backend may send nothing to anybody");
});

Deno.test("a client that begins slowly is ended by its timer", async (t) => {
  await t.step("no byte", () => {
    const edge = harness();
    const client = new FramePeer(edge, edge.http2Client(), "client");
    edge.pass(LIMIT.requestHead);
    client.endsWith(ErrorCode.EnhanceYourCalm);
    assertClean(edge, 1);
  });
  await t.step("a preface in pieces", () => {
    const edge = harness();
    const client = new FramePeer(edge, edge.http2Client(), "client");
    for (let at = 0; at < PREFACE.length && !client.connection.ended; at++) {
      client.send(PREFACE.subarray(at, at + 1));
      edge.pass(1_000);
    }
    client.endsWith(ErrorCode.EnhanceYourCalm);
    assertClean(edge, 1);
  });
  await t.step("a wrong preface", () => {
    const edge = harness();
    const client = new FramePeer(edge, edge.http2Client(), "client");
    client.send(Buffer.from("GET / HTTP/1.1\r\n"));
    client.endsWith(ErrorCode.ProtocolError);
    assertClean(edge, 1);
  });
  await t.step("no SETTINGS", () => {
    const edge = harness();
    const client = new FramePeer(edge, edge.http2Client(), "client");
    client.send(PREFACE);
    edge.pass(LIMIT.requestHead);
    client.endsWith(ErrorCode.EnhanceYourCalm);
    assertClean(edge, 1);
  });
});

Deno.test("a field section that comes slowly is ended by its timer", async (t) => {
  const slowly = (client: FrameClient, edge: Harness, stream: number, limit: number) => {
    const bytes = headersFrame(stream, [...pseudo("GET"), ["x-a", "b".repeat(100)]], true);
    for (let at = 0; at < bytes.length && !client.connection.ended; at++) {
      client.send(bytes.subarray(at, at + 1));
      edge.pass(1_000);
      limit -= 1_000;
      if (limit < 0) break;
    }
    client.endsWith(ErrorCode.EnhanceYourCalm);
    assertClean(edge, 1);
  };
  await t.step("beside a request in progress", () => {
    const edge = harness({}, { connectTimeoutMs: 600_000 });
    const client = frameClient(edge);
    client.get(1);
    slowly(client, edge, 3, LIMIT.requestHead + 1_000);
  });
  await t.step("on a connection without a request", () => {
    const edge = harness();
    slowly(frameClient(edge), edge, 1, LIMIT.requestHead + 1_000);
  });
  await t.step("in CONTINUATION", () => {
    const edge = harness();
    const client = frameClient(edge);
    client.send(openHeadersFrame(1, pseudo("GET")));
    for (let i = 0; i < 11 && !client.connection.ended; i++) {
      edge.pass(1_000);
      if (!client.connection.ended) {
        client.send(frame(FrameType.Continuation, 0, 1, literal("a", "b")));
      }
    }
    client.endsWith(ErrorCode.EnhanceYourCalm);
    assertClean(edge, 1);
  });
});

Deno.test("a body that stops gets 408, and the stream ends", () => {
  const edge = http2Edge();
  const client = frameClient(edge);
  client.post(1);
  const backend = frameBackend(edge, 0);
  client.data(1, "x", false);
  edge.pass(LIMIT.bodyProgress);
  assert.equal(client.on(1).status, 408);
  edge.pass(LIMIT.lingering);
  assert.deepEqual(client.on(1).resets, [ErrorCode.NoError]);
  assert.deepEqual(backend.on(1).resets, [ErrorCode.Cancel]);
  assert.equal(edge.overload.buffered, 0);
});

Deno.test("padding and empty frames do not keep a body alive", () => {
  const edge = http2Edge();
  const client = frameClient(edge);
  client.post(1);
  frameBackend(edge, 0);
  for (let i = 0; i < 70 && client.on(1).status === 0; i++) {
    client.send(paddedFrame(1, "", 10, false), dataFrame(1, "", false));
    edge.pass(1_000);
  }
  assert.equal(client.on(1).status, 408);
});

Deno.test("an idle connection ends with NO_ERROR, whatever control frames keep coming", () => {
  const edge = harness();
  const client = frameClient(edge);
  for (let i = 0; i < 80 && !client.connection.ended; i++) {
    client.send(pingFrame(), windowFrame(0, 1));
    edge.pass(1_000);
  }
  client.endsWith(ErrorCode.NoError);
  assertClean(edge, 1);
});

Deno.test("a connection that is ended but not let go is closed soon", () => {
  const edge = harness();
  const client = frameClient(edge);
  client.get(2);
  assert.equal(client.goAway, ErrorCode.ProtocolError);
  assert.equal(client.connection.closed, false);
  // What still comes is neither read nor answered.
  client.send(pingFrame(), headersFrame(1, pseudo("GET"), true));
  assert.equal(edge.connects, 0);
  edge.pass(LIMIT.lingering);
  assert.equal(client.connection.closed, true);
  client.connection.gone();
  assertClean(edge, 1);
});

Deno.test("windows: content above them ends the stream or the connection", () => {
  const edge = harness();
  const client = frameClient(edge);
  // Nothing is connected, so nothing is given back.
  const streams = LIMIT.connectionWindow / LIMIT.initialStreamWindow;
  for (let i = 0; i < streams; i++) client.post(id(i));
  for (let i = 0; i < streams; i++) {
    for (let sent = 0; sent < LIMIT.initialStreamWindow; sent += 16_384) {
      client.data(id(i), Buffer.alloc(16_384), false);
    }
  }
  assert.equal(edge.overload.buffered, LIMIT.connectionWindow);
  client.post(id(streams));
  client.data(id(streams), "x", false);
  client.endsWith(ErrorCode.FlowControlError);
  assertClean(edge, 1);
});

Deno.test("windows: a connection that has moved much content has them back in full", () => {
  const edge = http2Edge();
  const client = frameClient(edge);
  let sent = 0;
  let backend: FramePeer | null = null;
  for (let i = 0; i < 200; i++) {
    // Every way in which a stream may end, with content that was used, held, refused and padded.
    client.post(id(i), "/", ...(i % 7 === 6 ? [["content-length", "1"] as const] : []));
    backend ??= frameBackend(edge, 0);
    backend.send(windowFrame(0, 40_000));
    client.send(paddedFrame(id(i), "x".repeat(1_000), 255, false));
    client.data(id(i), Buffer.alloc(10_000), false);
    sent += 1_256 + 10_000;
    if (i % 5 === 0) client.reset(id(i), ErrorCode.Cancel);
    else if (i % 5 === 1) backend.reset(id(i), ErrorCode.Cancel);
    else if (i % 5 === 2 && !client.on(id(i)).over) {
      backend.headers(id(i), [[":status", "200"]], true);
    } else client.data(id(i), "", true);
    // What arrives behind the end counts too.
    if (i % 5 < 3) {
      client.data(id(i), Buffer.alloc(5_000), false);
      sent += 5_000;
    }
    if (i % 5 >= 3 && !client.on(id(i)).over) backend.headers(id(i), [[":status", "200"]], true);
    edge.pass(1_000);
  }
  assert.equal(client.goAway, -1);
  const left = 65_535 + client.updates.get(0)! - sent;
  // Less than half of it is held back, to be given in one frame.
  assert.ok(left > LIMIT.connectionWindow / 2, `${left} of ${LIMIT.connectionWindow}`);
  assert.ok(left <= LIMIT.connectionWindow);
  assert.equal(edge.overload.buffered, 0);
});

Deno.test("frames that break the protocol end the connection with their code", async (t) => {
  const cases: [string, Uint8Array, ErrorCode][] = [
    ["DATA on stream 0", dataFrame(0, "x", false), ErrorCode.ProtocolError],
    ["DATA on an idle stream", dataFrame(5, "x", false), ErrorCode.ProtocolError],
    ["HEADERS on stream 0", headersFrame(0, pseudo("GET"), true), ErrorCode.ProtocolError],
    ["an even stream", headersFrame(4, pseudo("GET"), true), ErrorCode.ProtocolError],
    ["RST_STREAM on an idle stream", resetFrame(5, 0), ErrorCode.ProtocolError],
    ["WINDOW_UPDATE on an idle stream", windowFrame(5, 1), ErrorCode.ProtocolError],
    ["empty WINDOW_UPDATE of the connection", windowFrame(0, 0), ErrorCode.ProtocolError],
    ["window above its maximum", windowFrame(0, MAX_WINDOW), ErrorCode.FlowControlError],
    [
      "SETTINGS of a wrong size",
      frame(FrameType.Settings, 0, 0, four(0)),
      ErrorCode.FrameSizeError,
    ],
    [
      "SETTINGS on a stream",
      frame(FrameType.Settings, 0, 1, EMPTY),
      ErrorCode.ProtocolError,
    ],
    [
      "initial window above its maximum",
      settingsFrame([[Setting.InitialWindowSize, 0x80000000]]),
      ErrorCode.FlowControlError,
    ],
    ["small frames asked for", settingsFrame([[Setting.MaxFrameSize, 1]]), ErrorCode.ProtocolError],
    ["PING of a wrong size", frame(FrameType.Ping, 0, 0, four(0)), ErrorCode.FrameSizeError],
    ["PUSH_PROMISE", frame(FrameType.PushPromise, 4, 1, four(2)), ErrorCode.ProtocolError],
    [
      "a frame above our limit",
      frame(0x42 as FrameType, 0, 0, Buffer.alloc(16_385)),
      ErrorCode.FrameSizeError,
    ],
    ["CONTINUATION alone", frame(FrameType.Continuation, 4, 1, EMPTY), ErrorCode.ProtocolError],
    [
      "padding longer than the frame",
      frame(FrameType.Data, Flag.Padded, 1, Buffer.from([1])),
      ErrorCode.ProtocolError,
    ],
  ];
  for (const [name, bytes, code] of cases) {
    await t.step(name, () => {
      const edge = harness();
      const client = frameClient(edge);
      client.post(1);
      client.send(bytes, pingFrame());
      client.endsWith(code);
      assertClean(edge, 1);
    });
  }
});

Deno.test("SETTINGS that take a stream's window above its maximum end the connection", () => {
  const edge = harness();
  const client = frameClient(edge);
  client.post(1);
  client.grant(1, MAX_WINDOW - 65_535);
  client.send(settingsFrame([[Setting.InitialWindowSize, 65_536]]));
  client.endsWith(ErrorCode.FlowControlError);
  assertClean(edge, 1);
});

Deno.test("the same attack three times over leaves the same behind", () => {
  const edge = http2Edge();
  const ends: number[] = [];
  for (let round = 0; round < 3; round++) {
    for (let c = 0; c < 20; c++) {
      const client = frameClient(edge);
      flood(client, (i) =>
        Buffer.concat([
          headersFrame(id(i), pseudo("POST"), false),
          dataFrame(id(i), "x".repeat(100), false),
          resetFrame(id(i), ErrorCode.Cancel),
        ]));
      client.endsWith(ErrorCode.EnhanceYourCalm);
    }
    edge.pass(LIMIT.connect + LIMIT.upstreamIdle + 1_000);
    assertClean(edge, 20 * (round + 1));
    ends.push(edge.connects);
  }
  assert.equal(ends[2] - ends[1], ends[1] - ends[0]);
});
