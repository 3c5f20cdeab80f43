import { Buffer } from "node:buffer";
import { ErrorCode, Flag, FrameType } from "../../dataplane/http2/frame.ts";
import type { Http2BackendConnection, Http2Request } from "../support/http2_backend.ts";
import { type Field, frame, literal, section } from "../support/http2_wire.ts";
import type { Outcome } from "./hostile_http1_cases.ts";

/** One HTTP/2 backend that breaks the rules for paths that end in /attack. */
export interface HostileHttp2Case {
  readonly name: string;
  readonly attack: (connection: Http2BackendConnection, request: Http2Request) => void;
  readonly expect: Outcome;
  readonly method?: string;
  /** What it sends first, in place of SETTINGS; only on its first connection. */
  readonly greet?: (connection: Http2BackendConnection) => void;
}

type Attack = HostileHttp2Case["attack"];

const OK: Field = [":status", "200"];
const own = (name: string, attack: Attack): HostileHttp2Case => ({
  name,
  attack,
  expect: { status: 200, body: "own" },
});
const broken = (name: string, attack: Attack): HostileHttp2Case => ({
  name,
  attack,
  expect: { status: 502 },
});
const cutOff = (name: string, attack: Attack): HostileHttp2Case => ({
  name,
  attack,
  expect: "cut",
});
const head = (name: string, fields: readonly Field[], ended = false): HostileHttp2Case =>
  broken(name, (connection, { stream }) => {
    connection.headers(stream, fields, ended);
    if (!ended) connection.data(stream, "EVIL", true);
  });
/** The head and a part of the content, then something else. */
const midBody = (name: string, then: Attack): HostileHttp2Case =>
  cutOff(name, (connection, request) => {
    connection.headers(request.stream, [OK], false);
    connection.data(request.stream, "half", false);
    then(connection, request);
  });

const resets: HostileHttp2Case[] = [
  ...[ErrorCode.InternalError, ErrorCode.Cancel, ErrorCode.NoError, ErrorCode.EnhanceYourCalm].map(
    (code) =>
      broken(
        `RST_STREAM ${code} in place of an answer`,
        (connection, { stream }) => connection.number(FrameType.RstStream, stream, code),
      ),
  ),
  ...[ErrorCode.InternalError, ErrorCode.Cancel, ErrorCode.NoError, ErrorCode.RefusedStream].map(
    (code) =>
      midBody(
        `RST_STREAM ${code} within the content`,
        (connection, { stream }) => connection.number(FrameType.RstStream, stream, code),
      ),
  ),
  broken(
    "REFUSED_STREAM without end",
    (connection, { stream }) =>
      connection.number(FrameType.RstStream, stream, ErrorCode.RefusedStream),
  ),
  {
    ...broken("GOAWAY below every stream, without end", (connection) => {
      connection.goAway(0, ErrorCode.NoError);
    }),
  },
  midBody("GOAWAY below the stream within the content", (connection) => {
    connection.goAway(0, ErrorCode.NoError);
    connection.socket.end();
  }),
  midBody("GOAWAY with an error, then FIN", (connection, { stream }) => {
    connection.goAway(stream, ErrorCode.InternalError);
    connection.socket.end();
  }),
  own("GOAWAY within the content, which is completed", (connection, { stream }) => {
    connection.headers(stream, [OK], false);
    connection.goAway(stream, ErrorCode.NoError);
    connection.data(stream, "own", true);
  }),
  midBody("FIN", (connection) => void connection.socket.end()),
  midBody("RST", ({ socket }) => setImmediate(() => socket.resetAndDestroy())),
  broken("FIN in place of an answer", (connection) => void connection.socket.end()),
  broken("FIN within HEADERS", (connection, { stream }) => {
    const whole = frame(FrameType.Headers, Flag.EndHeaders, stream, section([OK]));
    connection.socket.end(whole.subarray(0, whole.length - 3));
  }),
];

