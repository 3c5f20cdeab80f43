import { Buffer } from "node:buffer";
import { ErrorCode, Flag, FrameType } from "../../../dataplane/http2/frame.ts";
import { dataFrame } from "../../support/http2_frames.ts";
import { frame } from "../../support/http2_wire.ts";
import {
  answered,
  type ConformanceCase,
  connectionError,
  continuation,
  get,
  headers,
  post,
  priority,
  type Step,
  unfinished,
  WHOLE,
} from "./conformance_case.ts";

const PRIORITY = frame(FrameType.Priority, 0, 1, priority(0, 256));

/** A GET on stream 1 in a HEADERS frame and one CONTINUATION for each place where its section is cut. */
function inPieces(...places: readonly number[]): Step[] {
  const first = headers({
    flags: Flag.EndStream,
    payload: (block) => block.subarray(0, places[0]),
  });
  const rest = places.map((place, i) =>
    headers({
      type: FrameType.Continuation,
      flags: i === places.length - 1 ? Flag.EndHeaders : 0,
      payload: (block) => block.subarray(place, places[i + 1]),
    })
  );
  return [first, ...rest];
}

const continued: ConformanceCase[] = [
  {
    covers: "generic/3.10/1",
    rfc: "9113 6.10",
    title: "a head in two frames, cut within a field",
    steps: inPieces(5),
    expect: answered(),
  },
  {
    covers: "generic/3.10/2",
    rfc: "9113 6.10",
    title: "a head in three frames, cut within a field",
    steps: inPieces(5, 10),
    expect: answered(),
  },
  {
    covers: "http2/6.10/1",
    rfc: "9113 6.10",
    title: "a head with two CONTINUATION frames of 4 KB each",
    steps: [unfinished(), continuation(1, 0), continuation(1, Flag.EndHeaders)],
    expect: answered(),
  },
];

const interrupted: ConformanceCase[] = [
  {
    covers: "http2/4.3/1",
    rfc: "9113 4.3",
    title: "a section that is no HPACK ends the connection",
    steps: [headers({ payload: () => Buffer.from([0x40]) })],
    expect: connectionError(ErrorCode.CompressionError),
  },
  {
    covers: "http2/4.3/2",
    rfc: "9113 4.3",
    title: "PRIORITY within a section ends the connection, though the section goes on",
    steps: [unfinished("POST"), PRIORITY, continuation(1, Flag.EndHeaders)],
    expect: connectionError(ErrorCode.ProtocolError),
  },
  {
    covers: "http2/4.3/3",
    rfc: "9113 4.3",
    title: "the head of another stream within a section ends the connection",
    steps: [unfinished("POST"), get(3), continuation(1, Flag.EndHeaders)],
    expect: connectionError(ErrorCode.ProtocolError),
  },
  {
    covers: "http2/6.2/1",
    rfc: "9113 6.2",
    title: "PRIORITY behind HEADERS that are not complete ends the connection",
    steps: [unfinished("POST"), PRIORITY, continuation(1, Flag.EndHeaders)],
    expect: connectionError(ErrorCode.ProtocolError),
  },
  {
    covers: "http2/6.2/2",
    rfc: "9113 6.2",
    title: "HEADERS of another stream behind HEADERS that are not complete end the connection",
    steps: [unfinished("POST"), get(3), continuation(1, Flag.EndHeaders)],
    expect: connectionError(ErrorCode.ProtocolError),
  },
  {
    covers: "http2/6.2/3",
    rfc: "9113 6.2",
    title: "HEADERS that belong to no stream end the connection",
    steps: [get(0)],
    expect: connectionError(ErrorCode.ProtocolError),
  },
  {
    covers: "http2/6.2/4",
    rfc: "9113 6.2",
    title: "HEADERS with more padding than they have bytes end the connection",
    steps: [
      headers({
        flags: WHOLE | Flag.Padded,
        payload: (block) => Buffer.concat([Buffer.from([block.length + 1]), block]),
      }),
    ],
    expect: connectionError(ErrorCode.ProtocolError),
  },
  {
    covers: "http2/6.10/2",
    rfc: "9113 6.10",
    title: "content behind CONTINUATION that does not end the section ends the connection",
    steps: [unfinished("POST"), continuation(1, 0), dataFrame(1, "test", true)],
    expect: connectionError(ErrorCode.ProtocolError),
  },
  {
    covers: "http2/6.10/3",
    rfc: "9113 6.10",
    title: "CONTINUATION that belongs to no stream ends the connection",
    steps: [unfinished(), continuation(0, Flag.EndHeaders)],
    expect: connectionError(ErrorCode.ProtocolError),
  },
  {
    covers: "http2/6.10/4",
    rfc: "9113 6.10",
    title: "CONTINUATION behind HEADERS that were complete ends the connection",
    steps: [get(), continuation(1, Flag.EndHeaders)],
    expect: connectionError(ErrorCode.ProtocolError),
  },
  {
    covers: "http2/6.10/5",
    rfc: "9113 6.10",
    title: "CONTINUATION behind CONTINUATION that was the last ends the connection",
    steps: [unfinished(), continuation(1, Flag.EndHeaders), continuation(1, Flag.EndHeaders)],
    expect: connectionError(ErrorCode.ProtocolError),
  },
  {
    covers: "http2/6.10/6",
    rfc: "9113 6.10",
    title: "content of another stream, which is open, within a section ends the connection",
    steps: [
      post(),
      unfinished("GET", 3),
      dataFrame(1, "test", true),
      continuation(3, Flag.EndHeaders),
    ],
    expect: connectionError(ErrorCode.ProtocolError),
  },
];

/** Field sections and the frames that carry them. */
export const SECTION_CASES: readonly ConformanceCase[] = [...continued, ...interrupted];
