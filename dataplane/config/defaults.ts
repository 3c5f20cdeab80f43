/**
 * Every limit and timeout of the dataplane: value, unit, why that value, and what a peer sees when it
 * is reached. Other code reads the values through `LIMIT`.
 */
interface Row {
  readonly value: number;
  readonly unit: "ms" | "bytes" | "count";
  readonly reason: string;
  readonly effect: string;
}

const row = (value: number, unit: Row["unit"], reason: string, effect: string): Row => ({
  value,
  unit,
  reason,
  effect,
});

/** The table behind `LIMIT`; docs/limits.md is checked against it. */
export const DEFAULTS = {
  tlsHandshake: row(10_000, "ms", "a handshake is two round trips", "connection closed"),
  helloRecords: row(
    128,
    "count",
    "records that a ClientHello is cut into; 64 KiB need 5",
    "connection closed",
  ),
  certificateChain: row(
    10,
    "count",
    "certificates of one client; a path has seldom more than 4",
    "connection closed",
  ),
  certificateChainBytes: row(
    65_536,
    "bytes",
    "certificates of one peer together; 10 usual ones have some 20 KB",
    "connection closed",
  ),
  certificateFieldBytes: row(
    8_192,
    "bytes",
    "X-Forwarded-Client-Cert must leave room for other fields",
    "connection closed",
  ),
  requestHead: row(10_000, "ms", "slow heads are an attack or a dead peer", "408, closed"),
  idle: row(75_000, "ms", "nginx's default; below common NAT timeouts", "connection closed"),
  bodyProgress: row(60_000, "ms", "time without one byte in either direction", "408 or reset"),
  leastRate: row(
    128,
    "bytes",
    "a second, over each bodyProgress: a slow body holds a connection and memory",
    "408 or reset",
  ),
  connect: row(2_000, "ms", "the specification's connectTimeout", "504 connect_timeout"),
  responseHead: row(
    60_000,
    "ms",
    "counted from the end of the request; not where a timeout is configured",
    "504 response_timeout",
  ),
  askedTime: row(
    3_600_000,
    "ms",
    "of a response whose client says by grpc-timeout how long it waits",
    "504 response_timeout",
  ),
  pending: row(5_000, "ms", "longer queues only hide an overload", "503 pending_timeout"),
  mirror: row(30_000, "ms", "a mirror must not collect copies", "nothing; the copy is given up"),
  upstreamIdle: row(60_000, "ms", "the specification's idleTimeout", "pooled connection closed"),
  upstreamLifetime: row(
    3_600_000,
    "ms",
    "follows moved endpoints; 10 % jitter",
    "closed after use",
  ),
  streamIdle: row(
    300_000,
    "ms",
    "Envoy's edge value; for upgraded connections",
    "both sides closed",
  ),
  connectionLifetime: row(
    3_600_000,
    "ms",
    "lets clients move to other nodes",
    "closed after an answer",
  ),
  lingering: row(2_000, "ms", "lets a client read an early answer", "connection closed"),
  drainLingering: row(500, "ms", "idle connections when the dataplane ends", "connection closed"),
  headBytes: row(65_536, "bytes", "twice nginx's 4 x 8 KiB", "431, closed"),
  forwardedHops: row(
    64,
    "count",
    "trusted elements of X-Forwarded-For; each is looked up",
    "the last one read is the client",
  ),
  targetBytes: row(16_384, "bytes", "longest targets seen from browsers", "414, closed"),
  fields: row(128, "count", "Envoy allows 100", "431, closed"),
  continuations: row(16, "count", "a head of 64 KiB needs 4", "GOAWAY ENHANCE_YOUR_CALM"),
  interimHeads: row(
    16,
    "count",
    "1xx before one answer; more is an attack",
    "502 upstream_protocol",
  ),
  streams: row(100, "count", "least that RFC 9113 recommends", "REFUSED_STREAM"),
  initialStreamWindow: row(
    65_536,
    "bytes",
    "what a peer may send before anybody has taken a byte of it",
    "peer waits",
  ),
  upstreamInitialWindow: row(
    16_384,
    "bytes",
    "as above for a backend: a frame of the largest size each for a thousand responses of a client",
    "backend waits",
  ),
  streamWindow: row(
    262_144,
    "bytes",
    "256 KiB per round trip and stream, once its content is taken",
    "peer waits",
  ),
  connectionWindow: row(1_048_576, "bytes", "Envoy's edge value", "client waits"),
  replayBytes: row(65_536, "bytes", "body kept until a backend answers", "not sent again"),
  bufferedBytes: row(
    134_217_728,
    "bytes",
    "per worker, for peers slower than the other side",
    "stream reset; new requests 503 overload",
  ),
  bufferedPerClient: row(
    16_777_216,
    "bytes",
    "per worker: an eighth of all, so that one client cannot use up the total",
    "stream reset; its new requests 503 overload",
  ),
  compressors: row(
    64,
    "count",
    "per worker, responses compressed at once; each keeps 1 MiB",
    "response not compressed",
  ),
  compressorsPerClient: row(
    8,
    "count",
    "per worker; browsers ask for 6 at once over HTTP/1.1",
    "response not compressed",
  ),
  handshakesPerClient: row(
    64,
    "count",
    "per worker: handshakes and PROXY headers that are due; browsers open 6",
    "connection closed",
  ),
  handshakes: row(
    1_024,
    "count",
    "per worker, of all clients: half a second of handshakes",
    "the oldest of the client with the most is closed",
  ),
  pipelined: row(65_536, "bytes", "bytes kept behind the request in progress", "reading pauses"),
  maxIdlePerEndpoint: row(256, "count", "10, the specification's, would end reuse", "closed early"),
  maxConnectionsPerEndpoint: row(1_024, "count", "per worker; backends queue above it", "queued"),
  maxPending: row(1_024, "count", "per backend and worker", "503 pending_overflow"),
  requestsPerConnection: row(100_000, "count", "lets long connections move on", "closed after it"),
  requestsPerUpstream: row(1_000_000, "count", "bounds HPACK and stream state", "closed after it"),
  upstreamStreams: row(100, "count", "on one connection; more open another", "another connection"),
  connectionsPerClient: row(
    10_000,
    "count",
    "per worker and address: half of all, for networks behind one address",
    "connection closed",
  ),
  connectionsPerWorker: row(
    20_000,
    "count",
    "4 KB each plain, 18 KB with TLS",
    "connection closed",
  ),
  accessLogBuffer: row(
    4_194_304,
    "bytes",
    "a slow log sink must not hold traffic",
    "lines dropped",
  ),
} as const satisfies Record<string, Row>;

/** Values of the defaults table by name. */
export const LIMIT = Object.fromEntries(
  Object.entries(DEFAULTS).map(([name, { value }]) => [name, value]),
) as { readonly [K in keyof typeof DEFAULTS]: number };
