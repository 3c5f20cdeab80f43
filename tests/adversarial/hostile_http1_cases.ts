import { Buffer } from "node:buffer";
import type net from "node:net";

/** What the client of a hostile backend must get: a status with its body, or an answer that is cut. */
export type Outcome = { readonly status: number; readonly body?: string } | "cut";

/** One backend that breaks the rules for paths that end in /attack. */
export interface HostileCase {
  readonly name: string;
  /** Bytes sent for the attacked request, or what to do with its connection. */
  readonly attack: string | ((socket: net.Socket) => void);
  readonly expect: Outcome;
  readonly method?: string;
  /** Field lines of the request. */
  readonly fields?: readonly string[];
  /** The next user comes once the backend's connection has ended: until then its bytes are under way. */
  readonly awaitsClose?: boolean;
  /** What must not be among the bytes that the client gets. */
  readonly hidden?: RegExp;
}

const OK = "HTTP/1.1 200 OK\r\n";
/** An answer that somebody else must never get. */
export const EVIL = `${OK}content-length: 4\r\n\r\nEVIL`;
const SIZED = `${OK}content-length: 3\r\n\r\nown`;
const CHUNKED = `${OK}transfer-encoding: chunked\r\n\r\n`;
const UPGRADE = ["connection: upgrade", "upgrade: websocket", "sec-websocket-version: 13"];

const broken = (name: string, attack: string, more: Partial<HostileCase> = {}): HostileCase => ({
  name,
  attack,
  expect: { status: 502 },
  hidden: /EVIL/,
  ...more,
});
const cutOff = (name: string, attack: HostileCase["attack"]): HostileCase => ({
  name,
  attack,
  expect: "cut",
});
const own = (name: string, attack: HostileCase["attack"], more: Partial<HostileCase> = {}) => ({
  name,
  attack,
  expect: { status: 200, body: "own" },
  hidden: /EVIL/,
  ...more,
} satisfies HostileCase);

const BAD_FIELDS: readonly [string, string][] = [
  ["CL and TE", "content-length: 4\r\ntransfer-encoding: chunked"],
  ["TE and CL", "transfer-encoding: chunked\r\ncontent-length: 4"],
  ["two CL", "content-length: 4\r\ncontent-length: 5"],
  ["two equal CL", "content-length: 4\r\ncontent-length: 4"],
  ["CL 4, 4", "content-length: 4, 4"],
  ["CL +4", "content-length: +4"],
  ["CL -1", "content-length: -1"],
  ["CL 0x4", "content-length: 0x4"],
  ["an empty CL", "content-length:"],
  ["CL beyond 64 bits", "content-length: 18446744073709551620"],
  ["TE gzip, chunked", "transfer-encoding: gzip, chunked"],
  ["TE chunked, identity", "transfer-encoding: chunked, identity"],
  ["TE identity", "transfer-encoding: identity"],
  ["TE xchunked", "transfer-encoding: xchunked"],
  ["TE twice", "transfer-encoding: chunked\r\ntransfer-encoding: chunked"],
  ["TE with a vertical tab", "transfer-encoding: \x0bchunked"],
  ["a folded field", "x-a: b\r\n c\r\ncontent-length: 4"],
  ["a folded TE", "transfer-encoding:\r\n chunked"],
  ["a space before the colon", "x-a : b\r\ncontent-length: 4"],
  ["a field without colon", "x-a\r\ncontent-length: 4"],
  ["a field without name", ": b\r\ncontent-length: 4"],
  ["bare LF in a value", "x-a: b\nset-cookie: EVIL\r\ncontent-length: 4"],
  ["bare CR in a value", "x-a: b\rset-cookie: EVIL\r\ncontent-length: 4"],
  ["NUL in a value", "x-a: b\0c\r\ncontent-length: 4"],
  ["NUL in a name", "x\0a: b\r\ncontent-length: 4"],
  ["DEL in a value", "x-a: b\x7f\r\ncontent-length: 4"],
  ["Connection that names Content-Length", "connection: content-length\r\ncontent-length: 4"],
  ["300 fields", `${"x-a: b\r\n".repeat(300)}content-length: 4`],
];

const BAD_LINES: readonly [string, string][] = [
  ["a status line of HTTP/2", "HTTP/2 200 OK\r\n"],
  ["HTTP/1.2", "HTTP/1.2 200 OK\r\n"],
  ["HTTP/0.9", "HTTP/0.9 200 OK\r\n"],
  ["lower case", "http/1.1 200 OK\r\n"],
  ["status 99", "HTTP/1.1 099 OK\r\n"],
  ["status 600", "HTTP/1.1 600 OK\r\n"],
  ["status of two digits", "HTTP/1.1 20 OK\r\n"],
  ["status of four digits", "HTTP/1.1 2000 OK\r\n"],
  ["no status", "HTTP/1.1 OK\r\n"],
  ["two spaces before the status", "HTTP/1.1  200 OK\r\n"],
  ["bare LF behind the reason", "HTTP/1.1 200 OK\n"],
  ["bare CR in the reason", "HTTP/1.1 200 O\rK\r\n"],
  ["NUL in the reason", "HTTP/1.1 200 O\0K\r\n"],
  ["a line break before it", "\r\nHTTP/1.1 200 OK\r\n"],
  ["a space before it", " HTTP/1.1 200 OK\r\n"],
  ["shoutcast", "ICY 200 OK\r\n"],
  ["a request", "GET /EVIL HTTP/1.1\r\nhost: a\r\n"],
];

