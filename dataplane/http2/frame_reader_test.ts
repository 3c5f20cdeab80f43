import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { ConnectionError, ErrorCode, Flag, FrameType, putFrameHeader } from "./frame.ts";
import { FrameReader, type FrameSink } from "./frame_reader.ts";

interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** What a reader found; content of DATA joined, since its pieces are those of the network. */
class Sink implements FrameSink {
  readonly found: unknown[] = [];
  #content: Buffer[] = [];
  #last = false;

  onFrame(type: number, flags: number, stream: number, payload: Buffer): void {
    this.found.push({ type, flags, stream, payload: payload.toString("hex") });
  }
  onDataFrame(stream: number, flags: number, length: number): void {
    this.found.push({ data: stream, flags, length });
    this.#content = [];
    this.#last = false;
  }
  onDataContent(view: Buffer, last: boolean): void {
    assert.ok(view.length > 0, "a piece is never empty");
    assert.equal(this.#last, false, "nothing follows the last piece");
    this.#last = last;
    this.#content.push(Buffer.from(view));
  }
  onDataFrameEnd(): void {
    const content = Buffer.concat(this.#content);
    assert.equal(this.#last, content.length > 0, "the last piece is marked");
    this.found.push({ content: content.toString("hex") });
  }
}

function wire({ type, flags, stream, payload }: Frame): Buffer {
  const header = Buffer.alloc(9);
  putFrameHeader(header, 0, payload.length, type, flags, stream);
  return Buffer.concat([header, payload]);
}

function read(pieces: readonly Buffer[]): { sink: Sink; reader: FrameReader } {
  const sink = new Sink();
  const reader = new FrameReader(sink);
  for (const piece of pieces) reader.receive(piece);
  return { sink, reader };
}

/** The code that bytes end a connection with. */
function failure(bytes: Buffer): ErrorCode {
  let code = ErrorCode.NoError;
  assert.throws(() => read([bytes]), (error) => {
    code = (error as ConnectionError).code;
    return error instanceof ConnectionError;
  });
  return code;
}

const stream = fc.nat(0x7fffffff);
const payload = fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes));
const other = fc.record<Frame>({
  type: fc.integer({ min: 1, max: 255 }),
  flags: fc.nat(255),
  stream,
  payload,
});
const plain = fc.record({ stream, payload, flags: fc.constantFrom(0, Flag.EndStream) })
  .map((parts): Frame => ({ type: FrameType.Data, ...parts }));
const padded = fc.tuple(plain, fc.nat(20)).map(([frame, padding]): Frame => ({
  ...frame,
  flags: frame.flags | Flag.Padded,
  payload: Buffer.concat([Buffer.from([padding]), frame.payload, Buffer.alloc(padding)]),
}));

function expected({ type, flags, stream, payload }: Frame): unknown[] {
  if (type !== FrameType.Data) return [{ type, flags, stream, payload: payload.toString("hex") }];
  const content = (flags & Flag.Padded) === 0
    ? payload
    : payload.subarray(1, payload.length - payload[0]);
  return [{ data: stream, flags, length: payload.length }, { content: content.toString("hex") }];
}

Deno.test("frames are the same however their bytes are cut", () => {
  const frames = fc.array(fc.oneof(other, plain, padded), { maxLength: 8 });
  fc.assert(
    fc.property(frames, fc.array(fc.nat()), (list, cuts) => {
      const bytes = Buffer.concat(list.map(wire));
      const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))]
        .sort((a, b) => a - b);
      const pieces = [0, ...places].map((from, i) =>
        bytes.subarray(from, places[i] ?? bytes.length)
      );
      const { sink, reader } = read(pieces);
      assert.deepEqual(sink.found, list.flatMap(expected));
      assert.equal(reader.withinFrame, false);
    }),
    { numRuns: 500 },
  );
});

Deno.test("frames that come byte by byte are complete with their last byte, not before", () => {
  fc.assert(fc.property(fc.oneof(other, plain, padded), (frame) => {
    const bytes = wire(frame);
    const sink = new Sink();
    const reader = new FrameReader(sink);
    for (let at = 0; at < bytes.length; at++) {
      assert.equal(reader.withinFrame, at > 0, `at ${at}`);
      reader.receive(bytes.subarray(at, at + 1));
    }
    assert.equal(reader.withinFrame, false);
    assert.deepEqual(sink.found, expected(frame));
  }));
});

