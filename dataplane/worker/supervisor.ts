import { guardedGet } from "../net/guarded_get.ts";
import type { TransportName } from "../net/create_transport.ts";
import type { SocketSettings } from "../net/native/socket_options.ts";
import { type GuardSettings, UpstreamGuard } from "../net/upstream_guard.ts";
import { Node } from "../../proto/gen/novaedge/v1/config.ts";
import { randomInt } from "node:crypto";
import { Worker } from "node:worker_threads";
import type { Logger } from "../../common/log.ts";
import { countersOf, countersSize, LISTENER_SLOTS, resetGauges } from "../observe/counters.ts";
import type { Span } from "../observe/trace.ts";
import type {
  EndpointReport,
  FromWorker,
  ListenerReport,
  ResourceChange,
  ToWorker,
  WorkerSetup,
} from "./messages.ts";
import { Kind } from "../../proto/gen/novaedge/v1/distribution.ts";
import { BucketTable, bucketTableSize } from "../policy/bucket_table.ts";
import { KeySets } from "./key_sets.ts";
import { Passwords } from "./passwords.ts";
import { clockOrigin } from "./shared_clock.ts";
import type { EndpointState } from "../../proto/gen/novaedge/v1/distribution.ts";
import { endpointLabel } from "../upstream/endpoint_runtime.ts";
import { endpointTableSize } from "../upstream/endpoint_table.ts";
import { Inflight, inflightSize } from "../upstream/inflight.ts";
import { EndpointRegistry, type EndpointStanding } from "./endpoint_registry.ts";
import { HealthThread } from "./health_thread.ts";
import { PortClaims, probeByBinding } from "./port_claims.ts";
import type { Refusal } from "./tables.ts";
import { ThreadTransports } from "./thread_transports.ts";

/** Old-generation heap of one worker, in MiB: a worker above it is replaced, not the process. */
const DEFAULT_HEAP_MB = 512;
/** Milliseconds before a worker that died within this time of its start is started again. */
const CRASH_LOOP = 1_000;
/** Endpoints and backends whose state is kept. */
const ENDPOINTS = 65_536;
/** Milliseconds between two looks at how they are. */
const ENDPOINT_TICK = 500;

/** Of an endpoint whose state is not kept. */
const UNKNOWN: EndpointStanding = { health: "unknown", ejected: false, breaker: "closed" };

type WithId<T> = T extends { readonly id: number } ? T : never;
type Reply = Exclude<WithId<FromWorker>, { readonly type: "password" }>;

interface Slot {
  readonly index: number;
  worker: Worker | null;
  startedAt: number;
  listeners: readonly ListenerReport[];
  /** Answers awaited from this worker; null when it dies. */
  readonly waiting: Map<number, (reply: Reply | null) => void>;
}

export interface SupervisorOptions {
  readonly workers: number;
  readonly log: Logger;
  readonly faultInjection: boolean;
  readonly transport: TransportName;
  readonly sockets: SocketSettings;
  readonly heapMb?: number;
  /** Buckets of rate limits that are kept at least. */
  readonly rateLimitKeys: number;
  /** The node's zone, "" when it is not known. */
  readonly zone: string;
  /** Where connections may not lead. */
  readonly upstreams: GuardSettings;
  /** Everything configured now, for a worker that starts late. */
  readonly resources: () => ResourceChange[];
  /** Gets log lines in memory that goes back to its worker by `done`. */
  readonly onAccessLog: (batch: Uint8Array, lines: number, done: () => void) => void;
  readonly onListeners: () => void;
  /** Takes spans, null when nobody does. */
  readonly onSpans: ((spans: readonly Span[]) => void) | null;
}

