import {
  compareVersions,
  keyOf,
  type Resource,
  type ResourceRef,
  type Version,
  versionText,
} from "../../common/delta/resources.ts";
import { ResourceStore } from "../../common/delta/resource_store.ts";
import { sha256 } from "../../common/hash.ts";
import { Journal } from "../../common/journal.ts";
import type { Logger } from "../../common/log.ts";
import { Delta, type Refusal } from "../../proto/gen/novaedge/v1/distribution.ts";

/** The journal is rewritten when it exceeds this many bytes beyond twice its last rewrite. */
const SLACK = 8 * 1024 * 1024;

/**
 * This node's configuration: what the controller sent and the dataplane did not refuse, kept on disk as
 * the last known good.
 */
export class ConfigManager {
  readonly store = new ResourceStore();
  readonly #journal: Journal;
  readonly #log: Logger;
  #complete = false;
  #rewritten = 0;
  /** What each key of the latest delta held before it. */
  #before = new Map<string, Resource | undefined>();

  private constructor(journal: Journal, log: Logger) {
    this.#journal = journal;
    this.#log = log;
  }

  /** Opens the last known good configuration; a damaged end of the file is cut off and said. */
  static async open(path: string, log: Logger): Promise<ConfigManager> {
    const { journal, records, damaged } = await Journal.open(path);
    const manager = new ConfigManager(journal, log);
    if (damaged) {
      log.warn(
        { path },
        "the end of the last known good configuration was damaged; using what is intact",
      );
    }
    for (const record of records) manager.store.apply(Delta.decode(record));
    manager.#complete = records.length > 0;
    if (manager.#complete) {
      log.info(
        { version: versionText(manager.store.version), resources: manager.store.size },
        "last known good configuration loaded",
      );
    }
    return manager;
  }

  /** Whether a complete configuration is held. */
  get complete(): boolean {
    return this.#complete;
  }

  get version(): Version {
    return this.store.version;
  }

  refs(): ResourceRef[] {
    return this.store.refs();
  }

  /**
   * Takes over a delta. Returns the keys that changed and the resources whose hash is not that of their
   * body; null for a delta older than what is held.
   */
  apply(delta: Delta): { changed: string[]; refusals: Refusal[] } | null {
    const { version } = delta;
    if (version === undefined || compareVersions(version, this.version) < 0) return null;
    const refusals: Refusal[] = [];
    const upserts = delta.upserts.filter(({ kind, name, hash, body }) => {
      if (sha256(body) === hash) return true;
      refusals.push({
        resource: { kind, name, hash },
        reason: "damaged on the way: the hash differs",
      });
      return false;
    });
    this.#before = new Map(
      [...upserts, ...delta.removals].map((ref) => [keyOf(ref), this.store.get(keyOf(ref))]),
    );
    const changed = this.store.apply({ ...delta, upserts });
    this.#complete = true;
    return { changed, refusals };
  }

  /** The dataplane refused resources: their last accepted versions are what is held. */
  revert(refusals: readonly Refusal[]): void {
    for (const { resource } of refusals) {
      if (resource === undefined) continue;
      const key = keyOf(resource);
      const held = this.store.get(key);
      if (held === undefined || held.hash !== resource.hash) continue;
      const before = this.#before.get(key);
      if (before === undefined) this.store.delete(key);
      else this.store.set(before);
    }
  }

  /** Writes what the latest delta changed to disk; a failure is logged, traffic goes on. */
  async save(changed: readonly string[]): Promise<void> {
    try {
      if (this.#journal.size > SLACK + 2 * this.#rewritten) {
        await this.#journal.rewrite([this.#record([...this.store.keys()])]);
        this.#rewritten = this.#journal.size;
      } else await this.#journal.append([this.#record(changed)]);
    } catch (error) {
      this.#log.error(
        { error: (error as Error).message },
        "cannot save the last known good configuration",
      );
    }
  }

  #record(keys: readonly string[]): Uint8Array {
    const upserts: Resource[] = [];
    const removals: ResourceRef[] = [];
    for (const key of keys) {
      const resource = this.store.get(key);
      if (resource !== undefined) upserts.push(resource);
      else {
        const separator = key.indexOf("|");
        removals.push({
          kind: Number(key.slice(0, separator)),
          name: key.slice(separator + 1),
          hash: "",
        });
      }
    }
    return Delta.encode({ version: this.version, nonce: 0, upserts, removals }).finish();
  }

  close(): Promise<void> {
    return this.#journal.close();
  }
}