const lengths: HostileHttp2Case[] = [
  cutOff("content-length above the content", (connection, { stream }) => {
    connection.headers(stream, [OK, ["content-length", "9"]], false);
    connection.data(stream, "half", true);
  }),
  cutOff("content-length above the content, with trailers", (connection, { stream }) => {
    connection.headers(stream, [OK, ["content-length", "9"]], false);
    connection.data(stream, "half", false);
    connection.headers(stream, [["x-t", "1"]], true);
  }),
  cutOff("content-length below the content", (connection, { stream }) => {
    connection.headers(stream, [OK, ["content-length", "6"]], false);
    connection.data(stream, "half", false);
    connection.data(stream, "EVIL", true);
  }),
  head("content-length without content", [OK, ["content-length", "5"]], true),
  head("two content-lengths", [OK, ["content-length", "4"], ["content-length", "5"]]),
  head("content-length +4", [OK, ["content-length", "+4"]]),
  {
    name: "content of a HEAD",
    method: "HEAD",
    expect: { status: 200, body: "" },
    attack(connection, { stream }) {
      connection.headers(stream, [OK, ["content-length", "4"]], false);
      connection.data(stream, "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nEVIL", true);
    },
  },
  ...["204", "304"].map((status): HostileHttp2Case => ({
    name: `content of a ${status}`,
    expect: { status: Number(status), body: "" },
    attack(connection, { stream }) {
      connection.headers(stream, [[":status", status]], false);
      connection.data(stream, "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nEVIL", true);
    },
  })),
];

const heads: HostileHttp2Case[] = [
  head("no :status", [["x-a", "b"]]),
  head("two :status", [OK, OK]),
  head(":status behind a field", [["x-a", "b"], OK]),
  ...["101", "20", "2000", "abc", "+20", "600", "000", ""].map((status) =>
    head(`:status ${JSON.stringify(status)}`, [[":status", status]])
  ),
  head(":method in an answer", [OK, [":method", "GET"]]),
  head(":path in an answer", [OK, [":path", "/"]]),
  head("connection", [OK, ["connection", "close"]]),
  head("transfer-encoding", [OK, ["transfer-encoding", "chunked"]]),
  head("upgrade", [OK, ["upgrade", "websocket"]]),
  head("keep-alive", [OK, ["keep-alive", "x"]]),
  head("a name in upper case", [OK, ["X-A", "b"]]),
  head("an empty name", [OK, ["", "b"]]),
  ...["b\r\nset-cookie: EVIL", "b\nc", "b\rc", "b\0c", " b", "b "].map((value) =>
    head(`value ${JSON.stringify(value)}`, [OK, ["x-a", value]])
  ),
  head("an answer in a name", [OK, ["x: y\r\n\r\nHTTP/1.1 200 OK", "b"]]),
  head("300 fields", [OK, ...Array.from({ length: 300 }, (_, i): Field => [`x-${i}`, "b"])]),
  midBody("a second head", (connection, { stream }) => {
    connection.headers(stream, [OK, ["x-evil", "EVIL"]], false);
    connection.data(stream, "EVIL", true);
  }),
  midBody(
    "trailers with :status",
    (connection, { stream }) => connection.headers(stream, [OK, ["x-t", "1"]], true),
  ),
  midBody(
    "trailers with :path",
    (connection, { stream }) => connection.headers(stream, [[":path", "/"], ["x-t", "1"]], true),
  ),
  midBody(
    "trailers that do not end the stream",
    (connection, { stream }) => connection.headers(stream, [["x-t", "1"]], false),
  ),
  midBody(
    "trailers with a line break",
    (connection, { stream }) => connection.headers(stream, [["x-t", "1\r\nx-evil: EVIL"]], true),
  ),
  broken("content before the head", (connection, { stream }) => {
    connection.data(stream, "EVIL", false);
    connection.headers(stream, [OK], true);
  }),
  broken("a flood of interim heads", (connection, { stream }) => {
    for (let i = 0; i < 200; i++) connection.headers(stream, [[":status", "103"]], false);
    connection.headers(stream, [OK], true);
  }),
  broken(
    "an interim head that ends the stream",
    (connection, { stream }) => connection.headers(stream, [[":status", "103"]], true),
  ),
  own("frames behind the end", (connection, { stream }) => {
    connection.headers(stream, [OK], false);
    connection.data(stream, "own", true);
    connection.data(stream, "EVIL", true);
    connection.headers(stream, [OK], true);
  }),
];

const repeat = (count: number, type: FrameType, payload: Buffer, stream = 0) =>
  Buffer.concat(Array.from({ length: count }, () => frame(type, 0, stream, payload)));

