import { type Backend, LbPolicy, type SlowStart } from "../../proto/gen/novaedge/v1/config.ts";
import { LIMIT } from "../config/defaults.ts";
import { GLOBAL } from "../observe/counters.ts";
import type { RouteRequest } from "../router/compiled.ts";
import { NO_POLICIES, type PolicyLevels, policyLevels } from "../router/policy_levels.ts";
import { type RetryPolicy, retryPolicy } from "../router/retry_policy.ts";
import { Affinity } from "./affinity.ts";
import { type BackendTransport, PLAIN_HTTP1 } from "./backend_transport.ts";
import { Breaker } from "./breaker.ts";
import { chooseBalancer, type ChosenBalancer } from "./choose_balancer.ts";
import { EndpointPool } from "./endpoint_pool.ts";
import { endpointLabel, EndpointRuntime } from "./endpoint_runtime.ts";
import { NO_SLOT, TIME } from "./endpoint_table.ts";
import { type HashKey, hashKey } from "./hash_key.ts";
import { INFLIGHT } from "./inflight.ts";
import { Outlier, type RequestResult } from "./outlier.ts";
import type { BackendContext, PoolLimits } from "./pool_context.ts";
import { select, type Selection, type SelectionSettings } from "./selection.ts";
import { slowWeight } from "./slow_start.ts";

/** Looks at weights that grow, within a window. */
const SLOW_STEPS = 20;
/** Picks after which nobody is found whose breaker takes the request. */
const ADMISSIONS = 4;

/** The slot in which something was counted, or one of the two below. */
export type Counted = number;
export const UNCOUNTED = -1;
export const TOO_MANY = -2;

/** A tier with its balancer. */
interface TierRuntime {
  readonly chosen: ChosenBalancer<EndpointRuntime>;
  share: number;
}

/**
 * A backend as one worker uses it. Pools and balancer position survive every update; what is known of its
 * endpoints is shared with the other workers and survives them too.
 */
export class BackendRuntime {
  readonly #context: BackendContext;
  readonly #start: number;
  #policy = LbPolicy.LB_POLICY_UNSPECIFIED;
  #tiers: TierRuntime[] = [];
  #hashKey: HashKey = hashKey(undefined);
  #endpoints: readonly EndpointRuntime[] = [];
  #slots: readonly number[] = [];
  /** Of the backend as a whole. */
  #slot = NO_SLOT;
  #transport: BackendTransport = PLAIN_HTTP1;
  #closedReason = "";
  #retry: RetryPolicy | null = null;
  #policies: PolicyLevels = NO_POLICIES;
  #affinity: Affinity | null = null;
  #settings: SelectionSettings = NOTHING_KNOWN;
  #breaker: Breaker | null = null;
  #outlier: Outlier | null = null;
  #slowStart: SlowStart | null = null;
  #maxRequests = Infinity;
  #maxRetries = Infinity;
  /** Whether who may be used can change without an update. */
  #watches = false;
  #version = -1;
  #validUntil = Infinity;
  #reason: Selection<EndpointRuntime>["reason"] = "no_endpoints";