const BAD_CHUNKS: readonly [string, string][] = [
  ["more data than its size", "3\r\nhalfEVIL\r\n0\r\n\r\n"],
  ["a minus sign", "-5\r\nhello\r\n0\r\n\r\n"],
  ["0x", "0x5\r\nhello\r\n0\r\n\r\n"],
  ["a space behind its size", "5 \r\nhello\r\n0\r\n\r\n"],
  ["LF for CRLF", "5\nhello\r\n0\r\n\r\n"],
  ["LF for CRLF behind its data", "5\r\nhello\n0\r\n\r\n"],
  ["a size beyond 64 bits", "10000000000000005\r\nhello\r\n0\r\n\r\n"],
  ["no size", "5\r\nhello\r\n\r\n\r\n"],
  ["another answer in place of a size", `5\r\nhello\r\n${EVIL}`],
  ["an endless extension", `5;${"a".repeat(400)}\r\nhello\r\n0\r\n\r\n`],
  ["NUL in an extension", "5;\0\r\nhello\r\n0\r\n\r\n"],
  ["a malformed trailer", "5\r\nhello\r\n0\r\nx a: b\r\n\r\n"],
  ["a folded trailer", "5\r\nhello\r\n0\r\nx-a: b\r\n c\r\n\r\n"],
  ["another answer in place of a trailer", `5\r\nhello\r\n0\r\n${EVIL}\r\n\r\n`],
  ["endless trailers", `5\r\nhello\r\n0\r\n${`x-a: ${"b".repeat(100)}\r\n`.repeat(200)}\r\n`],
];

/** Writes, and ends the connection once the bytes are on their way. */
const thenFin = (text: string) => (socket: net.Socket) => void socket.end(text, "latin1");
/** RST discards what is still queued: it must wait until the gateway has answered to the bytes. */
const thenReset = (text: string) => (socket: net.Socket) => {
  socket.write(text, "latin1", () => setImmediate(() => socket.resetAndDestroy()));
};

