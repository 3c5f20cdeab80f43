import type { Backend } from "../../proto/gen/novaedge/v1/config.ts";
import type { Balancer } from "../balancer/balancer.ts";
import { RoundRobin } from "../balancer/round_robin.ts";
import { LIMIT } from "../config/defaults.ts";
import { EndpointPool, type PoolContext, type PoolLimits } from "./endpoint_pool.ts";

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
  #closedReason = "";

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

  /** Takes over a new definition; pools of endpoints that stay are kept. */
  update(backend: Backend): void {
    const limits = limitsOf(backend);
    const old = new Map(this.#endpoints.map((endpoint) => [endpoint.label, endpoint]));
    this.#closedReason = backend.closedReason;
    this.#endpoints = backend.endpoints.map(({ address, port, weight }) => {
      const label = address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
      const known = old.get(label);
      old.delete(label);
      if (known === undefined) {
        return {
          address,
          port,
          weight,
          label,
          pool: new EndpointPool(address, port, limits, this.#context),
        };
      }
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
    maxConnections: backend.maxConnectionsPerEndpoint || LIMIT.maxConnectionsPerEndpoint,
    maxIdle: backend.maxIdlePerEndpoint || LIMIT.maxIdlePerEndpoint,
    maxPending: backend.maxPendingRequests || LIMIT.maxPending,
  };
}
