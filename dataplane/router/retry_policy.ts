import type { RetryPolicy as RetryPolicyMessage } from "../../proto/gen/novaedge/v1/config.ts";

/** When a request is sent again. Times in milliseconds. */
export interface RetryPolicy {
  /** Tries beside the first; 0 forbids every second one, safe or not. */
  readonly attempts: number;
  /** Whether an answer of this status is asked for again. */
  readonly retriesStatus: (status: number) => boolean;
  /** Kinds of failure after which it is sent again. */
  readonly connect: boolean;
  readonly reset: boolean;
  readonly refused: boolean;
  readonly timeout: boolean;
  /** Methods that may reach a backend twice. */
  readonly methods: ReadonlySet<string>;
  /** Whether all may after such an answer. */
  readonly statusForAnyMethod: boolean;
  /** For one try, 0 without limit. */
  readonly tryTimeout: number;
  readonly backoffBase: number;
  readonly backoffMax: number;
  /** Retries as a share of requests, 0 to 1. */
  readonly budget: number;
}

/** Compiles a policy; null for none. */
export function retryPolicy(message: RetryPolicyMessage | undefined): RetryPolicy | null {
  if (message === undefined) return null;
  const { codes } = message;
  return {
    attempts: message.attempts,
    retriesStatus: (status) => codes.some(({ first, last }) => status >= first && status <= last),
    connect: message.connectFailure,
    reset: message.reset,
    refused: message.refusedStream,
    timeout: message.timeout,
    methods: new Set(message.methods),
    statusForAnyMethod: message.codesForAnyMethod,
    tryTimeout: message.perTryTimeoutMs,
    backoffBase: message.backoffBaseMs,
    backoffMax: message.backoffMaxMs,
    budget: message.budget,
  };
}
