import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { ErrorCode, Flag, FrameType, Setting } from "../../../dataplane/http2/frame.ts";
import {
  dataFrame,
  goAwayFrame,
  pingFrame,
  resetFrame,
  windowFrame,
} from "../../support/http2_frames.ts";
import { frame } from "../../support/http2_wire.ts";
import {
  AMPLE,
  answered,
  begun,
  complete,
  type ConformanceCase,
  connectionError,
  continuation,
  ends,
  get,
  headers,
  lives,
  over,
  post,
  priority,
  sentInPieces,
  setting,
  type Step,
  streamError,
  WHOLE,
} from "./conformance_case.ts";
import type { Conversation } from "./conversation.ts";

const PRIORITY = frame(FrameType.Priority, 0, 1, priority(0, 256));
const UNKNOWN_CODE = 0xff;
/** A request that cannot be over: its answer has begun, and may not send content. */
const HELD: readonly Step[] = [setting(Setting.InitialWindowSize, 0), get(), begun()];
const OPEN_AND_RESET: readonly Step[] = [post(), resetFrame(1, ErrorCode.Cancel)];
const OVER: readonly Step[] = [get(), over()];

const idle: ConformanceCase[] = [
  {
    covers: "generic/2/1",
    rfc: "9113 5.1",
    title: "PRIORITY of a stream that was never opened",
    steps: [PRIORITY],
    expect: lives,
  },
  {
    covers: "http2/5.1/1",
    rfc: "9113 5.1",
    title: "content of a stream that was never opened ends the connection",
    steps: [dataFrame(1, "test", true)],
    expect: connectionError(ErrorCode.ProtocolError),
  },
  {
    covers: "http2/5.1/2",
    rfc: "9113 5.1",
    title: "a stream that was never opened is reset: the connection ends",
    steps: [resetFrame(1, ErrorCode.Cancel)],
    expect: connectionError(ErrorCode.ProtocolError),
  },
  {
    covers: "http2/5.1/3",
    rfc: "9113 5.1",
    title: "a window for a stream that was never opened ends the connection",
    steps: [windowFrame(1, 100)],
    expect: connectionError(ErrorCode.ProtocolError),
  },
  {
    covers: "http2/5.1/4",
    rfc: "9113 5.1",
    title: "CONTINUATION of a stream that was never opened ends the connection",
    steps: [headers({ type: FrameType.Continuation, flags: Flag.EndHeaders })],
    expect: connectionError(ErrorCode.ProtocolError),
  },
];

const halfClosed: ConformanceCase[] = [
  {
    covers: "generic/2/2",
    rfc: "9113 5.1",
    title: "a window for a request that has ended lets its answer go on",
    steps: [...HELD, windowFrame(1, 1), { wait: sentInPieces(1) }, windowFrame(1, AMPLE)],
    expect: answered(),
  },
  {
    covers: "generic/2/3",
    rfc: "9113 5.1",
    title: "PRIORITY of a request that has ended",
    steps: [...HELD, PRIORITY, windowFrame(1, 1), { wait: sentInPieces(1) }, windowFrame(1, AMPLE)],
    expect: answered(),
  },
  {
    covers: "generic/2/4",
    rfc: "9113 5.1",
    title: "a request that has ended is taken back",
    steps: [...HELD, resetFrame(1, ErrorCode.Cancel), windowFrame(1, AMPLE)],
    async expect(client) {
      await lives(client);
      assert.equal(client.on(1).body, "");
      assert.deepEqual(client.on(1).resets, []);
    },
  },
  {
    covers: "http2/5.1/5",
    rfc: "9113 5.1",
    title: "content behind the end of a request is an error of its stream",
    steps: [...HELD, dataFrame(1, "test", true)],
    expect: streamError(ErrorCode.StreamClosed),
  },
  {
    covers: "http2/5.1/6",
    rfc: "9113 5.1",
    title: "a second head behind the end of a request is an error of its stream",
    steps: [...HELD, get()],
    expect: streamError(ErrorCode.StreamClosed),
  },
  {
    covers: "http2/5.1/7",
    rfc: "9113 6.10",
    title: "CONTINUATION behind the end of a request ends the connection",
    steps: [...HELD, headers({ type: FrameType.Continuation, flags: Flag.EndHeaders })],
    expect: connectionError(ErrorCode.ProtocolError),
  },
];

