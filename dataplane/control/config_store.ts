import type { Delta, Refusal } from "../../proto/gen/novaedge/v1/distribution.ts";
import { Gateway } from "../../proto/gen/novaedge/v1/config.ts";
import { keyOf, Kind, type Resource } from "../../common/delta/resources.ts";
import { ResourceStore } from "../../common/delta/resource_store.ts";
import { CertificateDates } from "./certificate_dates.ts";
import type { ResourceChange } from "../worker/messages.ts";
import type { Supervisor } from "../worker/supervisor.ts";

/** What the dataplane holds: only what its workers accepted. */
export class ConfigStore {
  readonly store = new ResourceStore();
  readonly certificates = new CertificateDates();
  readonly #supervisor: () => Supervisor;
  #ready = false;
  #ending = false;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(supervisor: () => Supervisor) {
    this.#supervisor = supervisor;
  }

  /** Whether one complete configuration was applied and the dataplane is not about to end. */
  get ready(): boolean {
    return this.#ready && !this.#ending;
  }

  /** The dataplane is going to end: nobody new should be sent here. */
  end(): void {
    this.#ending = true;
  }

  /** Everything held, as a late worker needs it. */
  resources(): ResourceChange[] {
    return Array.from(this.store.values(), ({ kind, name, body }) => ({ kind, name, body }));
  }

  /** Applies a delta in all workers, one delta at a time; what they refused keeps its last version. */
  apply(delta: Delta): Promise<Refusal[]> {
    const result = this.#turn.then(() => this.#apply(delta));
    this.#turn = result.catch(() => {});
    return result;
  }

  async #apply(delta: Delta): Promise<Refusal[]> {
    const changes: ResourceChange[] = [
      ...delta.upserts.map(({ kind, name, body }) => ({ kind, name, body })),
      ...delta.removals.map(({ kind, name }) => ({ kind, name, body: null })),
    ];
    const refused = changes.length === 0
      ? []
      : await this.#supervisor().apply(changes, listenersOf(delta.upserts));
    const byKey = new Map(refused.map((refusal) => [keyOf(refusal), refusal.reason]));
    const accepted = delta.upserts.filter((resource) => !byKey.has(keyOf(resource)));
    this.store.apply({ ...delta, upserts: accepted });
    this.certificates.apply(accepted, delta.removals);
    this.#ready = true;
    return delta.upserts.filter((resource) => byKey.has(keyOf(resource))).map((
      { kind, name, hash },
    ) => ({ resource: { kind, name, hash }, reason: byKey.get(keyOf({ kind, name }))! }));
  }
}

/** Keys of the listeners of every gateway among the resources. */
function listenersOf(resources: readonly Resource[]): string[] {
  const keys: string[] = [];
  for (const { kind, name, body } of resources) {
    if (kind !== Kind.KIND_GATEWAY) continue;
    for (const listener of Gateway.decode(body).listeners) keys.push(`${name}/${listener.name}`);
  }
  return keys;
}
