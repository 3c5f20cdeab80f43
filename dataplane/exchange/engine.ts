import type { HostDecision, PortTable } from "../router/port_table.ts";
import type { CompiledRule, WeightedRef } from "../router/compiled.ts";
import type { CompressionTurns } from "./compression_turns.ts";
import type { ExchangePool } from "./exchange_pool.ts";
import type { EventLog } from "../observe/event_log.ts";
import type { Spans } from "../observe/trace.ts";
import type { AccessLog } from "../observe/access_log.ts";
import type { PolicyStore } from "../policy/policy_store.ts";
import type { BackendRuntime } from "../upstream/backend_runtime.ts";
import type { TurnEnd } from "../loop/turn_end.ts";
import type { ClientShares } from "../loop/client_shares.ts";
import type { ClientTurns } from "../loop/client_turns.ts";
import type { Overload } from "../loop/overload.ts";
import type { Ticker } from "../loop/ticker.ts";

/** What the exchanges of one worker share. */
export interface Engine {
  readonly ticker: Ticker;
  /** Measures requests. */
  readonly clock: { now(): number };
  readonly counters: Float64Array;
  readonly accessLog: AccessLog;
  /** The program's log. */
  readonly events: EventLog;
  readonly backends: ReadonlyMap<string, BackendRuntime>;
  readonly policies: PolicyStore;
  /** Milliseconds since 1970 at `clock.now() === 0`. */
  readonly timeOrigin: number;
  /** Random prefix of this worker's request ids. */
  readonly requestIdPrefix: string;
  /** Joins what several calls of one turn write. */
  readonly turnEnd: TurnEnd;
  /** Takes the spans of requests, null without a collector. */
  readonly spans: Spans | null;
  /** What each client holds of what all share. */
  readonly clients: ClientShares;
  /** When each client may begin its next requests. */
  readonly clientTurns: ClientTurns;
  readonly compressions: CompressionTurns;
  /** Bytes kept for slow peers, and whether new work must be refused. */
  readonly overload: Overload;
  /** Requests that were answered. */
  requests: number;
  /** A number in [0, 1), for jitter. */
  readonly random: () => number;
  /** Runs a function after some milliseconds. */
  readonly later: (milliseconds: number, run: () => void) => void;
  /** Exchanges that nobody uses at the moment. */
  readonly exchanges: ExchangePool;
  /** Set while the dataplane ends: every answer closes its connection. */
  draining: boolean;
}

/** One bound port as exchanges see it. */
export interface PortRuntime {
  readonly table: PortTable;
  readonly scheme: "http" | "https";
  /** Counter slot of a listener, by its key; the port's own slot for no listener. */
  slotOf(listener: string | null): number;
  /** Whether requests of this listener are logged. */
  logs(decision: HostDecision): boolean;
}

const cursors = new WeakMap<CompiledRule, number>();

/** The next backend of a rule: shares are exact over one cycle of the total weight. */
export function nextRef(rule: CompiledRule): WeightedRef | null {
  const { refs, totalWeight } = rule;
  if (totalWeight === 0) return null;
  if (refs.length === 1) return refs[0];
  const cursor = cursors.get(rule) ?? 0;
  cursors.set(rule, (cursor + 1) % totalWeight);
  // A stride coprime to the total spreads each share over the cycle.
  let point = (cursor * strideOf(totalWeight)) % totalWeight;
  for (const ref of refs) {
    if (point < ref.weight) return ref;
    point -= ref.weight;
  }
  return null;
}

function strideOf(total: number): number {
  let stride = Math.max(1, Math.round(total * 0.618));
  while (gcd(stride, total) !== 1) stride++;
  return stride;
}

function gcd(a: number, b: number): number {
  while (b !== 0) [a, b] = [b, a % b];
  return a;
}
