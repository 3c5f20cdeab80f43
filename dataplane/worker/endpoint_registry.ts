import type { Logger } from "../../common/log.ts";
import { Backend } from "../../proto/gen/novaedge/v1/config.ts";
import { Kind } from "../../proto/gen/novaedge/v1/distribution.ts";

import { endpointLabel } from "../upstream/endpoint_runtime.ts";
import { EndpointTable, NO_SLOT, TIME, WORD } from "../upstream/endpoint_table.ts";
import { Outlier } from "../upstream/outlier.ts";
import type { BackendSlots, ResourceChange } from "./messages.ts";

/** How one endpoint stands. */
export interface EndpointStanding {
  readonly health: "unknown" | "healthy" | "unhealthy";
  readonly ejected: boolean;
  readonly breaker: "closed" | "open" | "half-open";
}

interface Registered {
  readonly message: Backend;
  readonly slots: readonly number[];
  readonly labels: readonly string[];
  /** `now` of the next comparison of successes. */
  judgeAt: number;
}

const HEALTH = ["unknown", "healthy", "unhealthy"] as const;
const BREAKER = ["closed", "open", "half-open"] as const;

/**
 * Gives every backend and endpoint a slot of the shared table, which stays its own as long as it is
 * configured, judges success rates, and tells of changes. Lives in the main thread.
 */
export class EndpointRegistry {
  readonly table: EndpointTable;
  readonly #log: Logger;
  readonly #now: () => number;
  readonly #backends = new Map<string, Registered>();
  /** Slots given back, the oldest first: whoever still uses one has time to stop. */
  readonly #free: number[] = [];
  #used = 0;
  #complained = false;
  /** What was told of each slot. */
  readonly #told = new Map<number, string>();

  constructor(shared: SharedArrayBuffer, now: () => number, log: Logger) {
    this.table = new EndpointTable(shared);
    this.#now = now;
    this.#log = log;
  }

  /** Takes in changes of backends; returns the slots of those that are there. */
  apply(changes: readonly ResourceChange[]): BackendSlots[] {
    const assigned: BackendSlots[] = [];
    for (const { kind, name, body } of changes) {
      if (kind !== Kind.KIND_BACKEND) continue;
      const old = this.#backends.get(name);
      const known = new Map(old?.labels.map((label, i) => [label, old.slots[i]]) ?? []);
      if (body === null) this.#backends.delete(name);
      else {
        const message = Backend.decode(body);
        const labels = ["", ...message.endpoints.map(endpointLabel)];
        const slots = labels.map((label) => {
          const slot = known.get(label) ?? this.#take();
          known.delete(label);
          return slot;
        });
        const judgeAt = old?.judgeAt ?? this.#now();
        this.#backends.set(name, { message, slots, labels, judgeAt });
        assigned.push([name, slots]);
      }
      for (const slot of known.values()) this.#give(slot);
    }
    return assigned;
  }

  /** Slots of all backends, for a thread that starts late. */
  slots(): BackendSlots[] {
    return Array.from(this.#backends, ([name, { slots }]) => [name, slots]);
  }

  standing(backend: string, label: string): EndpointStanding | null {
    const registered = this.#backends.get(backend);
    const slot = registered?.slots[registered.labels.indexOf(label)] ?? NO_SLOT;
    return slot === NO_SLOT ? null : this.#standing(slot);
  }

  /** Endpoints by what keeps them from being used. */
  counts(): { endpoints: number; unhealthy: number; ejected: number; breakersOpen: number } {
    const counts = { endpoints: 0, unhealthy: 0, ejected: 0, breakersOpen: 0 };
    for (const { slots } of this.#backends.values()) {
      slots.forEach((slot, i) => {
        if (i > 0) counts.endpoints++;
        if (slot === NO_SLOT) return;
        const { health, ejected, breaker } = this.#standing(slot);
        if (health === "unhealthy") counts.unhealthy++;
        if (ejected) counts.ejected++;
        if (breaker !== "closed") counts.breakersOpen++;
      });
    }
    return counts;
  }

  /** Judges what is due and tells what has changed; called about once a second. */
  tick(): void {
    const now = this.#now();
    for (const [name, registered] of this.#backends) {
      const { message: { outlierDetection, breaker }, slots, labels } = registered;
      if (outlierDetection !== undefined && registered.judgeAt <= now) {
        registered.judgeAt = now + outlierDetection.intervalMs;
        const endpoints = slots.slice(1).filter((slot) => slot !== NO_SLOT);
        new Outlier(this.table, outlierDetection).judge(endpoints, now);
      }
      if (outlierDetection === undefined && breaker === undefined) continue;
      slots.forEach((slot, i) => this.#tell(name, labels[i], slot));
    }
  }

  #standing(slot: number): EndpointStanding {
    const { table } = this;
    return {
      health: HEALTH[table.get(slot, WORD.health)],
      ejected: table.time(slot, TIME.ejectedUntil) > this.#now(),
      breaker: BREAKER[table.get(slot, WORD.breaker)],
    };
  }

  #tell(backend: string, endpoint: string, slot: number): void {
    if (slot === NO_SLOT) return;
    const { ejected, breaker } = this.#standing(slot);
    const state = `${ejected} ${breaker}`;
    const before = this.#told.get(slot) ?? "false closed";
    if (before === state) return;
    this.#told.set(slot, state);
    const fields = { backend, ...(endpoint === "" ? {} : { endpoint }), ejected, breaker };
    if (ejected || breaker !== "closed") {
      this.#log.warn(fields, "requests fail: left out for a time");
    } else this.#log.info(fields, "used again");
  }

  #take(): number {
    const slot = this.#used < this.table.slots ? this.#used++ : this.#free.shift();
    if (slot === undefined) {
      if (!this.#complained) {
        this.#log.error(
          { slots: this.table.slots },
          "too many endpoints: health, ejection and breakers of the others are not kept",
        );
      }
      this.#complained = true;
      return NO_SLOT;
    }
    this.table.clear(slot, this.#now());
    return slot;
  }

  #give(slot: number): void {
    if (slot === NO_SLOT) return;
    this.#told.delete(slot);
    this.#free.push(slot);
  }
}
