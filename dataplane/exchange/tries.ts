import { GLOBAL } from "../observe/counters.ts";
import type { RetryPolicy } from "../router/retry_policy.ts";
import type { UpstreamFailure, UpstreamStream } from "../upstream/upstream_stream.ts";
import type { Engine } from "./engine.ts";
import { mayResend } from "./resend.ts";
import { RetryBudget } from "./retry_budget.ts";

/** What decides, beside the failure, whether a request may be sent once more. */
export interface TriedRequest {
  readonly method: string;
  readonly hasBody: boolean;
  /** Whether all of its body could be sent again. */
  readonly complete: boolean;
}

/** Another try, after a pause. */
export interface NextTry {
  /** Milliseconds. */
  readonly wait: number;
  /** Whether the endpoint of the last try should be left out. */
  readonly elsewhere: boolean;
  /** Whether only a connection that has not served before will do. */
  readonly fresh: boolean;
}

const budgets = new WeakMap<RetryPolicy, RetryBudget>();

function budgetOf(policy: RetryPolicy): RetryBudget {
  let budget = budgets.get(policy);
  if (budget === undefined) budgets.set(policy, budget = new RetryBudget(policy.budget));
  return budget;
}

/** The tries of one request. */
export class Tries {
  readonly #engine: Engine;
  #policy: RetryPolicy | null = null;
  /** Sent once more though a backend may have seen it, or it was refused unseen. */
  #resent = false;
  /** Sent elsewhere since its endpoint took no connection. */
  #moved = false;
  #retries = 0;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** Times that the request was sent, or was to be sent, so far. */
  get count(): number {
    return 1 + this.#retries + (this.#resent ? 1 : 0) + (this.#moved ? 1 : 0);
  }

  /** Whether the body must be kept for a second time. */
  get keepsBody(): boolean {
    return this.#policy !== null && this.#policy.attempts > 0;
  }

  begin(): void {
    this.#policy = null;
    this.#resent = false;
    this.#moved = false;
    this.#retries = 0;
  }

  /** The request's policy, once its backend is known. */
  follow(policy: RetryPolicy | null): void {
    this.#policy = policy;
    if (policy !== null) budgetOf(policy).request(this.#engine.ticker.now);
  }

  /** Milliseconds until a try's answer must begin, 0 without limit. */
  get timeout(): number {
    return this.#policy === null ? 0 : this.#policy.tryTimeout;
  }

  /** @param stream on which the request was sent, null when it was not */
  afterFailure(
    failure: UpstreamFailure,
    stream: UpstreamStream | null,
    answered: boolean,
    request: TriedRequest,
  ): NextTry | null {
    const policy = this.#policy;
    if (policy !== null && policy.attempts === 0) return null;
    const { method, hasBody, complete } = request;
    if (!answered && mayResend(failure, stream, method, hasBody, complete)) {
      const unsent = stream === null;
      // The backend whose connection had gone stale may be gone itself.
      if (unsent ? this.#mayMove(policy) : !this.#resent) {
        if (unsent) this.#moved = true;
        else this.#resent = true;
        this.#engine.counters[GLOBAL.resent]++;
        return { wait: 0, elsewhere: unsent, fresh: true };
      }
    }
    if (policy === null || !covers(policy, failure)) return null;
    const unseen = stream === null || failure === "upstream_refused";
    return this.#retry(policy, unseen || policy.methods.has(request.method), request);
  }

  #mayMove(policy: RetryPolicy | null): boolean {
    if (this.#moved) return false;
    return !this.#resent || policy === null || this.count <= policy.attempts;
  }

  /** The backend had its time. */
  afterTimeout(request: TriedRequest): NextTry | null {
    const policy = this.#policy;
    if (policy === null || !policy.timeout) return null;
    return this.#retry(policy, policy.methods.has(request.method), request);
  }

  /** An answer came that the policy does not take as the last word. */
  afterStatus(status: number, request: TriedRequest): NextTry | null {
    const policy = this.#policy;
    if (policy === null || !policy.retriesStatus(status)) return null;
    const safe = policy.statusForAnyMethod || policy.methods.has(request.method);
    return this.#retry(policy, safe, request);
  }

  /** @param safe a backend may see the request once more */
  #retry(policy: RetryPolicy, safe: boolean, request: TriedRequest): NextTry | null {
    // The owner's number bounds all tries: one on a connection that had gone stale is among them.
    if (!safe || this.count > policy.attempts || !request.complete) return null;
    const { counters, ticker, random } = this.#engine;
    if (!budgetOf(policy).take(ticker.now)) {
      counters[GLOBAL.retryBudgetSpent]++;
      return null;
    }
    counters[GLOBAL.retries]++;
    // Full jitter: those who failed together must not come back together.
    const most = Math.min(policy.backoffMax, policy.backoffBase * 2 ** this.#retries);
    this.#retries++;
    return { wait: Math.round(random() * most), elsewhere: true, fresh: false };
  }
}

/** Whether the policy names this kind of failure. */
function covers(policy: RetryPolicy, failure: UpstreamFailure): boolean {
  switch (failure) {
    case "connect_failed":
    case "connect_timeout":
    case "upstream_tls":
      return policy.connect;
    case "upstream_refused":
      return policy.refused;
    case "upstream_reset":
      return policy.reset;
    case "response_timeout":
    case "upstream_stalled":
      return policy.timeout;
    case "upstream_protocol":
    case "pending_timeout":
      return false;
  }
}
