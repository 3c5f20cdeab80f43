import type { Delta } from "../../proto/gen/novaedge/v1/distribution.ts";
import type { ResourceView } from "./delta_sender.ts";
import {
  compareVersions,
  keyOf,
  NO_VERSION,
  type Resource,
  type ResourceRef,
  type Version,
} from "./resources.ts";

/** A complete set of resources with its version. */
export class ResourceStore implements ResourceView {
  readonly #resources = new Map<string, Resource>();
  #version: Version = NO_VERSION;

  get version(): Version {
    return this.#version;
  }

  set version(version: Version) {
    this.#version = version;
  }

  get size(): number {
    return this.#resources.size;
  }

  get(key: string): Resource | undefined {
    return this.#resources.get(key);
  }

  keys(): Iterable<string> {
    return this.#resources.keys();
  }

  values(): Iterable<Resource> {
    return this.#resources.values();
  }

  set(resource: Resource): void {
    this.#resources.set(keyOf(resource), resource);
  }

  delete(key: string): boolean {
    return this.#resources.delete(key);
  }

  /** Names and hashes of everything held. */
  refs(): ResourceRef[] {
    return Array.from(this.#resources.values(), ({ kind, name, hash }) => ({ kind, name, hash }));
  }

  /** Whether a delta of this version may be applied: it is not older than what is held. */
  accepts(version: Version): boolean {
    return compareVersions(version, this.#version) >= 0;
  }

  /** Takes over a delta; returns the keys that changed. */
  apply(delta: Delta): string[] {
    const changed: string[] = [];
    for (const resource of delta.upserts) {
      const key = keyOf(resource);
      this.#resources.set(key, resource);
      changed.push(key);
    }
    for (const ref of delta.removals) {
      const key = keyOf(ref);
      if (this.#resources.delete(key)) changed.push(key);
    }
    this.#version = delta.version ?? NO_VERSION;
    return changed;
  }
}