/** Starts the traffic workers by `start`, replaces those that die, and talks to all of them at once. */
export class Supervisor {
  readonly counters: SharedArrayBuffer;
  /** Counter slot by listener key; slot 0 is for what has none. */
  readonly slots = new Map<string, number>();
  readonly keySets: KeySets;
  readonly #guard: UpstreamGuard;
  readonly endpointRegistry: EndpointRegistry;
  readonly #endpointStates = new SharedArrayBuffer(endpointTableSize(ENDPOINTS));
  readonly #inflight: SharedArrayBuffer;
  readonly #health: HealthThread;
  /** Numbers of policies, never given twice: buckets go by them. */
  readonly #policies = new Map<string, number>();
  readonly #buckets: SharedArrayBuffer;
  readonly #passwords = new Passwords();
  readonly #options: SupervisorOptions;
  readonly #workers: Slot[] = [];
  readonly #claims = new PortClaims(probeByBinding);
  readonly #transports: ThreadTransports;
  readonly #ticking: ReturnType<typeof setInterval>;
  readonly #started = Promise.withResolvers<void>();
  #nextId = 1;
  #stopping = false;
  deaths = 0;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    // First: it says what is no network, before anything is started.
    this.#guard = new UpstreamGuard(options.upstreams);
    this.#transports = new ThreadTransports(options.transport, options.sockets);
    this.counters = new SharedArrayBuffer(countersSize(options.workers));
    this.#buckets = new SharedArrayBuffer(bucketTableSize(options.rateLimitKeys));
    // Nobody outside can tell which keys share a place.
    new Int32Array(this.#buckets, 0, 1)[0] = randomInt(2 ** 31);
    this.keySets = new KeySets({
      log: options.log,
      get: (url, how) => guardedGet(url, this.#guard, how),
      send: (worker, wanted, json) => this.#post(worker, { type: "keys", wanted, json }),
    });
    this.endpointRegistry = new EndpointRegistry(
      this.#endpointStates,
      () => performance.now(),
      options.log,
    );
    this.#inflight = new SharedArrayBuffer(inflightSize(options.workers, ENDPOINTS));
    const healthThread = options.workers + 1;
    this.#health = new HealthThread({
      transport: this.#transports.setup(healthThread),
      onDeath: () => this.#transports.clear(healthThread),
      log: options.log,
      endpoints: this.#endpointStates,
      upstreams: options.upstreams,
      resources: options.resources,
      slots: () => this.endpointRegistry.slots(),
    });
    this.#ticking = setInterval(() => this.endpointRegistry.tick(), ENDPOINT_TICK);
    for (let index = 0; index < options.workers; index++) {
      this.#workers.push({
        index,
        worker: null,
        startedAt: 0,
        listeners: [],
        waiting: new Map(),
      });
    }
  }

  /** Starts the traffic workers; changes wait until then. Threads inherit the caller's confinement. */
  start(): void {
    for (const slot of this.#workers) this.#start(slot);
    this.#started.resolve();
  }

  get workers(): number {
    return this.#workers.length;
  }

  /** Bytes from the C library, 0 where nothing of ours asks it for any. */
  nativeMemory(): number {
    return this.#transports.nativeMemory();
  }

  /** Counters of each worker. */
  regions(): Float64Array[] {
    return this.#workers.map(({ index }) => countersOf(this.counters, index));
  }

  /** Applies changes in every worker; the union of what they refused. */
  async apply(
    changes: readonly ResourceChange[],
    listeners: readonly string[],
  ): Promise<Refusal[]> {
    await this.#started.promise;
    for (const key of listeners) {
      if (!this.slots.has(key)) {
        this.slots.set(key, Math.min(this.slots.size + 1, LISTENER_SLOTS - 1));
      }
    }
    for (const { kind, name, body } of changes) {
      if (kind === Kind.KIND_NODE) {
        this.#guard.setNode(name, body === null ? null : Node.decode(body).addresses);
      }
      if (kind !== Kind.KIND_POLICY || this.#policies.has(name)) continue;
      this.#policies.set(name, this.#policies.size + 1);
    }
    const backends = this.endpointRegistry.apply(changes);
    this.#health.apply(changes, backends);
    const replies = await this.#askAll((id) => ({
      type: "apply",
      id,
      changes,
      slots: [...this.slots],
      policies: [...this.#policies],
      backends,
    }));
    const refusals = new Map<string, Refusal>();
    for (const reply of replies) {
      if (reply.type !== "applied") continue;
      for (const refusal of reply.refusals) {
        refusals.set(`${refusal.kind}|${refusal.name}`, refusal);
      }
    }
    return [...refusals.values()];
  }

  /** The router's decision, by one worker's tables. */
  async explain(method: string, url: string, headers: Record<string, string>): Promise<string> {
    for (const slot of this.#workers) {
      const reply = await this.#ask(slot, {
        type: "explain",
        id: this.#nextId++,
        method,
        url,
        headers,
      });
      if (reply?.type === "explained") return reply.json;
    }
    return JSON.stringify({ reason: "no traffic worker is running" });
  }

  /** Every endpoint with what all workers together do with it, and how it stands. */
  async endpoints(): Promise<EndpointState[]> {
    const replies = await this.#askAll((id) => ({ type: "endpoints", id }));
    const sums = new Map<string, EndpointReport>();
    for (const reply of replies) {
      if (reply.type !== "endpoints") continue;
      for (const report of reply.reports) {
        const key = `${report.backend}|${report.address}|${report.port}`;
        const sum = sums.get(key);
        sums.set(
          key,
          sum === undefined ? report : {
            ...report,
            connections: sum.connections + report.connections,
            idle: sum.idle + report.idle,
            active: sum.active + report.active,
          },
        );
      }
    }
    return Array.from(sums.values(), (report) => ({
      ...report,
      ...this.endpointRegistry.standing(report.backend, endpointLabel(report)) ?? UNKNOWN,
    }));
  }

  /** Every listener, with a problem if any worker has one. */
  listeners(): ListenerReport[] {
    const all = new Map<string, ListenerReport>();
    for (const { listeners } of this.#workers) {
      for (const report of listeners) {
        const known = all.get(report.listener);
        if (known === undefined || known.problem === "") all.set(report.listener, report);
      }
    }
    return [...all.values()];
  }

  fault(worker: number, fault: string): void {
    this.#workers[worker]?.worker?.postMessage({ type: "fault", fault } satisfies ToWorker);
  }

  /** Stops accepting, waits for work in flight up to the limit, ends the workers. */
  async stop(limit: number, delay = 0): Promise<void> {
    if (delay > 0) {
      for (const { worker } of this.#workers) worker?.postMessage({ type: "ending" });
      await new Promise((resolve) => setTimeout(resolve, delay));
    }
    this.#stopping = true;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const timeout = new Promise<void>((resolve) => timer = setTimeout(resolve, limit));
    await Promise.race([this.#askAll((id) => ({ type: "drain", id })), timeout]);
    clearTimeout(timer);
    await Promise.all(this.#workers.map(({ worker }) => worker?.terminate()));
    await this.#passwords.stop();
    await this.#health.stop();
    clearInterval(this.#ticking);
    this.#transports.stop();
  }

  #start(slot: Slot): void {
    const setup: WorkerSetup = {
      index: slot.index,
      counters: this.counters,
      buckets: this.#buckets,
      bucketCount: this.#options.rateLimitKeys,
      endpoints: this.#endpointStates,
      inflight: this.#inflight,
      workers: this.#options.workers,
      zone: this.#options.zone,
      transport: this.#transports.setup(slot.index + 1),
      upstreams: this.#options.upstreams,
      tracing: this.#options.onSpans !== null,
      clockOrigin: clockOrigin(),
      faultInjection: this.#options.faultInjection,
      heapBytes: (this.#options.heapMb ?? DEFAULT_HEAP_MB) * 1024 * 1024,
    };
    const worker = new Worker(new URL("./traffic_worker.ts", import.meta.url), {
      workerData: setup,
      resourceLimits: { maxOldGenerationSizeMb: this.#options.heapMb ?? DEFAULT_HEAP_MB },
    });
    slot.worker = worker;
    slot.startedAt = performance.now();
    worker.on("message", (message: FromWorker) => this.#onMessage(slot, message));
    worker.on("error", (error: Error) => this.#onDeath(slot, worker, error.message));
    worker.on("exit", () => this.#onDeath(slot, worker, "exited"));
    const changes = this.#options.resources();
    if (changes.length > 0) void this.#restore(slot, changes);
  }

  /** Gives a worker that started late everything that is configured. */
  async #restore(slot: Slot, changes: ResourceChange[]): Promise<void> {
    const reply = await this.#ask(slot, {
      type: "apply",
      id: this.#nextId++,
      changes,
      slots: [...this.slots],
      policies: [...this.#policies],
      backends: this.endpointRegistry.slots(),
    });
    if (reply !== null) {
      this.#options.log.info({ worker: slot.index }, "traffic worker serves again");
    }
  }

  #onDeath(slot: Slot, worker: Worker, reason: string): void {
    if (slot.worker !== worker) return;
    slot.worker = null;
    slot.listeners = [];
    for (const resolve of slot.waiting.values()) resolve(null);
    slot.waiting.clear();
    resetGauges(countersOf(this.counters, slot.index));
    this.#claims.releaseAll(slot.index);
    this.keySets.dropAll(slot.index);
    new Inflight(this.#inflight, slot.index, this.workers).clear();
    if (this.#stopping) return;
    this.deaths++;
    this.#options.log.error(
      { worker: slot.index, reason },
      "traffic worker died; starting another",
    );
    // A thread that was cut off may have held a bucket.
    const wait = performance.now() - slot.startedAt < CRASH_LOOP ? CRASH_LOOP / 2 : 0;
    void worker.terminate().then(() => {
      new BucketTable(this.#buckets, 0, this.#options.rateLimitKeys).release(slot.index + 1);
      this.#transports.clear(slot.index + 1);
      setTimeout(() => {
        if (!this.#stopping) this.#start(slot);
      }, wait);
    });
  }

  #onMessage(slot: Slot, message: FromWorker): void {
    switch (message.type) {
      case "log":
        this.#log(slot, message);
        break;
      case "listeners":
        slot.listeners = message.reports;
        this.#options.onListeners();
        break;
      case "claim": {
        const problem = this.#claims.claim(slot.index, message.address, message.port);
        const { claim } = message;
        slot.worker?.postMessage({ type: "claimed", claim, problem } satisfies ToWorker);
        break;
      }
      case "followKeys":
        this.keySets.follow(slot.index, message.wanted);
        break;
      case "refreshKeys":
        this.keySets.refresh(slot.index, message.wanted);
        break;
      case "dropKeys":
        this.keySets.drop(slot.index, message.wanted);
        break;
      case "password": {
        const { id, password, hash } = message;
        const { worker } = slot;
        this.#passwords.check(password, hash, (right) => {
          if (slot.worker === worker) {
            this.#post(slot.index, { type: "passwordChecked", id, right });
          }
        });
        break;
      }
      case "event":
        this.#options.log[message.level]({ worker: slot.index, ...message.fields }, message.event);
        break;
      case "spans":
        this.#options.onSpans?.(message.spans);
        break;
      case "release":
        this.#claims.release(slot.index, message.address, message.port);
        break;
      default: {
        const resolve = slot.waiting.get(message.id);
        slot.waiting.delete(message.id);
        resolve?.(message);
      }
    }
  }

  #log(slot: Slot, { buffer, length, lines }: FromWorker & { type: "log" }): void {
    const { worker } = slot;
    this.#options.onAccessLog(new Uint8Array(buffer, 0, length), lines, () => {
      if (slot.worker === worker) {
        worker?.postMessage({ type: "logBuffer", buffer } satisfies ToWorker, [buffer]);
      }
    });
  }

  #post(worker: number, message: ToWorker): void {
    this.#workers[worker]?.worker?.postMessage(message);
  }

  #ask(slot: Slot, message: ToWorker & { id: number }): Promise<Reply | null> {
    const { worker } = slot;
    if (worker === null) return Promise.resolve(null);
    return new Promise((resolve) => {
      slot.waiting.set(message.id, resolve);
      worker.postMessage(message);
    });
  }

  /** Asks every living worker; the replies of those that lived to give one. */
  async #askAll(message: (id: number) => ToWorker & { id: number }): Promise<Reply[]> {
    const replies = await Promise.all(
      this.#workers.map((slot) => this.#ask(slot, message(this.#nextId++))),
    );
    return replies.filter((reply) => reply !== null);
  }
}
