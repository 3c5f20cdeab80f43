import type { Ticker } from "../loop/ticker.ts";
import type { UpstreamGuard } from "../net/upstream_guard.ts";
import type { BackendRuntime } from "../upstream/backend_runtime.ts";
import type { BucketTable } from "./bucket_table.ts";

/** Where a policy's keys come from. */
export interface KeySubscription {
  /** Asks for newer keys; resolves when it is known whether there are any. */
  refresh(): Promise<void>;
  close(): void;
}

/** What the policies of one worker share. */
export interface PolicyContext {
  readonly ticker: Ticker;
  readonly counters: Float64Array;
  readonly buckets: BucketTable;
  /** Milliseconds of a monotonic clock that all workers share. */
  readonly now: () => number;
  /** Milliseconds since 1970. */
  readonly wallClock: () => number;
  readonly backends: ReadonlyMap<string, BackendRuntime>;
  /** Where connections may not lead. */
  readonly guard: UpstreamGuard;
  /** Number of a policy, the same in every worker; its buckets go by it. */
  numberOf(policy: string): number;
  /**
   * Follows a JWK Set by its URL.
   * @param refresh milliseconds after which it is fetched again
   * @param onKeys gets the set as JSON, now or later, and again when it changes
   */
  followKeys(
    url: string,
    refresh: number,
    timeout: number,
    onKeys: (json: string) => void,
  ): KeySubscription;
  /** Whether a password has this bcrypt hash; null when too many wait. Takes long, elsewhere. */
  checkPassword(password: string, hash: string): Promise<boolean | null>;
}
