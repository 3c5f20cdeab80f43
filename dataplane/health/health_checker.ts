import type { Backend, HealthCheck } from "../../proto/gen/novaedge/v1/config.ts";
import type { Deadlined } from "../loop/ticker.ts";
import type { BackendTransport } from "../upstream/backend_transport.ts";
import { endpointLabel } from "../upstream/endpoint_runtime.ts";
import { type EndpointTable, Health, NO_SLOT, TIME, WORD } from "../upstream/endpoint_table.ts";
import type { BackendContext } from "../upstream/pool_context.ts";
import { type Probe, probeOf } from "./probe.ts";
import { Thresholds } from "./thresholds.ts";

/** Spread of intervals, so that checks do not come in step. */
const JITTER = 0.1;

/** One endpoint that is asked again and again. */
class Checked implements Deadlined {
  deadline: number;
  tickerSlot = -1;
  readonly slot: number;
  readonly #check: HealthCheck;
  readonly #probe: Probe;
  readonly #context: BackendContext;
  readonly #thresholds: Thresholds;
  readonly #onChange: (problem: string) => void;
  #stopped = false;

  constructor(
    slot: number,
    check: HealthCheck,
    probe: Probe,
    context: BackendContext,
    onChange: (problem: string) => void,
  ) {
    this.slot = slot;
    this.#check = check;
    this.#probe = probe;
    this.#context = context;
    this.#onChange = onChange;
    this.#thresholds = new Thresholds(check.healthyThreshold, check.unhealthyThreshold);
    this.deadline = 0;
    context.ticker.add(this);
  }

  stop(): void {
    this.#stopped = true;
    this.#context.ticker.remove(this);
  }

  onFault(): void {}

  onDeadline(): void {
    const { ticker, random } = this.#context;
    const begun = ticker.now;
    void this.#probe().then((problem) => {
      if (this.#stopped) return;
      this.#take(problem);
      const spread = 1 - JITTER + 2 * JITTER * random();
      this.deadline = begun + this.#check.intervalMs * spread;
    });
  }

  #take(problem: string): void {
    const { table, sharedNow } = this.#context;
    const before = this.#thresholds.verdict;
    if (!this.#thresholds.add(problem === "")) return;
    const healthy = this.#thresholds.verdict === "healthy";
    // Who comes back begins slowly, as who is new.
    if (healthy && before === "unhealthy") table.setTime(this.slot, TIME.since, sharedNow());
    table.set(this.slot, WORD.health, healthy ? Health.Good : Health.Bad);
    table.changed();
    this.#onChange(problem);
  }
}

interface CheckedBackend {
  readonly key: string;
  readonly endpoints: ReadonlyMap<string, Checked>;
}

/** Asks the endpoints of all backends how they are, each once for all workers. */
export class HealthChecker {
  readonly #context: BackendContext;
  readonly #onChange: (backend: string, endpoint: string, problem: string) => void;
  readonly #backends = new Map<string, CheckedBackend>();

  /** @param onChange gets what is wrong with an endpoint now, "" for nothing */
  constructor(
    context: BackendContext,
    onChange: (backend: string, endpoint: string, problem: string) => void,
  ) {
    this.#context = context;
    this.#onChange = onChange;
  }

  /** Endpoints that are asked. */
  get size(): number {
    let size = 0;
    for (const { endpoints } of this.#backends.values()) size += endpoints.size;
    return size;
  }

  /**
   * Takes over a backend. Endpoints that stay are asked on; other checks begin anew.
   * @param slots of the backend and of its endpoints, in their order
   */
  update(
    name: string,
    backend: Backend,
    slots: readonly number[],
    transport: BackendTransport,
  ): void {
    const { healthCheck } = backend;
    if (healthCheck === undefined) {
      this.remove(name);
      return;
    }
    const how = healthCheck.plain
      ? { ...transport, tls: null, key: `${transport.key} plain` }
      : transport;
    const key = `${JSON.stringify(healthCheck)} ${how.key}`;
    const old = this.#backends.get(name);
    const kept = new Map(old?.key === key ? old.endpoints : []);
    const endpoints = new Map<string, Checked>();
    backend.endpoints.forEach((endpoint, i) => {
      const slot = slots[i + 1] ?? NO_SLOT;
      const label = endpointLabel(endpoint);
      if (slot === NO_SLOT) return;
      const known = kept.get(label);
      if (known !== undefined && known.slot === slot) {
        endpoints.set(label, known);
        kept.delete(label);
        return;
      }
      const target = {
        address: endpoint.address,
        port: healthCheck.port || endpoint.port,
        label,
        transport: how,
      };
      const probe = probeOf(healthCheck, target, this.#context);
      endpoints.set(
        label,
        new Checked(
          slot,
          healthCheck,
          probe,
          this.#context,
          (problem) => this.#onChange(name, label, problem),
        ),
      );
    });
    for (const [label, checked] of old?.endpoints ?? []) {
      if (endpoints.get(label) !== checked) checked.stop();
    }
    this.#backends.set(name, { key, endpoints });
  }

  remove(name: string): void {
    const backend = this.#backends.get(name);
    if (backend === undefined) return;
    for (const checked of backend.endpoints.values()) {
      checked.stop();
      // Nobody knows any more; who stays in the configuration counts as if never asked.
      forget(this.#context.table, checked.slot);
    }
    this.#backends.delete(name);
  }
}

function forget(table: EndpointTable, slot: number): void {
  table.set(slot, WORD.health, Health.Unknown);
  table.changed();
}
