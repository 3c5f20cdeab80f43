import { BODY_100, BODY_16K, LENGTH_100M, LENGTH_1M } from "./bodies.ts";
import { MESSAGE_LENGTH } from "./grpc_message.ts";

/** What drives a case: requests of a version of HTTP, handshakes alone, or messages of a WebSocket. */
export type LoadKind = "http1" | "http2" | "handshakes" | "websocket";

/** What answers behind the proxies. */
export type BackendKind = "http1" | "grpc" | "websocket";

/** What CPU time is divided by. */
export type Unit = "request" | "call" | "message" | "handshake" | "MB";

/** Greatest CPU time of this gateway, in multiples of another proxy's. */
export interface Gate {
  /** Whose time it is. */
  readonly of: "NovaEdge" | "NovaEdge native";
  readonly against: "nginx" | "Caddy" | "relay";
  readonly limit: number;
}

/** A case of the request bench. */
export interface RequestCase {
  readonly title: string;
  readonly load: LoadKind;
  /** Whether clients speak TLS. */
  readonly tls: boolean;
  readonly connections: number;
  /** Streams at once on a connection, for HTTP/2. */
  readonly streams: number;
  readonly backend: BackendKind;
  readonly routes: number;
  readonly path: string;
  /** Bytes of one answer: a body, or gRPC messages with their prefixes. */
  readonly answerLength: number;
  /** Messages that a gRPC call is answered with, 0 for what is not gRPC. */
  readonly messages: number;
  /** A connection per request. */
  readonly closing: boolean;
  readonly unit: Unit;
  readonly gates: readonly Gate[];
}

const SMALL: RequestCase = {
  title: "keep-alive, 100 bytes, 5 routes",
  load: "http1",
  tls: false,
  connections: 32,
  streams: 1,
  backend: "http1",
  routes: 5,
  path: "/",
  answerLength: BODY_100.length,
  messages: 0,
  closing: false,
  unit: "request",
  gates: [],
};

const ROUTES_1000: RequestCase = {
  ...SMALL,
  title: "keep-alive, 100 bytes, 1,000 routes asked for in turn, access log and metrics on",
  routes: 1000,
};

const HTTP2: RequestCase = { ...SMALL, load: "http2", connections: 8, streams: 16, title: "" };

const GRPC: RequestCase = {
  ...HTTP2,
  backend: "grpc",
  path: "/bench.Echo/Echo",
  messages: 1,
  answerLength: MESSAGE_LENGTH,
  unit: "call",
};

/** Messages of a streamed answer. */
const STREAMED = 100;

/** Every gate comes with one beside the other gateway in a managed language, and one of the native transport. */
function gates(nginx: number, native: number, ...more: Gate[]): readonly Gate[] {
  return [
    { of: "NovaEdge", against: "nginx", limit: nginx },
    ...more,
    { of: "NovaEdge", against: "Caddy", limit: 0.4 },
    { of: "NovaEdge native", against: "nginx", limit: native },
  ];
}

/** The cases by name, in the order they run. */
export const CASES: Readonly<Record<string, RequestCase>> = {
  small: SMALL,
  body16k: {
    ...SMALL,
    title: "keep-alive, 16 KiB, 5 routes",
    path: "/16k",
    answerLength: BODY_16K.length,
  },
  newconn: {
    ...SMALL,
    title: "a connection per request, 100 bytes, 5 routes",
    closing: true,
  },
  routes1000: {
    ...ROUTES_1000,
    gates: gates(1.5, 1.15, { of: "NovaEdge", against: "relay", limit: 1.3 }),
  },
  tls: {
    ...ROUTES_1000,
    title: "TLS, keep-alive, 100 bytes, 1,000 routes asked for in turn",
    tls: true,
    gates: gates(1.6, 1.2),
  },
  h2: {
    ...HTTP2,
    title: "HTTP/2 over TLS to HTTP/1.1, 100 bytes, 5 routes",
    tls: true,
    gates: gates(1.5, 1.2),
  },
  h2c: { ...HTTP2, title: "HTTP/2 in cleartext to HTTP/1.1, 100 bytes, 5 routes" },
  grpc: { ...GRPC, title: "gRPC unary, HTTP/2 in cleartext on both sides", gates: gates(1.6, 1.3) },
  grpcstream: {
    ...GRPC,
    title: `gRPC calls answered with a stream of ${STREAMED} messages, HTTP/2 on both sides`,
    messages: STREAMED,
    answerLength: STREAMED * MESSAGE_LENGTH,
    unit: "message",
  },
  handshakes: {
    ...SMALL,
    title: "full TLS handshakes, no resumption, no request",
    load: "handshakes",
    tls: true,
    unit: "handshake",
    // Nine tenths of the handshakes per second of a core.
    gates: [{ of: "NovaEdge native", against: "nginx", limit: 1 / 0.9 }],
  },
  newtls: {
    ...SMALL,
    title: "a TLS connection per request, which resumes a session, 100 bytes, 5 routes",
    tls: true,
    closing: true,
  },
  ws: {
    ...SMALL,
    title: "WebSocket, 100 bytes there and back counted as one message",
    load: "websocket",
    backend: "websocket",
    unit: "message",
  },
  body1m: {
    ...SMALL,
    title: "downloads of 1 MiB, keep-alive",
    path: "/1m",
    answerLength: LENGTH_1M,
    unit: "MB",
  },
  body100m: {
    ...SMALL,
    title: "downloads of 100 MiB, keep-alive",
    connections: 8,
    path: "/100m",
    answerLength: LENGTH_100M,
    unit: "MB",
  },
};
