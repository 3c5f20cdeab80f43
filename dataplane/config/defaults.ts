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
  requestHead: row(10_000, "ms", "slow heads are an attack or a dead peer", "408, closed"),
  idle: row(75_000, "ms", "nginx's default; below common NAT timeouts", "connection closed"),
  bodyProgress: row(60_000, "ms", "time without one byte in either direction", "408 or reset"),
  connect: row(2_000, "ms", "the specification's connectTimeout", "504 connect_timeout"),
  responseHead: row(60_000, "ms", "counted from the end of the request", "504 response_timeout"),
  pending: row(5_000, "ms", "longer queues only hide an overload", "503 pending_timeout"),
  upstreamIdle: row(60_000, "ms", "the specification's idleTimeout", "pooled connection closed"),
  lingering: row(2_000, "ms", "lets a client read an early answer", "connection closed"),
  drainLingering: row(500, "ms", "idle connections when the dataplane ends", "connection closed"),
  headBytes: row(65_536, "bytes", "twice nginx's 4 x 8 KiB", "431, closed"),
  targetBytes: row(16_384, "bytes", "longest targets seen from browsers", "414, closed"),
  fields: row(128, "count", "Envoy allows 100", "431, closed"),
  pipelined: row(65_536, "bytes", "bytes kept behind the request in progress", "reading pauses"),
  maxIdlePerEndpoint: row(256, "count", "10, the specification's, would end reuse", "closed early"),
  maxConnectionsPerEndpoint: row(1_024, "count", "per worker; backends queue above it", "queued"),
  maxPending: row(1_024, "count", "per backend and worker", "503 pending_overflow"),
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
