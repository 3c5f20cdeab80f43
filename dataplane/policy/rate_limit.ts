import type { RateLimit as RateLimitMessage } from "../../proto/gen/novaedge/v1/config.ts";
import { RateLimitKeyType } from "../../proto/gen/novaedge/v1/config.ts";
import { ascii } from "../message/bytes.ts";
import { GLOBAL } from "../observe/counters.ts";
import { type Refusal, refusal } from "../observe/refusal.ts";
import { type LimitKey, limitKey } from "./limit_key.ts";
import type { PolicyContext } from "./policy_context.ts";
import type { PolicyRequest, RequestCheck, Verdict } from "./policy.ts";

const SECOND = 1000;
const FIELDS = new Set(["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"]);

/** A limit on the rate of requests for each value of a key, one for all workers. */
export class RateLimit implements RequestCheck {
  readonly #context: PolicyContext;
  readonly #policy: number;
  readonly #key: LimitKey;
  /** Milliseconds in which a token comes back, and an empty bucket becomes full. */
  readonly #interval: number;
  readonly #depth: number;
  readonly #burst: number;
  /** Whether the key is known only after authentication. */
  readonly afterAuthentication: boolean;

  /** @param policy number of the policy's buckets */
  constructor(message: RateLimitMessage, policy: number, context: PolicyContext) {
    this.#context = context;
    this.#policy = policy;
    this.#key = limitKey(message.keys, message.ipv6Prefix);
    this.#interval = SECOND / message.rate;
    this.#burst = message.burst;
    this.#depth = this.#interval * message.burst;
    this.afterAuthentication = message.keys.some(({ type }) =>
      type === RateLimitKeyType.RATE_LIMIT_KEY_TYPE_CLAIM
    );
  }

  check(request: PolicyRequest): Verdict {
    return this.takeLocally(request, this.#key(request));
  }

  /** Text of the request's key. */
  keyOf(request: PolicyRequest): string {
    return this.#key(request);
  }

  /** Takes a token from the buckets of this gateway. */
  takeLocally(request: PolicyRequest, key: string): Refusal | null {
    const { buckets, now, counters } = this.#context;
    const { wait, full } = buckets.take(this.#policy, key, now(), this.#interval, this.#depth);
    counters[GLOBAL.bucketsEvicted] = buckets.evicted;
    const remaining = Math.max(0, Math.floor((this.#depth - full) / this.#interval + 1e-6));
    return this.settle(request, wait, remaining, full);
  }

  /**
   * Tells the client how it stands, and refuses it when it must wait.
   * @param wait milliseconds until a token is there, 0 when one was taken
   * @param full milliseconds until all are
   */
  settle(request: PolicyRequest, wait: number, remaining: number, full: number): Refusal | null {
    request.changeAnswer({
      removed: FIELDS,
      lines: ascii(
        `ratelimit-limit: ${this.#burst}\r\nratelimit-remaining: ${remaining}\r\n` +
          `ratelimit-reset: ${Math.ceil(full / SECOND)}\r\n`,
      ),
    });
    if (wait === 0) return null;
    const seconds = Math.max(1, Math.ceil(wait / SECOND));
    return refusal(429, "rate_limited", [["retry-after", String(seconds)]]);
  }
}
