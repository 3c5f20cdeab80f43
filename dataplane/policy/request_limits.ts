import type { RequestLimits as RequestLimitsMessage } from "../../proto/gen/novaedge/v1/config.ts";
import { type Refusal, refusal } from "../observe/refusal.ts";
import type { PolicyRequest, RequestCheck, Verdict } from "./policy.ts";

const TOO_LARGE = refusal(413, "body_too_large");

/** Methods and sizes that requests may have, and how long their backends may be silent. */
export class RequestLimits implements RequestCheck {
  readonly #maxBody: number;
  readonly #methods: ReadonlySet<string> | null;
  readonly #refused: Refusal;
  readonly #idle: number;

  constructor({ maxBodyBytes, methods, idleTimeoutMs }: RequestLimitsMessage) {
    this.#idle = idleTimeoutMs;
    this.#maxBody = maxBodyBytes;
    this.#methods = methods.length === 0 ? null : new Set(methods);
    const { status, reason, answer } = refusal(405, "method_refused");
    const fields = answer.fields.filter(([name]) => name !== "allow");
    this.#refused = {
      status,
      reason,
      answer: { ...answer, fields: [...fields, ["allow", methods.join(", ")]] },
    };
  }

  check(request: PolicyRequest): Verdict {
    if (this.#methods !== null && !this.#methods.has(request.method)) return this.#refused;
    if (this.#idle > 0) request.limitIdle(this.#idle);
    if (this.#maxBody === 0) return null;
    if (request.contentLength > this.#maxBody) return TOO_LARGE;
    request.limitBody(this.#maxBody);
    return null;
  }
}