/** Every case; names are unique. */
export const HOSTILE_HTTP1: readonly HostileCase[] = [
  ...BAD_FIELDS.map(([name, fields]) => broken(name, `${OK}${fields}\r\n\r\nEVIL\r\n0\r\n\r\n`)),
  broken(
    "TE of HTTP/1.0",
    "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nEVIL\r\n0\r\n\r\n",
  ),
  ...BAD_LINES.map(([name, line]) =>
    broken(`status line: ${name}`, `${line}content-length: 4\r\n\r\nEVIL`)
  ),
  broken("lines that end in LF", "HTTP/1.1 200 OK\ncontent-length: 4\n\nEVIL"),
  broken("LF for the empty line", "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\nEVIL"),
  broken("an endless head", `${OK}x-a: ${"b".repeat(70_000)}`),
  broken("an endless status line", `HTTP/1.1 200 ${"b".repeat(70_000)}`),
  broken("endless fields", `${OK}${`x-a: ${"b".repeat(1000)}\r\n`.repeat(80)}`),

  broken("101 that nobody asked for", `HTTP/1.1 101 Switching Protocols\r\n\r\n${EVIL}`),
  broken(
    "101 to websocket that nobody asked for",
    `HTTP/1.1 101 x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n${EVIL}`,
  ),
  broken(
    "101 behind another interim answer",
    `HTTP/1.1 103 x\r\n\r\nHTTP/1.1 101 x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n${EVIL}`,
  ),
  broken(
    "101 to another token",
    `HTTP/1.1 101 x\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n${EVIL}`,
    { fields: UPGRADE },
  ),
  broken(
    "101 to two tokens",
    `HTTP/1.1 101 x\r\nconnection: upgrade\r\nupgrade: websocket, h2c\r\n\r\n${EVIL}`,
    { fields: UPGRADE },
  ),
  broken("101 without Upgrade", `HTTP/1.1 101 x\r\nconnection: upgrade\r\n\r\n${EVIL}`, {
    fields: UPGRADE,
  }),
  broken("101 without Connection", `HTTP/1.1 101 x\r\nupgrade: websocket\r\n\r\n${EVIL}`, {
    fields: UPGRADE,
  }),
  own("an upgrade answered by 200", SIZED, { fields: UPGRADE }),
  own("an upgrade answered by 200 and more", SIZED + EVIL, { fields: UPGRADE }),

  broken(
    "a flood of interim answers",
    "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n".repeat(500) + SIZED,
  ),
  broken("a flood of 100", "HTTP/1.1 100 Continue\r\n\r\n".repeat(500) + SIZED),
  own("some interim answers", "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n".repeat(10) + SIZED),
  broken(
    "an interim answer with content",
    `HTTP/1.1 103 x\r\ncontent-length: 4\r\n\r\nEVIL${SIZED}`,
  ),
  { ...broken("nothing but an interim answer", ""), attack: thenFin("HTTP/1.1 103 x\r\n\r\n") },

  own("bytes behind a sized answer", `${SIZED}EVIL`),
  own("another answer behind a sized one", SIZED + EVIL),
  own("another answer behind a chunked one", `${CHUNKED}3\r\nown\r\n0\r\n\r\n${EVIL}`),
  own("a line break behind an answer", `${SIZED}\r\n`),
  own("more bytes than Content-Length", `${OK}content-length: 3\r\n\r\nownEVIL`),
  own("another answer to nobody, later", (socket) => {
    // Written apart, so that the connection may be idle already when they come.
    socket.write(SIZED, "latin1", () => setImmediate(() => socket.write(EVIL)));
  }, { awaitsClose: true }),
  own("Connection: close and no close", `${OK}connection: close\r\ncontent-length: 3\r\n\r\nown`),
  own(
    "forbidden trailers",
    `${CHUNKED}3\r\nown\r\n0\r\nset-cookie: EVIL\r\ncontent-length: 9\r\nx-t: 1\r\n\r\n`,
  ),
  own(
    "fields of one hop",
    `${OK}connection: x-evil\r\nx-evil: EVIL\r\nkeep-alive: EVIL\r\nupgrade: EVIL\r\nproxy-connection: EVIL\r\ncontent-length: 3\r\n\r\nown`,
  ),

  {
    ...broken("204 with content", `HTTP/1.1 204 No Content\r\n\r\n${EVIL}`),
    expect: { status: 204 },
  },
  {
    ...broken("204 with CL and content", "HTTP/1.1 204 x\r\ncontent-length: 4\r\n\r\nEVIL"),
    expect: { status: 204 },
  },
  {
    ...broken(
      "204 with TE and content",
      "HTTP/1.1 204 x\r\ntransfer-encoding: chunked\r\n\r\n4\r\nEVIL\r\n0\r\n\r\n",
    ),
    expect: { status: 204 },
  },
  {
    ...broken("304 with content", `HTTP/1.1 304 x\r\ncontent-length: 42\r\n\r\n${EVIL}`),
    expect: { status: 304 },
  },
  {
    ...broken(
      "304 with chunks",
      "HTTP/1.1 304 x\r\ntransfer-encoding: chunked\r\n\r\n4\r\nEVIL\r\n0\r\n\r\n",
    ),
    expect: { status: 304 },
  },
  { ...broken("HEAD with content", EVIL), method: "HEAD", expect: { status: 200, body: "" } },
  {
    ...broken("HEAD with chunks", `${CHUNKED}4\r\nEVIL\r\n0\r\n\r\n`),
    method: "HEAD",
    expect: { status: 200, body: "" },
  },

  ...BAD_CHUNKS.map(([name, body]) => cutOff(`a chunk with ${name}`, CHUNKED + body)),
  cutOff("FIN within a chunk", thenFin(`${CHUNKED}64\r\nhalf`)),
  cutOff("FIN between chunks", thenFin(`${CHUNKED}4\r\nhalf\r\n`)),
  cutOff("FIN within a chunk's size", thenFin(`${CHUNKED}4\r\nhalf\r\n0`)),
  cutOff("FIN before the final line", thenFin(`${CHUNKED}4\r\nhalf\r\n0\r\n`)),
  cutOff("FIN within trailers", thenFin(`${CHUNKED}4\r\nhalf\r\n0\r\nx-t: 1\r\n`)),
  cutOff("FIN within a sized body", thenFin(`${OK}content-length: 5\r\n\r\nhalf`)),
  cutOff("FIN before a sized body", thenFin(`${OK}content-length: 5\r\n\r\n`)),
  cutOff("RST within a sized body", thenReset(`${OK}content-length: 5\r\n\r\nhalf`)),
  cutOff("RST within a chunk", thenReset(`${CHUNKED}64\r\nhalf`)),
  cutOff("RST within a body that ends with the connection", thenReset(`${OK}\r\nhalf`)),
  own("FIN behind a body that ends with the connection", thenFin(`${OK}\r\nown`)),
  { ...broken("FIN within a head", ""), attack: thenFin("HTTP/1.1 200 OK\r\ncontent-le") },
  { ...broken("FIN within a status line", ""), attack: thenFin("HTTP/1.1 2") },
  { ...broken("RST within a head", ""), attack: thenReset("HTTP/1.1 200 OK\r\ncontent-le") },
  { ...broken("FIN at once", ""), attack: thenFin("") },
  { ...broken("RST at once", ""), attack: (socket) => void socket.resetAndDestroy() },
  {
    ...broken("random bytes", ""),
    attack: (socket) => {
      socket.write(Buffer.from(crypto.getRandomValues(new Uint8Array(2000))));
      socket.end();
    },
  },
];
