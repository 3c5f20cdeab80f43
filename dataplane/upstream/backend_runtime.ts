import type { Backend } from "../../proto/gen/novaedge/v1/config.ts";
import type { Balancer } from "../balancer/balancer.ts";
import { RoundRobin } from "../balancer/round_robin.ts";
import { type RetryPolicy, retryPolicy } from "../router/retry_policy.ts";
import { LIMIT } from "../config/defaults.ts";
import { type BackendTransport, PLAIN_HTTP1 } from "./backend_transport.ts";
import { EndpointPool } from "./endpoint_pool.ts";
import type { PoolContext, PoolLimits } from "./pool_context.ts";

/** One endpoint with its connections. */
export interface EndpointRuntime {
  readonly address: string;
  readonly port: number;
  readonly weight: number;
  /** "address:port", for logs. */
  readonly label: string;
  readonly pool: EndpointPool;
}

/** A backend as one worker uses it. Pools and balancer position survive every update. */
export class BackendRuntime {
  readonly #context: PoolContext;
  readonly #balancer: Balancer<EndpointRuntime>;
  #endpoints: readonly EndpointRuntime[] = [];
  #transport: BackendTransport = PLAIN_HTTP1;
  #closedReason = "";
  #retry: RetryPolicy | null = null;

  constructor(readonly name: string, context: PoolContext, start: number) {
    this.#context = context;
    this.#balancer = new RoundRobin<EndpointRuntime>(start);
  }

  get endpoints(): readonly EndpointRuntime[] {
    return this.#endpoints;
  }

  /** Non-empty when the backend must not be used. */
  get closedReason(): string {
    return this.#closedReason;
  }

  /** When requests are sent again, where the route does not say it. */
  get retry(): RetryPolicy | null {
    return this.#retry;
  }

  /** Whether its connections may carry several requests and can refuse one unprocessed. */
  get multiplexes(): boolean {
    return this.#transport.protocol !== "http1";
  }

  /**
   * Takes over a new definition. Pools of endpoints that stay are kept, unless connections have to be
   * made in another way than before.
   */
  update(backend: Backend, transport: BackendTransport = PLAIN_HTTP1): void {
    const limits = limitsOf(backend);
    const sameTransport = transport.key === this.#transport.key;
    this.#transport = transport;
    const old = new Map(this.#endpoints.map((endpoint) => [endpoint.label, endpoint]));
    this.#closedReason = backend.closedReason;
    this.#retry = retryPolicy(backend.retry);
    this.#endpoints = backend.endpoints.map(({ address, port, weight }) => {
      const label = address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
      const known = sameTransport ? old.get(label) : undefined;
      if (known === undefined) {
        const pool = new EndpointPool(address, port, transport, limits, this.#context);
        return { address, port, weight, label, pool };
      }
      old.delete(label);
      known.pool.limits = limits;
      return known.weight === weight ? known : { ...known, weight };
    });
    for (const gone of old.values()) gone.pool.drain();
    this.#balancer.update(this.#endpoints);
  }

  /** The backend left the configuration. */
  drain(): void {
    for (const endpoint of this.#endpoints) endpoint.pool.drain();
    this.#endpoints = [];
    this.#balancer.update([]);
  }

  /** The next endpoint, another than `excluded` where there is one; null when there is none. */
  pick(excluded: EndpointRuntime | null): EndpointRuntime | null {
    return this.#balancer.pick(excluded);
  }
}

function limitsOf(backend: Backend): PoolLimits {
  return {
    connectTimeout: backend.connectTimeoutMs || LIMIT.connect,
    idleTimeout: backend.idleTimeoutMs || LIMIT.upstreamIdle,
    lifetime: backend.maxConnectionAgeMs || LIMIT.upstreamLifetime,
    maxConnections: backend.maxConnectionsPerEndpoint || LIMIT.maxConnectionsPerEndpoint,
    maxIdle: backend.maxIdlePerEndpoint || LIMIT.maxIdlePerEndpoint,
    maxPending: backend.maxPendingRequests || LIMIT.maxPending,
    maxRequests: backend.maxRequestsPerConnection || LIMIT.requestsPerUpstream,
    prewarm: backend.prewarmConnections,
  };
}
