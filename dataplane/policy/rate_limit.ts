import type { RateLimit as RateLimitMessage } from "../../proto/gen/novaedge/v1/config.ts";
import { RateLimitKeyType } from "../../proto/gen/novaedge/v1/config.ts";
import { ascii, CR, LF } from "../message/bytes.ts";
import { makeEdit } from "../message/field_edit.ts";
import { GLOBAL } from "../observe/counters.ts";
import { type Refusal, refusal } from "../observe/refusal.ts";
import { type LimitKey, limitKey } from "./limit_key.ts";
import type { PolicyContext } from "./policy_context.ts";
import type { PolicyRequest, RequestCheck, Verdict } from "./policy.ts";

const SECOND = 1000;
const FIELDS = new Set(["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"]);
/** What every answer's change has in common. */
const EDIT = makeEdit(FIELDS, ascii([...FIELDS].map((name) => `${name}: \r\n`).join("")));

/** A limit on the rate of requests for each value of a key, one for all workers. */
export class RateLimit implements RequestCheck {
  readonly #context: PolicyContext;
  readonly #policy: number;
  readonly #key: LimitKey;
  /** Milliseconds in which a token comes back, and an empty bucket becomes full. */
  readonly #interval: number;
  readonly #depth: number;
  readonly #limitLine: Uint8Array;
  /** Whether the key is known only after authentication. */
  readonly afterAuthentication: boolean;

  /** @param policy number of the policy's buckets */
  constructor(message: RateLimitMessage, policy: number, context: PolicyContext) {
    this.#context = context;
    this.#policy = policy;
    this.#key = limitKey(message.keys, message.ipv6Prefix);
    this.#interval = SECOND / message.rate;
    this.#limitLine = ascii(`ratelimit-limit: ${message.burst}\r\n`);
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
    request.changeAnswer({ ...EDIT, lines: this.#lines(remaining, Math.ceil(full / SECOND)) });
    if (wait === 0) return null;
    const seconds = Math.max(1, Math.ceil(wait / SECOND));
    return refusal(429, "rate_limited", [["retry-after", String(seconds)]]);
  }

  /** The three fields. Written as bytes: each request has its own. */
  #lines(remaining: number, reset: number): Uint8Array {
    const before = this.#limitLine;
    const lines = new Uint8Array(before.length + REMAINING.length + RESET.length + 2 * DIGITS + 4);
    lines.set(before);
    let at = before.length;
    lines.set(REMAINING, at);
    at = putDigits(remaining, lines, at + REMAINING.length);
    lines.set(RESET, at);
    at = putDigits(reset, lines, at + RESET.length);
    lines[at++] = CR;
    lines[at++] = LF;
    return lines.subarray(0, at);
  }
}

/** Most digits of a number of tokens or seconds. */
const DIGITS = 16;
const REMAINING = ascii("ratelimit-remaining: ");
const RESET = ascii("\r\nratelimit-reset: ");
const ZERO = 48;

/** Writes a whole number; returns the position after it. */
function putDigits(value: number, out: Uint8Array, at: number): number {
  let digits = 1;
  for (let limit = 10; value >= limit; limit *= 10) digits++;
  let rest = value;
  for (let i = at + digits - 1; i >= at; i--) {
    const less = Math.floor(rest / 10);
    out[i] = ZERO + rest - less * 10;
    rest = less;
  }
  return at + digits;
}
