import { REASONS } from "./reasons.ts";

/** Listeners with counters of their own; later ones share the last slot. */
export const LISTENER_SLOTS = 64;

/** Upper bounds of the latency histogram, in milliseconds. */
export const LATENCY_BOUNDS = [0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000];

const CLASSES = 6;

/** Offsets of one listener's counters. */
export const SLOT = {
  classes: 0,
  reasons: CLASSES,
  latency: CLASSES + REASONS.length,
  latencySum: CLASSES + REASONS.length + LATENCY_BOUNDS.length + 1,
  bytesIn: CLASSES + REASONS.length + LATENCY_BOUNDS.length + 2,
  bytesOut: CLASSES + REASONS.length + LATENCY_BOUNDS.length + 3,
  accepted: CLASSES + REASONS.length + LATENCY_BOUNDS.length + 4,
  open: CLASSES + REASONS.length + LATENCY_BOUNDS.length + 5,
  handshakeErrors: CLASSES + REASONS.length + LATENCY_BOUNDS.length + 6,
  handshakes: CLASSES + REASONS.length + LATENCY_BOUNDS.length + 7,
  resumptions: CLASSES + REASONS.length + LATENCY_BOUNDS.length + 8,
  http2: CLASSES + REASONS.length + LATENCY_BOUNDS.length + 9,
  refusedCertificates: CLASSES + REASONS.length + LATENCY_BOUNDS.length + 10,
  size: CLASSES + REASONS.length + LATENCY_BOUNDS.length + 11,
} as const;

/** Offsets of the counters that belong to no listener, behind the slots. */
export const GLOBAL = {
  upstreamConnects: LISTENER_SLOTS * SLOT.size,
  upstreamConnectFailures: LISTENER_SLOTS * SLOT.size + 1,
  upstreamOpen: LISTENER_SLOTS * SLOT.size + 2,
  upstreamReused: LISTENER_SLOTS * SLOT.size + 3,
  resent: LISTENER_SLOTS * SLOT.size + 4,
  refusedConnections: LISTENER_SLOTS * SLOT.size + 5,
  heapUsed: LISTENER_SLOTS * SLOT.size + 6,
  logDropped: LISTENER_SLOTS * SLOT.size + 7,
  badProxyHeaders: LISTENER_SLOTS * SLOT.size + 8,
  buffered: LISTENER_SLOTS * SLOT.size + 9,
  shedding: LISTENER_SLOTS * SLOT.size + 10,
  external: LISTENER_SLOTS * SLOT.size + 11,
  retries: LISTENER_SLOTS * SLOT.size + 12,
  retryBudgetSpent: LISTENER_SLOTS * SLOT.size + 13,
  mirrored: LISTENER_SLOTS * SLOT.size + 14,
  mirrorFailures: LISTENER_SLOTS * SLOT.size + 15,
  bucketsEvicted: LISTENER_SLOTS * SLOT.size + 16,
  rateLimitFallbacks: LISTENER_SLOTS * SLOT.size + 17,
  ejections: LISTENER_SLOTS * SLOT.size + 18,
  breakerOpens: LISTENER_SLOTS * SLOT.size + 19,
  retriesRefused: LISTENER_SLOTS * SLOT.size + 20,
  faults: LISTENER_SLOTS * SLOT.size + 21,
} as const;

/** Numbers in one worker's region. */
const REGION = LISTENER_SLOTS * SLOT.size + 22;

/** Offsets, within a region, of values that fall to zero with their worker. */
const GAUGES = [
  GLOBAL.upstreamOpen,
  GLOBAL.heapUsed,
  GLOBAL.external,
  GLOBAL.buffered,
  GLOBAL.shedding,
];

/** Bytes of shared memory for the counters of `workers` workers. */
export function countersSize(workers: number): number {
  return workers * REGION * Float64Array.BYTES_PER_ELEMENT;
}

/**
 * One worker's counters. A region has one writer, so plain 64-bit stores suffice; the main thread reads
 * them at scrape.
 */
export function countersOf(shared: SharedArrayBuffer, worker: number): Float64Array {
  return new Float64Array(shared, worker * REGION * Float64Array.BYTES_PER_ELEMENT, REGION);
}

/** Clears what a dead worker held open; its totals stay. */
export function resetGauges(counters: Float64Array): void {
  for (const offset of GAUGES) counters[offset] = 0;
  for (let slot = 0; slot < LISTENER_SLOTS; slot++) counters[slot * SLOT.size + SLOT.open] = 0;
}

/** Counts one finished request. */
export function countRequest(
  counters: Float64Array,
  slot: number,
  status: number,
  reason: number,
  milliseconds: number,
  bytesIn: number,
  bytesOut: number,
): void {
  const base = slot * SLOT.size;
  counters[base + SLOT.classes + ((status / 100) | 0)]++;
  counters[base + SLOT.reasons + reason]++;
  let bucket = 0;
  while (bucket < LATENCY_BOUNDS.length && milliseconds > LATENCY_BOUNDS[bucket]) bucket++;
  counters[base + SLOT.latency + bucket]++;
  counters[base + SLOT.latencySum] += milliseconds;
  counters[base + SLOT.bytesIn] += bytesIn;
  counters[base + SLOT.bytesOut] += bytesOut;
}