const frames: HostileHttp2Case[] = [
  broken("PUSH_PROMISE", (connection, { stream }) => {
    const promised = Buffer.concat([Buffer.from([0, 0, 0, 2]), section([[":method", "GET"]])]);
    connection.frame(FrameType.PushPromise, Flag.EndHeaders, stream, promised);
  }),
  broken("an answer on a stream of its own", (connection) => connection.headers(2, [OK], true)),
  broken(
    "an answer on a stream that nobody opened",
    (connection) => connection.headers(1001, [OK], true),
  ),
  broken(
    "content on a stream that nobody opened",
    (connection) => connection.data(1001, "EVIL", true),
  ),
  broken("HEADERS on stream 0", (connection) => connection.headers(0, [OK], true)),
  broken(
    "a flood of SETTINGS",
    (connection) => connection.write(repeat(5000, FrameType.Settings, Buffer.alloc(0))),
  ),
  broken(
    "a flood of PING",
    (connection) => connection.write(repeat(20_000, FrameType.Ping, Buffer.alloc(8))),
  ),
  broken("a flood of empty DATA", (connection, { stream }) => {
    connection.headers(stream, [[":status", "103"]], false);
    connection.write(repeat(20_000, FrameType.Priority, Buffer.from([0, 0, 0, 0, 1]), stream));
  }),
  broken("CONTINUATION without end", (connection, { stream }) => {
    connection.frame(FrameType.Headers, 0, stream, section([OK]));
    for (let i = 0; i < 100; i++) {
      connection.frame(FrameType.Continuation, 0, stream, section([["x-a", "b"]]));
    }
  }),
  broken("large CONTINUATION without end", (connection, { stream }) => {
    connection.frame(FrameType.Headers, 0, stream, section([OK]));
    const block = section([["x-a", "b".repeat(16_000)]]);
    for (let i = 0; i < 100; i++) connection.frame(FrameType.Continuation, 0, stream, block);
  }),
  broken("a frame within a field section", (connection, { stream }) => {
    connection.frame(FrameType.Headers, 0, stream, section([OK]));
    connection.frame(FrameType.Ping, 0, 0, Buffer.alloc(8));
  }),
  broken(
    "a compression error",
    (connection, { stream }) =>
      connection.frame(FrameType.Headers, Flag.EndHeaders, stream, Buffer.from([0xff, 0xff, 0xff])),
  ),
  broken(
    "a table entry that is not there",
    (connection, { stream }) =>
      connection.frame(FrameType.Headers, Flag.EndHeaders, stream, Buffer.from([0xc5])),
  ),
  broken("a table above its limit", (connection, { stream }) =>
    connection.frame(
      FrameType.Headers,
      Flag.EndHeaders,
      stream,
      Buffer.concat([Buffer.from([0x3f, 0xe2, 0x1f]), literal(":status", "200")]),
    )),
  broken("windows above their maximum", (connection) => {
    connection.number(FrameType.WindowUpdate, 0, 0x7fffffff);
    connection.number(FrameType.WindowUpdate, 0, 0x7fffffff);
  }),
  broken(
    "a frame above the maximum size",
    (connection, { stream }) =>
      connection.frame(FrameType.Headers, Flag.EndHeaders, stream, Buffer.alloc(20_000)),
  ),
  broken("padding longer than the frame", (connection, { stream }) =>
    connection.frame(
      FrameType.Headers,
      Flag.EndHeaders | Flag.Padded,
      stream,
      Buffer.concat([Buffer.from([200]), section([OK])]),
    )),
  broken(
    "random bytes",
    (connection) => connection.write(crypto.getRandomValues(new Uint8Array(1000)).fill(255, 0, 3)),
  ),
];

const greetings: HostileHttp2Case[] = [
  {
    ...broken("HTTP/1.1 in place of frames", () => {}),
    greet: ({ socket }) =>
      void socket.end("HTTP/1.1 400 Bad Request\r\ncontent-length: 4\r\n\r\nEVIL"),
  },
  {
    ...broken("no SETTINGS first", () => {}),
    greet: (connection) => connection.frame(FrameType.Ping, 0, 0, Buffer.alloc(8)),
  },
  {
    ...broken("malformed SETTINGS", () => {}),
    greet: (connection) => connection.frame(FrameType.Settings, 0, 0, Buffer.alloc(5)),
  },
];

/** Every case; names are unique. */
export const HOSTILE_HTTP2: readonly HostileHttp2Case[] = [
  ...resets,
  ...lengths,
  ...heads,
  ...frames,
  ...greetings,
];
