import { type Backend, LbPolicy } from "../../proto/gen/novaedge/v1/config.ts";
import type { Candidate } from "../balancer/balancer.ts";
import { EndpointLoad } from "../balancer/endpoint_load.ts";
import type { RouteRequest } from "../router/compiled.ts";
import { NO_POLICIES, type PolicyLevels, policyLevels } from "../router/policy_levels.ts";
import { type RetryPolicy, retryPolicy } from "../router/retry_policy.ts";
import { LIMIT } from "../config/defaults.ts";
import { type BackendTransport, PLAIN_HTTP1 } from "./backend_transport.ts";
import { chooseBalancer, type ChosenBalancer } from "./choose_balancer.ts";
import { EndpointPool } from "./endpoint_pool.ts";
import { type HashKey, hashKey } from "./hash_key.ts";
import type { PoolContext, PoolLimits } from "./pool_context.ts";

/** One endpoint with its connections. */
export interface EndpointRuntime extends Candidate {
  readonly address: string;
  readonly port: number;
  /** "address:port". */
  readonly label: string;
  readonly load: EndpointLoad;
  readonly pool: EndpointPool;
}

/** A backend as one worker uses it. Pools and balancer position survive every update. */
export class BackendRuntime {
  readonly #context: PoolContext;
  readonly #start: number;
  #policy = LbPolicy.LB_POLICY_UNSPECIFIED;
  #chosen: ChosenBalancer<EndpointRuntime>;
  #hashKey: HashKey = hashKey(undefined);
  #endpoints: readonly EndpointRuntime[] = [];
  #transport: BackendTransport = PLAIN_HTTP1;
  #closedReason = "";
  #retry: RetryPolicy | null = null;
  #policies: PolicyLevels = NO_POLICIES;

  constructor(readonly name: string, context: PoolContext, start: number) {
    this.#context = context;
    this.#start = start;
    this.#chosen = chooseBalancer(this.#policy, start, context.random);
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

  get policies(): PolicyLevels {
    return this.#policies;
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
    this.#policies = policyLevels(backend.policies);
    this.#endpoints = backend.endpoints.map(({ address, port, weight }) => {
      const label = address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
      const known = sameTransport ? old.get(label) : undefined;
      if (known === undefined) {
        const pool = new EndpointPool(address, port, transport, limits, this.#context);
        return { address, port, weight, label, pool, load: new EndpointLoad() };
      }
      old.delete(label);
      known.pool.limits = limits;
      return known.weight === weight ? known : { ...known, weight };
    });
    for (const gone of old.values()) gone.pool.drain();
    if (backend.lbPolicy !== this.#policy) {
      this.#policy = backend.lbPolicy;
      this.#chosen = chooseBalancer(backend.lbPolicy, this.#start, this.#context.random);
    }
    this.#hashKey = hashKey(backend.hashKey);
    this.#chosen.balancer.update(this.#endpoints);
  }

  /** The backend left the configuration. */
  drain(): void {
    for (const endpoint of this.#endpoints) endpoint.pool.drain();
    this.#endpoints = [];
    this.#chosen.balancer.update([]);
  }

  /** Whether the balancer wants to know how long answers take. */
  get measures(): boolean {
    return this.#chosen.measures;
  }

  /** What ties a request to an endpoint; 0 where nothing does. */
  keyOf(request: RouteRequest): number {
    return this.#chosen.hashes ? this.#hashKey(request) : 0;
  }

  /** The next endpoint, another than `excluded` where there is one; null when there is none. */
  pick(excluded: EndpointRuntime | null, key: number): EndpointRuntime | null {
    return this.#chosen.balancer.pick(excluded, key, this.#context.ticker.now);
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
