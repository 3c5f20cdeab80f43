import { keyOf, Kind, type Resource, type Version } from "../../common/delta/resources.ts";
import { ResourceStore } from "../../common/delta/resource_store.ts";
import { sha256 } from "../../common/hash.ts";
import { SourceError } from "../../proto/gen/novaedge/v1/distribution.ts";
import type { ResourceUpdate } from "../translate/translator.ts";
import type { SourceProblem } from "../source/source_problem.ts";

/** The published configuration and its version (term, number). */
export class SnapshotManager {
  readonly store = new ResourceStore();
  readonly #problems = new Map<string, Resource>();

  /** @param term this controller's term: higher than that of every controller before it */
  constructor(term: number) {
    this.store.version = { term, number: 0 };
  }

  get version(): Version {
    return this.store.version;
  }

  /** Takes in translated changes; returns the keys that changed, none when nothing did. */
  update(updates: readonly ResourceUpdate[]): string[] {
    const changed: string[] = [];
    for (const { kind, name, resource } of updates) {
      const key = keyOf({ kind, name });
      if (resource === null) {
        if (this.store.delete(key)) changed.push(key);
      } else if (this.store.get(key)?.hash !== resource.hash) {
        this.store.set(resource);
        changed.push(key);
      }
    }
    if (changed.length > 0) this.#advance();
    return changed;
  }

  /** Publishes the list of the source's problems. */
  setProblems(problems: readonly SourceProblem[]): string[] {
    const next = new Map<string, Resource>();
    for (const problem of problems) {
      const body = SourceError.encode(problem).finish();
      const hash = sha256(body);
      const name = `${problem.file}:${problem.line}:${hash.slice(0, 12)}`;
      next.set(name, { kind: Kind.KIND_SOURCE_ERROR, name, hash, body });
    }
    const updates: ResourceUpdate[] = [];
    for (const name of this.#problems.keys()) {
      if (!next.has(name)) updates.push({ kind: Kind.KIND_SOURCE_ERROR, name, resource: null });
    }
    for (const [name, resource] of next) {
      if (!this.#problems.has(name)) updates.push({ kind: Kind.KIND_SOURCE_ERROR, name, resource });
    }
    this.#problems.clear();
    for (const [name, resource] of next) this.#problems.set(name, resource);
    return this.update(updates);
  }

  /** A term of this controller's begins. */
  begin(term: number): void {
    this.store.version = { term, number: 1 };
  }

  /** Moves to a term above `term`: an agent holds a version of a controller whose clock was ahead. */
  raiseAbove(term: number): void {
    if (this.version.term <= term) {
      this.store.version = { term: term + 1, number: this.version.number };
    }
  }

  #advance(): void {
    const { term, number } = this.version;
    this.store.version = { term, number: number + 1 };
  }
}
