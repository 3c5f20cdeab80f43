import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import {
  ErrorCode,
  Flag,
  FrameType,
  MAX_FRAME_SIZE,
  MAX_WINDOW,
  Setting,
} from "../../../dataplane/http2/frame.ts";
import { PREFACE } from "../../../dataplane/http2/preface.ts";
import { four, goAwayFrame, pingFrame, settingsFrame } from "../../support/http2_frames.ts";
import { frame } from "../../support/http2_wire.ts";
import {
  acknowledged,
  AMPLE,
  answered,
  begun,
  type ConformanceCase,
  connectionError,
  ends,
  type Expectation,
  get,
  headers,
  lives,
  over,
  sentInPieces,
  setting,
  unfinished,
} from "./conformance_case.ts";

const UNKNOWN = frame(0x16, 0, 0, Buffer.alloc(8));
const PROBE = "anything";
const settingsOf = (stream: number, flags: number, payload: Uint8Array) =>
  frame(FrameType.Settings, flags, stream, payload);

const greeted: Expectation = async (client) => {
  await client.greeted();
  await lives(client);
};

/** In the clear this is a client that speaks neither HTTP/2 nor HTTP/1.1, and nothing is said to it. */
const refused: Expectation = async (client) => {
  if (client.listener.secure) return await connectionError(ErrorCode.ProtocolError)(client);
  await client.until("the connection to end", () => client.ended);
  assert.deepEqual([client.text, client.broken], ["", ""]);
};

const acknowledgedAndLives: Expectation = async (client) => {
  await client.until("SETTINGS to be acknowledged", () => client.settingsAcks === 2);
  await lives(client);
  assert.equal(client.settingsAcks, 2);
};

const beginnings: ConformanceCase[] = [
  {
    covers: "generic/1/1",
    rfc: "9113 3.4",
    title: "preface and SETTINGS are answered by SETTINGS and their acknowledgement",
    bare: true,
    steps: [PREFACE, setting(Setting.InitialWindowSize, 65_535)],
    expect: greeted,
  },
  {
    covers: "http2/3.5/1",
    rfc: "9113 3.4",
    title: "nothing comes before the SETTINGS of the edge",
    bare: true,
    steps: [PREFACE, setting(Setting.InitialWindowSize, 65_535)],
    expect: greeted,
  },
  {
    covers: "http2/3.5/2",
    rfc: "9113 3.4",
    title: "anything else in place of the preface ends the connection",
    bare: true,
    steps: [Buffer.from("NO PREFACE OF ANY KIND\r\n\r\n", "latin1")],
    expect: refused,
  },
];

const errors: ConformanceCase[] = [
  {
    covers: "http2/5.4.1/1",
    rfc: "9113 5.4.1",
    title: "an error of the connection is the end of it",
    steps: [frame(FrameType.Ping, 0, 3, Buffer.alloc(8))],
    expect: ends([ErrorCode.ProtocolError], 0),
  },
  {
    covers: "http2/5.4.1/2",
    rfc: "9113 5.4.1",
    title: "GOAWAY for an error names the last stream that was handled",
    steps: [get(), over(), get(5), over(5), frame(FrameType.Ping, 0, 3, Buffer.alloc(8))],
    expect: ends([ErrorCode.ProtocolError], 5),
  },
];

const extensions: ConformanceCase[] = [
  {
    covers: "http2/5.5/1",
    rfc: "9113 5.5",
    title: "a frame of an unknown extension is skipped",
    steps: [UNKNOWN],
    expect: lives,
  },
  {
    covers: "http2/5.5/2",
    rfc: "9113 5.5",
    title: "a frame of an unknown extension within a field section ends the connection",
    steps: [unfinished(), UNKNOWN],
    expect: connectionError(ErrorCode.ProtocolError),
  },
  {
    covers: "http2/8.2/1",
    rfc: "9113 8.4",
    title: "a client cannot push",
    steps: [
      headers({
        type: FrameType.PushPromise,
        flags: Flag.EndHeaders,
        payload: (block) => Buffer.concat([four(3), block]),
      }),
    ],
    expect: connectionError(ErrorCode.ProtocolError),
  },
];

