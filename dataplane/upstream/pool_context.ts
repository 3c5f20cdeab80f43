import type { Transport } from "../net/transport.ts";
import type { TurnEnd } from "../loop/turn_end.ts";
import type { Overload } from "../loop/overload.ts";
import type { Ticker } from "../loop/ticker.ts";
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