const closed: ConformanceCase[] = [
  {
    covers: "generic/2/5",
    rfc: "9113 5.1",
    title: "PRIORITY of a stream that is over",
    steps: [...OVER, PRIORITY],
    expect: lives,
  },
  {
    covers: "http2/5.1/8",
    rfc: "9113 5.1",
    title: "content behind RST_STREAM is an error of its stream",
    steps: [...OPEN_AND_RESET, dataFrame(1, "test", true)],
    expect: streamError(ErrorCode.StreamClosed),
  },
  {
    covers: "http2/5.1/9",
    rfc: "9113 5.1",
    title: "a head behind RST_STREAM ends the connection",
    steps: [...OPEN_AND_RESET, get()],
    expect: connectionError(ErrorCode.StreamClosed),
  },
  {
    covers: "http2/5.1/10",
    rfc: "9113 6.10",
    title: "CONTINUATION behind RST_STREAM ends the connection",
    steps: [...OPEN_AND_RESET, continuation(1, Flag.EndHeaders)],
    expect: connectionError(ErrorCode.ProtocolError),
  },
  {
    covers: "http2/5.1/11",
    rfc: "9113 5.1",
    title: "content of a stream that both sides have ended is an error of the stream",
    steps: [...OVER, dataFrame(1, "test", true)],
    expect: streamError(ErrorCode.StreamClosed),
  },
  {
    covers: "http2/5.1/12",
    rfc: "9113 5.1",
    title: "a head for a stream that both sides have ended ends the connection",
    steps: [...OVER, get()],
    expect: connectionError(ErrorCode.StreamClosed),
  },
  {
    covers: "http2/5.1/13",
    rfc: "9113 6.10",
    title: "CONTINUATION of a stream that both sides have ended ends the connection",
    steps: [...OVER, continuation(1, Flag.EndHeaders)],
    expect: connectionError(ErrorCode.ProtocolError),
  },
];

const identifiers: ConformanceCase[] = [
  {
    covers: "http2/5.1.1/1",
    rfc: "9113 5.1.1",
    title: "a client cannot open an even stream",
    steps: [get(2)],
    expect: connectionError(ErrorCode.ProtocolError),
  },
  {
    covers: "http2/5.1.1/2",
    rfc: "9113 5.1.1",
    title: "a client cannot open a stream below one that it has opened",
    steps: [get(5), get(3)],
    // Stream 3 was closed by stream 5, and of the closed ones nobody remembers which were ever used.
    expect: connectionError(ErrorCode.ProtocolError, ErrorCode.StreamClosed),
  },
  {
    covers: "http2/5.1.2/1",
    rfc: "9113 5.1.2",
    title: "a request more than announced is refused, those before it are not",
    steps: [setting(Setting.InitialWindowSize, 0), tooMany],
    expect: oneRefused,
  },
];

/** Requests on one stream more than the edge has announced. */
function tooMany(client: Conversation): Uint8Array {
  const count = client.settings.get(Setting.MaxConcurrentStreams)! + 1;
  const request = (i: number) => get(2 * i + 1)(client);
  return Buffer.concat(Array.from({ length: count }, (_, i) => request(i)));
}

async function oneRefused(client: Conversation): Promise<void> {
  const limit = client.settings.get(Setting.MaxConcurrentStreams)!;
  const taken = Array.from({ length: limit }, (_, i) => client.on(2 * i + 1));
  const refused = client.on(2 * limit + 1);
  await client.ping();
  assert.deepEqual(refused.resets, [ErrorCode.RefusedStream]);
  await client.until("all other answers", () => taken.every(({ status }) => status === 200));
  assert.deepEqual(taken.flatMap(({ resets }) => resets), []);
  // One that is over makes room for another.
  client.send(windowFrame(1, AMPLE));
  await client.until("the end of an answer", () => taken[0].ended);
  await lives(client);
}

const dependencies: ConformanceCase[] = [
  {
    covers: "http2/5.3.1/1",
    rfc: "7540 5.3.1",
    title: "HEADERS that make a stream depend on itself are an error of the stream",
    steps: [
      headers({
        flags: WHOLE | Flag.Priority,
        payload: (block) => Buffer.concat([priority(1, 256), block]),
      }),
    ],
    expect: streamError(ErrorCode.ProtocolError),
  },
  {
    covers: "http2/5.3.1/2",
    rfc: "7540 5.3.1",
    title: "PRIORITY that makes a stream depend on itself is an error of the stream",
    steps: [frame(FrameType.Priority, 0, 1, priority(1, 256))],
    expect: streamError(ErrorCode.ProtocolError),
  },
];

const codes: ConformanceCase[] = [
  {
    covers: "http2/7/1",
    rfc: "9113 7",
    title: "GOAWAY with an unknown code is GOAWAY: what was asked for is still answered",
    steps: [
      ...HELD,
      goAwayFrame(0, UNKNOWN_CODE),
      pingFrame(),
      { wait: (client) => client.pinged("12345678") },
      windowFrame(1, AMPLE),
      { wait: complete() },
    ],
    expect: ends([ErrorCode.NoError]),
  },
  {
    covers: "http2/7/2",
    rfc: "9113 7",
    title: "RST_STREAM with an unknown code is RST_STREAM",
    steps: [post(), resetFrame(1, UNKNOWN_CODE)],
    expect: lives,
  },
];

/** States of streams, their ids and their number. */
export const STREAM_CASES: readonly ConformanceCase[] = [
  ...idle,
  ...halfClosed,
  ...closed,
  ...identifiers,
  ...dependencies,
  ...codes,
];