const settings: ConformanceCase[] = [
  {
    covers: "generic/3.5/1",
    rfc: "9113 6.5",
    title: "every setting that there is, within its bounds",
    steps: [
      settingsFrame([
        [Setting.HeaderTableSize, 4096],
        [Setting.EnablePush, 1],
        [Setting.MaxConcurrentStreams, 100],
        [Setting.InitialWindowSize, 65_535],
        [Setting.MaxFrameSize, 16_384],
        [Setting.MaxHeaderListSize, 100],
      ]),
    ],
    expect: acknowledgedAndLives,
  },
  {
    covers: "http2/6.5/1",
    rfc: "9113 6.5",
    title: "an acknowledgement that says more ends the connection",
    steps: [settingsOf(0, Flag.Ack, Buffer.alloc(1))],
    expect: connectionError(ErrorCode.FrameSizeError),
  },
  {
    covers: "http2/6.5/2",
    rfc: "9113 6.5",
    title: "SETTINGS of a stream end the connection",
    steps: [settingsOf(1, 0, setting(Setting.MaxConcurrentStreams, 100).subarray(9))],
    expect: connectionError(ErrorCode.ProtocolError),
  },
  {
    covers: "http2/6.5/3",
    rfc: "9113 6.5",
    title: "half a setting ends the connection",
    steps: [settingsOf(0, 0, Buffer.from([0, Setting.MaxConcurrentStreams, 0]))],
    expect: connectionError(ErrorCode.FrameSizeError),
  },
  {
    covers: "http2/6.5.2/1",
    rfc: "9113 6.5.2",
    title: "push is 0 or 1, else the connection ends",
    steps: [setting(Setting.EnablePush, 2)],
    expect: connectionError(ErrorCode.ProtocolError),
  },
  {
    covers: "http2/6.5.2/2",
    rfc: "9113 6.5.2",
    title: "a first window above the largest window ends the connection",
    steps: [setting(Setting.InitialWindowSize, MAX_WINDOW + 1)],
    expect: connectionError(ErrorCode.FlowControlError),
  },
  {
    covers: "http2/6.5.2/3",
    rfc: "9113 6.5.2",
    title: "frames smaller than every side must take end the connection",
    steps: [setting(Setting.MaxFrameSize, 16_383)],
    expect: connectionError(ErrorCode.ProtocolError),
  },
  {
    covers: "http2/6.5.2/4",
    rfc: "9113 6.5.2",
    title: "frames larger than their length can say end the connection",
    steps: [setting(Setting.MaxFrameSize, MAX_FRAME_SIZE + 1)],
    expect: connectionError(ErrorCode.ProtocolError),
  },
  {
    covers: "http2/6.5.2/5",
    rfc: "9113 6.5.2",
    title: "a setting that nobody has defined is acknowledged like the others",
    steps: [setting(0xff, 1)],
    expect: acknowledgedAndLives,
  },
  {
    covers: "http2/6.5.3/1",
    rfc: "9113 6.5.3",
    title: "of two values of one setting the last one holds",
    steps: [
      settingsFrame([[Setting.InitialWindowSize, 100], [Setting.InitialWindowSize, 1]]),
      acknowledged(),
      get(),
      begun(),
      { wait: sentInPieces(1) },
      setting(Setting.InitialWindowSize, AMPLE),
    ],
    expect: answered(),
  },
  {
    covers: "http2/6.5.3/2",
    rfc: "9113 6.5.3",
    title: "SETTINGS are acknowledged, once",
    steps: [setting(Setting.EnablePush, 0)],
    expect: acknowledgedAndLives,
  },
];

const pings: ConformanceCase[] = [
  ...["generic/3.7/1", "http2/6.7/1"].map((covers): ConformanceCase => ({
    covers,
    rfc: "9113 6.7",
    title: "PING comes back as it was, acknowledged",
    steps: [pingFrame(false, PROBE), { wait: (client) => client.pinged(PROBE) }],
    expect: lives,
  })),
  {
    covers: "http2/6.7/2",
    rfc: "9113 6.7",
    title: "an acknowledgement of a PING that nobody sent is not answered",
    steps: [pingFrame(true, "not mine"), pingFrame(false, PROBE)],
    async expect(client) {
      await client.pinged(PROBE);
      await lives(client);
      assert.doesNotMatch(client.text, /not mine/);
    },
  },
  {
    covers: "http2/6.7/3",
    rfc: "9113 6.7",
    title: "PING of a stream ends the connection",
    steps: [frame(FrameType.Ping, 0, 1, Buffer.alloc(8))],
    expect: connectionError(ErrorCode.ProtocolError),
  },
  {
    covers: "http2/6.7/4",
    rfc: "9113 6.7",
    title: "PING that is too short ends the connection",
    steps: [frame(FrameType.Ping, 0, 0, Buffer.alloc(6))],
    expect: connectionError(ErrorCode.FrameSizeError),
  },
];

const goAways: ConformanceCase[] = [
  {
    covers: "generic/3.8/1",
    rfc: "9113 6.8",
    title: "a client that says goodbye and waits for nothing is let go",
    steps: [goAwayFrame(0, ErrorCode.NoError), pingFrame()],
    expect: ends([ErrorCode.NoError], 0),
  },
  {
    covers: "http2/6.8/1",
    rfc: "9113 6.8",
    title: "GOAWAY of a stream ends the connection",
    steps: [frame(FrameType.GoAway, 0, 1, Buffer.alloc(8))],
    expect: connectionError(ErrorCode.ProtocolError),
  },
];

/** What concerns a connection as a whole. */
export const CONNECTION_CASES: readonly ConformanceCase[] = [
  ...beginnings,
  ...errors,
  ...extensions,
  ...settings,
  ...pings,
  ...goAways,
];
