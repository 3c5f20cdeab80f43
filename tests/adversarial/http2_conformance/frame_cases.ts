import { Buffer } from "node:buffer";
import {
  DEFAULT_FRAME_SIZE,
  ErrorCode,
  Flag,
  FrameType,
  Setting,
} from "../../../dataplane/http2/frame.ts";
import { dataFrame, paddedFrame, resetFrame, settingsFrame } from "../../support/http2_frames.ts";
import { frame } from "../../support/http2_wire.ts";
import {
  answered,
  begun,
  type ConformanceCase,
  connectionError,
  type Expectation,
  get,
  headers,
  lives,
  post,
  priority,
  streamError,
  WHOLE,
} from "./conformance_case.ts";

const PADDING = 8;
const UNUSED_FLAGS = 0x16;
const PROBE = "anything";

/** A PING that looks odd is a PING. */
const probed: Expectation = async (client) => {
  await client.pinged(PROBE);
  await lives(client);
};

const priorityFrame = (stream: number, payload: Uint8Array) =>
  frame(FrameType.Priority, 0, stream, payload);

const format: ConformanceCase[] = [
  {
    covers: "http2/4.1/1",
    rfc: "9113 4.1",
    title: "a frame of a type that nobody has defined is skipped",
    steps: [frame(0x16, 0, 0, Buffer.alloc(8))],
    expect: lives,
  },
  {
    covers: "http2/4.1/2",
    rfc: "9113 4.1",
    title: "flags that mean nothing to PING change nothing, and do not come back",
    steps: [frame(FrameType.Ping, UNUSED_FLAGS, 0, Buffer.from(PROBE))],
    expect: probed,
  },
  {
    covers: "http2/4.1/3",
    rfc: "9113 4.1",
    title: "the bit above the stream id is skipped, and does not come back",
    steps: [frame(FrameType.Ping, UNUSED_FLAGS, 2 ** 31, Buffer.from(PROBE))],
    expect: probed,
  },
  {
    covers: "http2/4.2/1",
    rfc: "9113 4.2",
    title: "DATA as large as every side must take is taken",
    steps: [post(), dataFrame(1, Buffer.alloc(DEFAULT_FRAME_SIZE, "x"), true)],
    expect: answered({ content: "x".repeat(DEFAULT_FRAME_SIZE) }),
  },
  {
    covers: "http2/4.2/2",
    rfc: "9113 4.2",
    // It would count for the window of the connection, so it is not an error of its stream alone.
    title: "DATA larger by a byte than we announced ends the connection",
    steps: [post(), dataFrame(1, Buffer.alloc(DEFAULT_FRAME_SIZE + 1, "x"), true)],
    expect: connectionError(ErrorCode.FrameSizeError),
  },
  {
    covers: "http2/4.2/3",
    rfc: "9113 4.2",
    title: "HEADERS larger than we announced end the connection",
    steps: [
      headers({ fields: (plain) => [...plain, ["x-large", "x".repeat(DEFAULT_FRAME_SIZE)]] }),
    ],
    expect: connectionError(ErrorCode.FrameSizeError),
  },
];

const data: ConformanceCase[] = [
  {
    covers: "generic/3.1/1",
    rfc: "9113 6.1",
    title: "content in one frame arrives",
    steps: [post(), dataFrame(1, "test", true)],
    expect: answered({ content: "test" }),
  },
  {
    covers: "generic/3.1/2",
    rfc: "9113 6.1",
    title: "content in two frames arrives in order",
    steps: [post(), dataFrame(1, "test", false), dataFrame(1, "more", true)],
    expect: answered({ content: "testmore" }),
  },
  {
    covers: "generic/3.1/3",
    rfc: "9113 6.1",
    title: "padding of DATA is not content",
    steps: [post(), paddedFrame(1, "test", PADDING, true)],
    expect: answered({ content: "test" }),
  },
  {
    covers: "http2/6.1/1",
    rfc: "9113 6.1",
    title: "DATA that belongs to no stream ends the connection",
    steps: [dataFrame(0, "test", true)],
    expect: connectionError(ErrorCode.ProtocolError),
  },
  {
    covers: "http2/6.1/2",
    rfc: "9113 6.1",
    title: "DATA behind the end of its request is an error of the stream",
    steps: [
      settingsFrame([[Setting.InitialWindowSize, 0]]),
      headers({ method: "POST" }),
      begun(),
      dataFrame(1, "test", true),
    ],
    expect: streamError(ErrorCode.StreamClosed),
  },
  {
    covers: "http2/6.1/3",
    rfc: "9113 6.1",
    title: "DATA with more padding than it has bytes ends the connection",
    steps: [
      post(["content-length", "4"]),
      frame(FrameType.Data, Flag.Padded | Flag.EndStream, 1, Buffer.from("\x06test", "latin1")),
    ],
    expect: connectionError(ErrorCode.ProtocolError),
  },
];

