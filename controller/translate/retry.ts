import type { ProxyBackend } from "../../api/proxy_backend.ts";
import type { ProxyRouteRule } from "../../api/proxy_route.ts";
import { milliseconds } from "../../api/schema.ts";
import { RetryPolicy } from "../../proto/gen/novaedge/v1/config.ts";

type RouteRetry = NonNullable<ProxyRouteRule["retry"]>;
type BackendRetry = NonNullable<ProxyBackend["spec"]["retryPolicy"]>;

/** A retry policy, and what of it cannot be read ("" for nothing). */
export interface TranslatedRetry {
  readonly policy: RetryPolicy;
  readonly problem: string;
}

/** What may reach a backend twice without the owner saying so. */
export const SAFE_METHODS: readonly string[] = ["GET", "HEAD", "OPTIONS"];
/** What a route that says only "retry" means. */
const STANDARD_CONDITIONS = ["connect-failure", "refused-stream", "reset", "gateway-error"];
const BACKOFF_BASE = "25ms";
/** Longest pause as a multiple of the base, and in milliseconds. */
const BACKOFF_GROWTH = 10;
const LONGEST_BACKOFF = 86_400_000;
/** Retries as a share of requests. */
const BUDGET = 0.2;

type Condition = (policy: RetryPolicy) => void;

function statuses(first: number, last: number): Condition {
  return (policy) => policy.codes.push({ first, last });
}

/** No answer came at all. */
const noAnswer: Condition = (policy) => {
  policy.connectFailure =
    policy.reset =
    policy.refusedStream =
    policy.timeout =
      true;
};

/** Names as users of Envoy and of the reference project know them. */
const CONDITIONS: Readonly<Record<string, readonly Condition[]>> = {
  "5xx": [statuses(500, 599), noAnswer],
  "gateway-error": [statuses(502, 504), noAnswer],
  "retriable-4xx": [statuses(409, 409)],
  "connect-failure": [(policy) => policy.connectFailure = true],
  "connection-failure": [(policy) => policy.connectFailure = true],
  "refused-stream": [(policy) => policy.refusedStream = true],
  "reset": [(policy) => policy.reset = true],
  "timeout": [(policy) => policy.timeout = true],
};

/** Pauses between tries, of which only the first is configured. */
export function backoff(
  base = BACKOFF_BASE,
): Pick<RetryPolicy, "backoffBaseMs" | "backoffMaxMs"> {
  const backoffBaseMs = Math.min(LONGEST_BACKOFF, milliseconds(base));
  return {
    backoffBaseMs,
    backoffMaxMs: Math.min(LONGEST_BACKOFF, backoffBaseMs * BACKOFF_GROWTH),
  };
}

/** Translates the retry of a rule. */
export function routeRetry(retry: RouteRetry): TranslatedRetry {
  return withConditions(
    RetryPolicy.create({
      attempts: retry.maxRetries ?? 3,
      methods: (retry.retryMethods ?? SAFE_METHODS).map((method: string) => method.toUpperCase()),
      perTryTimeoutMs: milliseconds(retry.perTryTimeout ?? "0"),
      ...backoff(retry.backoffBase),
      budget: retry.retryBudget ?? BUDGET,
    }),
    retry.retryOn ?? STANDARD_CONDITIONS,
  );
}

/** Translates the retry of a backend, which holds where a rule says nothing. */
export function backendRetry(retry: BackendRetry): TranslatedRetry {
  const { baseInterval = "25ms", maxInterval = "250ms" } = retry.retryBackoff ?? {};
  return withConditions(
    RetryPolicy.create({
      attempts: retry.numRetries ?? 1,
      methods: [...SAFE_METHODS],
      perTryTimeoutMs: milliseconds(retry.perTryTimeout ?? "2s"),
      backoffBaseMs: milliseconds(baseInterval),
      backoffMaxMs: milliseconds(maxInterval),
      budget: BUDGET,
    }),
    (retry.retryOn ?? "5xx,gateway-error,connect-failure").split(",").map((name: string) =>
      name.trim()
    ),
  );
}

function withConditions(policy: RetryPolicy, names: readonly string[]): TranslatedRetry {
  let problem = "";
  for (const name of names) {
    if (/^[1-5]\d\d$/.test(name)) statuses(Number(name), Number(name))(policy);
    else if (Object.hasOwn(CONDITIONS, name)) {
      for (const condition of CONDITIONS[name]) condition(policy);
    } else {
      problem ||= `"${name}" is no condition; there are a status and ${
        Object.keys(CONDITIONS).join(", ")
      }`;
    }
  }
  return { policy, problem };
}