Deno.test("the reserved bit of a stream id says nothing", () => {
  const bytes = wire({ type: FrameType.Ping, flags: 0, stream: 5, payload: Buffer.alloc(8) });
  bytes[5] |= 0x80;
  assert.deepEqual(read([bytes]).sink.found, [
    { type: FrameType.Ping, flags: 0, stream: 5, payload: "00".repeat(8) },
  ]);
});

Deno.test("content of DATA passes while its frame is incomplete", () => {
  const frame = { type: FrameType.Data, flags: 0, stream: 1, payload: Buffer.alloc(1000, "x") };
  const pieces: number[] = [];
  const reader = new FrameReader({
    onFrame: () => assert.fail("no frame"),
    onDataFrame: (_stream, _flags, length) => assert.equal(length, 1000),
    onDataContent: (view) => pieces.push(view.length),
    onDataFrameEnd: () => assert.fail("the frame has not ended"),
  });
  reader.receive(wire(frame).subarray(0, 109));
  reader.receive(wire(frame).subarray(109, 200));
  assert.deepEqual(pieces, [100, 91]);
});

Deno.test("a frame may be as large as announced, by a byte more it ends the connection", () => {
  for (const type of [FrameType.Data, FrameType.Headers, 99]) {
    const largest = wire({ type, flags: 0, stream: 1, payload: Buffer.alloc(16_384) });
    assert.equal(read([largest]).reader.withinFrame, false);
    const larger = wire({ type, flags: 0, stream: 1, payload: Buffer.alloc(16_385) });
    // The header alone decides: nothing of the payload is waited for.
    assert.equal(failure(larger.subarray(0, 9)), ErrorCode.FrameSizeError);
  }
});

Deno.test("padding as long as the frame, or no room for its length, ends the connection", () => {
  const data = (payload: Buffer) =>
    wire({ type: FrameType.Data, flags: Flag.Padded, stream: 1, payload });
  assert.equal(failure(data(Buffer.alloc(0))), ErrorCode.FrameSizeError);
  assert.equal(failure(data(Buffer.from([1]))), ErrorCode.ProtocolError);
  assert.equal(failure(data(Buffer.from([3, 0, 0]))), ErrorCode.ProtocolError);
  assert.deepEqual(read([data(Buffer.from([2, 0, 0]))]).sink.found.at(-1), { content: "" });
});

Deno.test("a reader that was stopped takes nothing more, not even of the same bytes", () => {
  const ping = wire({ type: FrameType.Ping, flags: 0, stream: 0, payload: Buffer.alloc(8) });
  let frames = 0;
  const reader = new FrameReader({
    onFrame: () => {
      frames++;
      reader.stop();
    },
    onDataFrame() {},
    onDataContent() {},
    onDataFrameEnd() {},
  });
  reader.receive(Buffer.concat([ping, ping]));
  reader.receive(ping);
  assert.equal(frames, 1);
});

Deno.test("arbitrary bytes end in frames, in waiting or in a connection error", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
    try {
      read([Buffer.from(bytes)]);
    } catch (error) {
      assert.ok(error instanceof ConnectionError, String(error));
    }
  }));
});

Deno.test("frames are the same however often the reader is held, and wait while it is", () => {
  const frames = fc.array(fc.oneof(other, plain, padded), { maxLength: 8 });
  fc.assert(fc.property(frames, fc.nat(), fc.integer({ min: 1, max: 3 }), (list, cut, every) => {
    const bytes = Buffer.concat(list.map(wire));
    const at = cut % (bytes.length + 1);
    const sink = new Sink();
    let frames = 0;
    let held = false;
    const hold = () => {
      if (++frames % every !== 0) return;
      held = true;
      reader.hold();
    };
    const reader = new FrameReader({
      onFrame: (...frame) => {
        sink.onFrame(...frame);
        hold();
      },
      onDataFrame: (...frame) => sink.onDataFrame(...frame),
      onDataContent: (...content) => sink.onDataContent(...content),
      onDataFrameEnd: () => {
        sink.onDataFrameEnd();
        hold();
      },
    });
    for (const piece of [bytes.subarray(0, at), bytes.subarray(at)]) {
      const before = sink.found.length;
      const waits = held;
      reader.receive(piece);
      if (waits) assert.equal(sink.found.length, before, "nothing is read while it is held");
    }
    while (held) {
      assert.equal(reader.withinFrame, false, "what waits for us is no slow peer's");
      held = false;
      reader.goOn();
      reader.receive(Buffer.alloc(0));
    }
    assert.deepEqual(sink.found, list.flatMap(expected));
  }));
});
