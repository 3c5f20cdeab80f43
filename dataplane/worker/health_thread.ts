import type { TransportSetup } from "../net/create_transport.ts";
import type { GuardSettings } from "../net/upstream_guard.ts";
import { Worker } from "node:worker_threads";
import type { Logger } from "../../common/log.ts";
import { Backend } from "../../proto/gen/novaedge/v1/config.ts";
import { Kind } from "../../proto/gen/novaedge/v1/distribution.ts";
import type { BackendSlots, ResourceChange } from "./messages.ts";
import { clockOrigin } from "./shared_clock.ts";

/** Given to the thread when it starts. */
export interface HealthSetup {
  readonly endpoints: SharedArrayBuffer;
  readonly clockOrigin: number;
  readonly transport: TransportSetup;
  /** Where connections may not lead. */
  readonly upstreams: GuardSettings;
}

/** Changes of what is asked. */
export interface HealthChange {
  readonly changes: readonly ResourceChange[];
  readonly backends: readonly BackendSlots[];
}

/** An endpoint is well or not from now on. */
interface HealthReport {
  readonly backend: string;
  readonly endpoint: string;
  readonly problem: string;
}

export interface HealthThreadOptions {
  readonly transport: TransportSetup;
  /** The thread is over. */
  readonly onDeath: () => void;
  /** Where connections may not lead. */
  readonly upstreams: GuardSettings;
  readonly log: Logger;
  readonly endpoints: SharedArrayBuffer;
  /** Everything configured now, for a thread that starts late. */
  readonly resources: () => ResourceChange[];
  readonly slots: () => BackendSlots[];
}

/** Kinds that the thread follows. */
const WANTED: ReadonlySet<Kind> = new Set([
  Kind.KIND_BACKEND,
  Kind.KIND_CERTIFICATE,
  Kind.KIND_NODE,
]);

/** Milliseconds before a thread that died is started again. */
const RESTART = 1_000;

/** The thread that checks health: there as soon as the first backend asks for it. */
export class HealthThread {
  readonly #options: HealthThreadOptions;
  #worker: Worker | null = null;
  #stopped = false;

  constructor(options: HealthThreadOptions) {
    this.#options = options;
  }

  apply(changes: readonly ResourceChange[], backends: readonly BackendSlots[]): void {
    if (this.#worker === null) {
      if (!changes.some(wantsChecks)) return;
      this.#start();
    }
    this.#post(changes, backends);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#worker?.terminate();
  }

  #start(): void {
    const { endpoints, log, resources, slots, transport, upstreams } = this.#options;
    const setup: HealthSetup = { endpoints, clockOrigin: clockOrigin(), transport, upstreams };
    const worker = new Worker(new URL("./health_worker.ts", import.meta.url), {
      workerData: setup,
    });
    this.#worker = worker;
    worker.on("message", ({ backend, endpoint, problem }: HealthReport) => {
      if (problem === "") log.info({ backend, endpoint }, "health check passes");
      else log.warn({ backend, endpoint, problem }, "health check fails");
    });
    worker.on("error", (error: Error) => {
      if (this.#worker !== worker || this.#stopped) return;
      this.#worker = null;
      log.error({ reason: error.message }, "health checks died; starting them again");
      void worker.terminate().then(() => {
        this.#options.onDeath();
        setTimeout(() => {
          if (!this.#stopped && this.#worker === null) this.#start();
        }, RESTART);
      });
    });
    this.#post(resources(), slots());
  }

  #post(changes: readonly ResourceChange[], backends: readonly BackendSlots[]): void {
    const wanted = changes.filter(({ kind }) => WANTED.has(kind));
    if (wanted.length === 0) return;
    this.#worker?.postMessage({ changes: wanted, backends } satisfies HealthChange);
  }
}

function wantsChecks({ kind, body }: ResourceChange): boolean {
  return kind === Kind.KIND_BACKEND && body !== null &&
    Backend.decode(body).healthCheck !== undefined;
}