const head: ConformanceCase[] = [
  {
    covers: "generic/3.2/1",
    rfc: "9113 6.2",
    title: "HEADERS alone are a request",
    steps: [get()],
    expect: answered(),
  },
  {
    covers: "generic/3.2/2",
    rfc: "9113 6.2",
    title: "padding of HEADERS is no field",
    steps: [
      headers({
        flags: WHOLE | Flag.Padded,
        payload: (block) => Buffer.concat([Buffer.from([PADDING]), block, Buffer.alloc(PADDING)]),
      }),
    ],
    expect: answered(),
  },
  {
    covers: "generic/3.2/3",
    rfc: "9113 6.2",
    title: "a priority in HEADERS is skipped",
    steps: [
      headers({
        flags: WHOLE | Flag.Priority,
        payload: (block) => Buffer.concat([priority(0, 256), block]),
      }),
    ],
    expect: answered(),
  },
];

const priorities: ConformanceCase[] = [
  {
    covers: "generic/3.3/1",
    rfc: "9113 6.3",
    title: "PRIORITY with the smallest weight, then its stream",
    steps: [priorityFrame(1, priority(0, 1)), get()],
    expect: answered(),
  },
  {
    covers: "generic/3.3/2",
    rfc: "9113 6.3",
    title: "PRIORITY with the largest weight, then its stream",
    steps: [priorityFrame(1, priority(0, 256)), get()],
    expect: answered(),
  },
  {
    covers: "generic/3.3/3",
    rfc: "9113 6.3",
    title: "PRIORITY that depends on a stream which comes later",
    steps: [priorityFrame(3, priority(1, 1)), get()],
    expect: answered(),
  },
  {
    covers: "generic/3.3/4",
    rfc: "9113 6.3",
    title: "PRIORITY that wants to be the only child",
    steps: [priorityFrame(1, priority(0, 1, true)), get()],
    expect: answered(),
  },
  {
    covers: "generic/3.3/5",
    rfc: "9113 6.3",
    title: "PRIORITY of a higher stream does not open it: a lower one can still be",
    steps: [priorityFrame(3, priority(0, 256)), get()],
    expect: answered(),
  },
  {
    covers: "http2/6.3/1",
    rfc: "9113 6.3",
    title: "PRIORITY that belongs to no stream ends the connection",
    steps: [priorityFrame(0, priority(0, 256))],
    expect: connectionError(ErrorCode.ProtocolError),
  },
  {
    covers: "http2/6.3/2",
    rfc: "9113 6.3",
    title: "PRIORITY that is too short is an error of its stream",
    steps: [
      settingsFrame([[Setting.InitialWindowSize, 0]]),
      get(),
      begun(),
      priorityFrame(1, priority(0, 256).subarray(0, 4)),
    ],
    expect: streamError(ErrorCode.FrameSizeError),
  },
];

const resets: ConformanceCase[] = [
  {
    covers: "generic/3.4/1",
    rfc: "9113 6.4",
    title: "a request is taken back before its end",
    steps: [post(), resetFrame(1, ErrorCode.Cancel)],
    expect: lives,
  },
  {
    covers: "http2/6.4/1",
    rfc: "9113 6.4",
    title: "RST_STREAM that belongs to no stream ends the connection",
    steps: [resetFrame(0, ErrorCode.Cancel)],
    expect: connectionError(ErrorCode.ProtocolError),
  },
  {
    covers: "http2/6.4/2",
    rfc: "9113 6.4",
    title: "RST_STREAM of a stream that was never opened ends the connection",
    steps: [resetFrame(1, ErrorCode.Cancel)],
    expect: connectionError(ErrorCode.ProtocolError),
  },
  {
    covers: "http2/6.4/3",
    rfc: "9113 6.4",
    title: "RST_STREAM that is too short ends the connection",
    steps: [get(), frame(FrameType.RstStream, 0, 1, Buffer.alloc(3))],
    expect: connectionError(ErrorCode.FrameSizeError),
  },
];

/** Frames of a stream, each by itself. */
export const FRAME_CASES: readonly ConformanceCase[] = [
  ...format,
  ...data,
  ...head,
  ...priorities,
  ...resets,
];