  constructor(readonly name: string, context: BackendContext, start: number) {
    this.#context = context;
    this.#start = start;
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

  /** Keeps clients at their endpoints, null when nothing does. */
  get affinity(): Affinity | null {
    return this.#affinity;
  }

  /** Whether its connections may carry several requests and can refuse one unprocessed. */
  get multiplexes(): boolean {
    return this.#transport.protocol !== "http1";
  }

  /**
   * Takes over a new definition. Pools of endpoints that stay are kept, unless connections have to be
   * made in another way than before.
   * @param slots of the backend and of its endpoints, in their order
   */
  update(
    backend: Backend,
    slots: readonly number[],
    transport: BackendTransport = PLAIN_HTTP1,
  ): void {
    const limits = limitsOf(backend);
    const sameTransport = transport.key === this.#transport.key;
    this.#transport = transport;
    const old = new Map(this.#endpoints.map((endpoint) => [endpoint.label, endpoint]));
    this.#slot = slots[0] ?? NO_SLOT;
    // One that is closed has nobody to go to, whoever asks: how its endpoints are to be met is not known.
    const messages = backend.closedReason === "" ? backend.endpoints : [];
    this.#endpoints = messages.map((message, i) => {
      const { address, port } = message;
      const label = endpointLabel(message);
      const slot = slots[i + 1] ?? NO_SLOT;
      let endpoint = sameTransport ? old.get(label) : undefined;
      if (endpoint === undefined || endpoint.slot !== slot) {
        const pool = new EndpointPool(address, port, transport, limits, this.#context);
        endpoint = new EndpointRuntime(address, port, label, slot, pool);
      } else {
        old.delete(label);
        endpoint.pool.limits = limits;
      }
      endpoint.update(message);
      return endpoint;
    });
    for (const gone of old.values()) gone.pool.drain();
    this.#slots = this.#endpoints.map(({ slot }) => slot).filter((slot) => slot !== NO_SLOT);
    this.#configure(backend);
    this.#select();
  }

  /** The backend left the configuration. */
  drain(): void {
    for (const endpoint of this.#endpoints) endpoint.pool.drain();
    this.#endpoints = [];
    this.#select();
  }

  /** Whether the balancer wants to know how long answers take. */
  get measures(): boolean {
    return this.#policy === LbPolicy.LB_POLICY_EWMA;
  }

  /** Whether it matters how requests end. */
  get judges(): boolean {
    return this.#breaker !== null || this.#outlier !== null;
  }

  /** What ties a request to an endpoint; 0 where nothing does. */
  keyOf(request: RouteRequest): number {
    return this.#tiers.length > 0 && this.#tiers[0].chosen.hashes ? this.#hashKey(request) : 0;
  }

  /** The next endpoint, another than `excluded` where there is one; null when there is none. */
  pick(excluded: EndpointRuntime | null, key: number): EndpointRuntime | null {
    if (this.#watches) this.#refresh();
    const breaker = this.#breaker;
    if (breaker === null) return this.#pick(excluded, key);
    const now = this.#context.sharedNow();
    for (let i = 0; i < ADMISSIONS; i++) {
      const endpoint = this.#pick(excluded, key);
      if (endpoint === null || endpoint.slot === NO_SLOT) return endpoint;
      if (breaker.admit(endpoint.slot, now)) return endpoint;
      // Somebody else has its trial.
      this.#select();
    }
    this.#reason = "breaker_open";
    return null;
  }

  /** The endpoint with this label, if it may be used. */
  pickByLabel(label: string): EndpointRuntime | null {
    const endpoint = this.#endpoints.find((candidate) => candidate.label === label);
    if (endpoint === undefined) return null;
    const { tiers } = select([endpoint], this.#context.table, {
      ...this.#settings,
      panicPercent: 0,
      // Of one endpoint an ejection counts.
      ejects: false,
    }, this.#context.sharedNow());
    const ejected = this.#settings.ejects && endpoint.slot !== NO_SLOT &&
      this.#context.table.time(endpoint.slot, TIME.ejectedUntil) > this.#context.sharedNow();
    if (tiers.length === 0 || ejected) return null;
    if (this.#breaker === null || endpoint.slot === NO_SLOT) return endpoint;
    return this.#breaker.admit(endpoint.slot, this.#context.sharedNow()) ? endpoint : null;
  }

  /** Why nobody could be picked. */
  get unavailable(): Selection<EndpointRuntime>["reason"] {
    return this.#reason;
  }

  /** Counts a request, where there is a limit. */
  begin(): Counted {
    return this.#count(INFLIGHT.requests, this.#maxRequests);
  }

  /** Counts a request that is sent again, where there is a limit. */
  beginRetry(): Counted {
    return this.#count(INFLIGHT.retries, this.#maxRetries);
  }

  /**
   * One that was counted is over, whether there still is a limit or not.
   * @param slot where it was counted
   */
  uncount(slot: number, word: number): void {
    this.#context.inflight.end(slot, word);
  }

  #count(word: number, most: number): Counted {
    if (most === Infinity) return UNCOUNTED;
    return this.#context.inflight.begin(this.#slot, word, most) ? this.#slot : TOO_MANY;
  }

  /** Whether the breaker of the whole backend takes a request. */
  admits(): boolean {
    return this.#breaker === null || this.#slot === NO_SLOT ||
      this.#breaker.admit(this.#slot, this.#context.sharedNow());
  }

  /** Takes in how a request, or a try of it, ended at an endpoint. */
  report({ slot }: EndpointRuntime, result: RequestResult): void {
    if (slot === NO_SLOT) return;
    const { counters } = this.#context;
    const now = this.#context.sharedNow();
    if (this.#outlier?.report(slot, result, this.#slots, now) === true) {
      counters[GLOBAL.ejections]++;
    }
    if (this.#breaker === null) return;
    const failed = result !== "ok";
    if (this.#breaker.report(slot, failed, now)) counters[GLOBAL.breakerOpens]++;
    if (this.#wholeBreaker?.report(this.#slot, failed, now) === true) {
      counters[GLOBAL.breakerOpens]++;
    }
  }

  /** Judges the backend as a whole, by share alone. */
  #wholeBreaker: Breaker | null = null;

  #configure(backend: Backend): void {
    const { table, zone } = this.#context;
    const { breaker, outlierDetection, slowStart, healthCheck, affinity } = backend;
    this.#closedReason = backend.closedReason;
    this.#retry = retryPolicy(backend.retry);
    this.#policies = policyLevels(backend.servicePolicies, backend.policies);
    this.#hashKey = hashKey(backend.hashKey);
    this.#affinity = affinity === undefined
      ? null
      : new Affinity(affinity, this.#endpoints.map(({ label }) => label));
    this.#breaker = breaker === undefined ? null : new Breaker(table, breaker);
    this.#wholeBreaker = breaker === undefined || breaker.ratePercent === 0
      ? null
      : new Breaker(table, { ...breaker, consecutive: 0 });
    this.#outlier = outlierDetection === undefined ? null : new Outlier(table, outlierDetection);
    this.#slowStart = slowStart ?? null;
    this.#maxRequests = this.#slot === NO_SLOT ? Infinity : backend.maxRequests || Infinity;
    this.#maxRetries = this.#slot === NO_SLOT ? Infinity : backend.maxRetries ?? Infinity;
    const known = this.#breaker;
    this.#settings = {
      checked: healthCheck !== undefined,
      ejects: outlierDetection !== undefined,
      opensAt: known === null ? null : (slot) => known.opensAt(slot),
      panicPercent: backend.panicPercent,
      zone: backend.preferZone ? zone : "",
    };
    this.#watches = healthCheck !== undefined || outlierDetection !== undefined ||
      breaker !== undefined || slowStart !== undefined;
    if (backend.lbPolicy !== this.#policy) {
      this.#policy = backend.lbPolicy;
      this.#tiers = [];
    }
  }

  #pick(excluded: EndpointRuntime | null, key: number): EndpointRuntime | null {
    const tiers = this.#tiers;
    const { now } = this.#context.ticker;
    if (tiers.length === 1) return tiers[0].chosen.balancer.pick(excluded, key, now);
    if (tiers.length === 0) return null;
    const { hashes } = tiers[0].chosen;
    // A key leads to the same tier each time.
    let point = hashes ? (Math.imul(key, 0x9e3779b1) >>> 0) / 2 ** 32 : this.#context.random();
    for (const { share, chosen } of tiers) {
      point -= share;
      if (point < 0) return chosen.balancer.pick(excluded, key, now);
    }
    return tiers.at(-1)!.chosen.balancer.pick(excluded, key, now);
  }

  #refresh(): void {
    const { table, sharedNow } = this.#context;
    if (table.version !== this.#version || sharedNow() >= this.#validUntil) this.#select();
  }

  /** Finds who may be used now. */
  #select(): void {
    const { table, sharedNow, random } = this.#context;
    // Before the states are read: what changes meanwhile is looked at again.
    this.#version = table.version;
    const now = sharedNow();
    const { tiers, reason, validUntil } = select(this.#endpoints, table, this.#settings, now);
    this.#reason = reason;
    this.#validUntil = validUntil;
    this.#weigh(now);
    while (this.#tiers.length < tiers.length) {
      const chosen = chooseBalancer<EndpointRuntime>(this.#policy, this.#start, random);
      this.#tiers.push({ chosen, share: 0 });
    }
    this.#tiers.length = tiers.length;
    tiers.forEach(({ endpoints, share }, i) => {
      this.#tiers[i].share = share;
      this.#tiers[i].chosen.balancer.update(endpoints);
    });
  }

  /** Gives those that start slowly the weight of their age. */
  #weigh(now: number): void {
    const slowStart = this.#slowStart;
    const hashes = this.#policy === LbPolicy.LB_POLICY_RING_HASH ||
      this.#policy === LbPolicy.LB_POLICY_MAGLEV;
    if (slowStart === null || hashes) {
      for (const endpoint of this.#endpoints) endpoint.weight = endpoint.configuredWeight;
      return;
    }
    for (const endpoint of this.#endpoints) {
      const { slot, configuredWeight } = endpoint;
      const age = slot === NO_SLOT ? Infinity : now - this.#context.table.time(slot, TIME.since);
      endpoint.weight = slowWeight(configuredWeight, age, slowStart);
      if (age >= slowStart.windowMs) continue;
      this.#validUntil = Math.min(this.#validUntil, now + slowStart.windowMs / SLOW_STEPS);
    }
  }
}

const NOTHING_KNOWN: SelectionSettings = {
  checked: false,
  ejects: false,
  opensAt: null,
  panicPercent: 0,
  zone: "",
};

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
