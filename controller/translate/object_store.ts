import { indexKeysOf } from "./indexes.ts";
import { objectKey, type SourceChange, type SourceObject } from "./source_object.ts";

/** The objects of a source with their indexes. */
export class ObjectStore {
  readonly #objects = new Map<string, SourceObject>();
  readonly #indexes = new Map<string, Map<string, SourceObject>>();

  get(key: string): SourceObject | undefined {
    return this.#objects.get(key);
  }

  values(): Iterable<SourceObject> {
    return this.#objects.values();
  }

  indexed(index: string): SourceObject[] {
    const entry = this.#indexes.get(index);
    if (entry === undefined) return [];
    return [...entry].sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0).map(([, object]) => object);
  }

  /** Applies one change; returns the lookups whose result may differ now. */
  apply({ key, object }: SourceChange): Set<string> {
    const text = objectKey(key);
    const old = this.#objects.get(text);
    const touched = new Set([`object:${text}`]);
    if (old !== undefined) {
      for (const index of indexKeysOf(old)) {
        touched.add(index);
        const entry = this.#indexes.get(index)!;
        entry.delete(text);
        if (entry.size === 0) this.#indexes.delete(index);
      }
      this.#objects.delete(text);
    }
    if (object !== null) {
      this.#objects.set(text, object);
      for (const index of indexKeysOf(object)) {
        touched.add(index);
        let entry = this.#indexes.get(index);
        if (entry === undefined) this.#indexes.set(index, entry = new Map());
        entry.set(text, object);
      }
    }
    return touched;
  }
}
