import { createHash } from "node:crypto";
import type {
  RateLimit as RateLimitMessage,
  RedisLimit as RedisLimitMessage,
} from "../../proto/gen/novaedge/v1/config.ts";
import { GLOBAL } from "../observe/counters.ts";
import type { PolicyRequest, RequestCheck, Verdict } from "./policy.ts";
import type { PolicyContext } from "./policy_context.ts";
import { RateLimit } from "./rate_limit.ts";
import { RedisClient } from "./redis_client.ts";
import { REDIS_SCRIPTS } from "./redis_scripts.ts";

const SECOND = 1000;
/** Longest key that is sent as it is. */
const LONGEST = 128;

/** A rate limit that several gateways count together; alone, each counts for itself by the same limit. */
export class RedisLimit implements RequestCheck {
  readonly #local: RateLimit;
  readonly #client: RedisClient;
  readonly #context: PolicyContext;
  readonly #script: string;
  readonly #prefix: string;
  readonly #args: readonly (string | number)[];

  /** @param name of the policy, the same in every gateway */
  constructor(
    name: string,
    message: RateLimitMessage,
    redis: RedisLimitMessage,
    context: PolicyContext,
  ) {
    this.#local = new RateLimit(message, context.numberOf(name), context);
    this.#client = new RedisClient(redis, context);
    this.#context = context;
    this.#script = REDIS_SCRIPTS[redis.algorithm];
    this.#prefix = `novaedge:${name}:`;
    const interval = SECOND / message.rate;
    this.#args = [interval, interval * message.burst, message.burst];
  }

  get afterAuthentication(): boolean {
    return this.#local.afterAuthentication;
  }

  dispose(): void {
    this.#client.close();
  }

  check(request: PolicyRequest): Verdict {
    const key = this.#local.keyOf(request);
    const answer = this.#client.run(this.#script, this.#keyFor(key), this.#args);
    if (answer === null) return this.#alone(request, key);
    return answer.then((result) => {
      if (!Array.isArray(result)) return this.#alone(request, key);
      const [wait, remaining, full] = result.map(Number);
      return this.#local.settle(request, wait, remaining, full);
    });
  }

  #alone(request: PolicyRequest, key: string): Verdict {
    this.#context.counters[GLOBAL.rateLimitFallbacks]++;
    return this.#local.takeLocally(request, key);
  }

  /** In braces: the parts of a key that a script uses live on one node of a cluster. */
  #keyFor(key: string): string {
    const text = key.length <= LONGEST ? key : createHash("sha256").update(key).digest("base64url");
    return `{${this.#prefix}${text}}`;
  }
}
