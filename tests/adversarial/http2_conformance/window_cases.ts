import {
  DEFAULT_WINDOW,
  ErrorCode,
  FrameType,
  MAX_WINDOW,
  Setting,
} from "../../../dataplane/http2/frame.ts";
import { windowFrame } from "../../support/http2_frames.ts";
import { frame } from "../../support/http2_wire.ts";
import {
  acknowledged,
  AMPLE,
  answered,
  begun,
  type ConformanceCase,
  connectionError,
  get,
  lives,
  post,
  sentInPieces,
  setting,
  type Step,
  streamError,
} from "./conformance_case.ts";

/** Whatever was sent before was no error. */
const roundTrip: Step = { wait: (client) => client.ping() };

/** Flow control. */
export const WINDOW_CASES: readonly ConformanceCase[] = [
  {
    covers: "generic/3.9/1",
    rfc: "9113 6.9",
    title: "the connection's window grows by a byte",
    steps: [windowFrame(0, 1)],
    expect: lives,
  },
  {
    covers: "generic/3.9/2",
    rfc: "9113 6.9",
    title: "a stream's window grows by a byte",
    steps: [get(), windowFrame(1, 1)],
    expect: answered(),
  },
  {
    covers: "http2/6.9/1",
    rfc: "9113 6.9",
    title: "the connection's window grows by nothing: the connection ends",
    steps: [windowFrame(0, 0)],
    expect: connectionError(ErrorCode.ProtocolError),
  },
  {
    covers: "http2/6.9/2",
    rfc: "9113 6.9",
    title: "a stream's window grows by nothing: an error of the stream",
    steps: [post(), windowFrame(1, 0)],
    expect: streamError(ErrorCode.ProtocolError),
  },
  {
    covers: "http2/6.9/3",
    rfc: "9113 6.9",
    title: "WINDOW_UPDATE that is too short ends the connection",
    steps: [frame(FrameType.WindowUpdate, 0, 0, Uint8Array.of(0, 0, 1))],
    expect: connectionError(ErrorCode.FrameSizeError),
  },
  {
    covers: "http2/6.9.1/1",
    rfc: "9113 6.9.1",
    title: "content is sent as far as the window goes, and the rest when it grows",
    steps: [
      setting(Setting.InitialWindowSize, 1),
      acknowledged(),
      get(),
      { wait: sentInPieces(1) },
      windowFrame(1, AMPLE),
    ],
    expect: answered(),
  },
  {
    covers: "http2/6.9.1/2",
    rfc: "9113 6.9.1",
    title: "the connection's window may be the largest, a byte above it the connection ends",
    steps: [windowFrame(0, MAX_WINDOW - DEFAULT_WINDOW), roundTrip, windowFrame(0, 1)],
    expect: connectionError(ErrorCode.FlowControlError),
  },
  {
    covers: "http2/6.9.1/3",
    rfc: "9113 6.9.1",
    title: "a stream's window may be the largest, a byte above it is an error of the stream",
    steps: [post(), windowFrame(1, MAX_WINDOW - DEFAULT_WINDOW), roundTrip, windowFrame(1, 1)],
    expect: streamError(ErrorCode.FlowControlError),
  },
  {
    covers: "http2/6.9.2/1",
    rfc: "9113 6.9.2",
    title: "a larger first window is a larger window of the streams that are open",
    steps: [
      setting(Setting.InitialWindowSize, 0),
      acknowledged(),
      get(),
      begun(),
      setting(Setting.InitialWindowSize, 1),
      acknowledged(2),
      { wait: sentInPieces(1) },
      setting(Setting.InitialWindowSize, AMPLE),
    ],
    expect: answered(),
  },
  {
    covers: "http2/6.9.2/2",
    rfc: "9113 6.9.2",
    title: "a smaller first window makes windows negative: they must grow above 0 again",
    steps: [
      setting(Setting.InitialWindowSize, 3),
      acknowledged(),
      get(),
      { wait: sentInPieces(3) },
      setting(Setting.InitialWindowSize, 2),
      acknowledged(2),
      windowFrame(1, 1),
      { wait: sentInPieces(3) },
      windowFrame(1, 1),
      { wait: sentInPieces(3, 1) },
      windowFrame(1, AMPLE),
    ],
    expect: answered(),
  },
  {
    covers: "http2/6.9.2/3",
    rfc: "9113 6.9.2",
    // The value is allowed; with what the stream was granted before it is too much.
    title: "a larger first window takes a stream's above the largest: the connection ends",
    steps: [post(), windowFrame(1, 1), setting(Setting.InitialWindowSize, MAX_WINDOW)],
    expect: connectionError(ErrorCode.FlowControlError),
  },
];
