import { GLOBAL } from "../observe/counters.ts";
import { type BackendRuntime, TOO_MANY, UNCOUNTED } from "../upstream/backend_runtime.ts";
import { INFLIGHT } from "../upstream/inflight.ts";
import type { EndpointRuntime } from "../upstream/endpoint_runtime.ts";
import type { RequestResult } from "../upstream/outlier.ts";
import type { Engine } from "./engine.ts";
import type { Routing } from "./routing.ts";
import type { NextTry } from "./tries.ts";

/** How an answer counts for the endpoint that gave it. */
export function resultOf(status: number): RequestResult {
  if (status < 500) return "ok";
  return status >= 502 && status <= 504 ? "gateway" : "error";
}

/**
 * Where a request is being tried: counts it at its backend and at the endpoint that has it, and tells both
 * how each try ends.
 */
export class Attempt {
  readonly #engine: Engine;
  #backend: BackendRuntime | null = null;
  /** Where the request is counted, and where as a retry. */
  #counted = UNCOUNTED;
  #countedRetry = UNCOUNTED;
  #retrying = false;
  /** The endpoint that has the request, and `clock.now()` of when it got it. */
  #endpoint: EndpointRuntime | null = null;
  #began = 0;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** The request is for this backend; false when it has too many. */
  begin(backend: BackendRuntime): boolean {
    const counted = backend.begin();
    if (counted === TOO_MANY) return false;
    this.#backend = backend;
    this.#counted = counted;
    return true;
  }

  /** An endpoint gets the request. */
  start(endpoint: EndpointRuntime): void {
    this.#endpoint = endpoint;
    endpoint.load.begin();
    this.#began = this.#engine.clock.now();
  }

  /** Tells how the try ended, and how long it took, to those who want to know. */
  ended(result: RequestResult): void {
    const endpoint = this.#endpoint;
    const backend = this.#backend;
    if (endpoint === null || backend === null) return;
    const { clock, ticker } = this.#engine;
    if (backend.measures) {
      endpoint.load.observe(ticker.now, clock.now() - this.#began, result !== "ok");
    }
    if (backend.judges) backend.report(endpoint, result);
  }

  /** The client left before an answer began. */
  abandoned(): void {
    if (this.#endpoint === null || this.#backend?.measures !== true) return;
    const { clock, ticker } = this.#engine;
    this.#endpoint.load.waited(ticker.now, clock.now() - this.#began);
  }

  /** Where the request may be sent once more; null for nowhere. */
  another({ elsewhere, fresh }: NextTry, routing: Routing): EndpointRuntime | null {
    const backend = routing.backend!;
    // What nobody processed is not a retry; it is the same request.
    if (!fresh && !this.#retrying) {
      const counted = backend.beginRetry();
      if (counted === TOO_MANY) {
        this.#engine.counters[GLOBAL.retriesRefused]++;
        return null;
      }
      this.#countedRetry = counted;
      this.#retrying = true;
    }
    return backend.pick(elsewhere ? routing.endpoint : null, routing.hashKey);
  }

  /** The endpoint does not have the request any more. */
  leave(): void {
    this.#endpoint?.load.leave();
    this.#endpoint = null;
  }

  /** The request is over. */
  end(): void {
    this.leave();
    if (this.#counted >= 0) this.#backend!.uncount(this.#counted, INFLIGHT.requests);
    if (this.#countedRetry >= 0) this.#backend!.uncount(this.#countedRetry, INFLIGHT.retries);
    this.#backend = null;
    this.#counted = UNCOUNTED;
    this.#countedRetry = UNCOUNTED;
    this.#retrying = false;
  }
}
