import type { Transport } from "../net/transport.ts";
import type { TurnEnd } from "../loop/turn_end.ts";
import type { Overload } from "../loop/overload.ts";
import type { Ticker } from "../loop/ticker.ts";
import type { EndpointTable } from "./endpoint_table.ts";
import type { Inflight } from "./inflight.ts";
import type { AddressBook } from "./address_book.ts";

/** What pools of one worker share. */
export interface PoolContext {
  readonly transport: Transport;
  readonly ticker: Ticker;
  readonly counters: Float64Array;
  readonly turnEnd: TurnEnd;
  readonly overload: Overload;
  /** Addresses behind endpoint names. */
  readonly addresses: AddressBook;
  /** A number in [0, 1), for jitter. */
  readonly random: () => number;
}

/** What backends of one thread share beside their pools. */
export interface BackendContext extends PoolContext {
  /** What all threads know of endpoints. */
  readonly table: EndpointTable;
  readonly inflight: Inflight;
  /** Milliseconds of a monotonic clock that all threads share. */
  readonly sharedNow: () => number;
  /** The node's zone, "" when it is not known. */
  readonly zone: string;
}

/** Limits of one backend's pools; replaced as a whole when the backend changes. Times in milliseconds. */
export interface PoolLimits {
  readonly connectTimeout: number;
  /** How long an unused connection is kept. */
  readonly idleTimeout: number;
  /** Age after which a connection takes no further request. */
  readonly lifetime: number;
  readonly maxConnections: number;
  readonly maxIdle: number;
  readonly maxPending: number;
  /** Requests that one connection serves. */
  readonly maxRequests: number;
  /** Connections opened before the first request. */
  readonly prewarm: number;
}
