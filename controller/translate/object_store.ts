import type { KindName } from "../../api/kinds.ts";
import { indexKeysOf } from "./indexes.ts";
import { objectKey, type SourceChange, type SourceObject } from "./source_object.ts";

/** What an index has under one key, and the lists made of it. */
interface Entry {
  readonly objects: Map<string, SourceObject>;
  readonly lists: Map<KindName, readonly SourceObject[]>;
}

/** The objects of a source with their indexes. */
export class ObjectStore {
  readonly #objects = new Map<string, SourceObject>();
  readonly #indexes = new Map<string, Entry>();

  get(key: string): SourceObject | undefined {
    return this.#objects.get(key);
  }

  values(): Iterable<SourceObject> {
    return this.#objects.values();
  }

  /**
   * Returns the objects of a kind in an index entry, in key order: the same list until the entry changes, so
   * that readers can share what they derive from it.
   */
  indexed<K extends KindName>(index: string, kind: K): readonly SourceObject<K>[] {
    const entry = this.#indexes.get(index);
    if (entry === undefined) return [];
    let list = entry.lists.get(kind);
    if (list === undefined) {
      list = [...entry.objects].filter(([, object]) => object.kind === kind)
        .sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0).map(([, object]) => object);
      entry.lists.set(kind, list);
    }
    return list as readonly SourceObject<K>[];
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
        entry.objects.delete(text);
        entry.lists.clear();
        if (entry.objects.size === 0) this.#indexes.delete(index);
      }
      this.#objects.delete(text);
    }
    if (object !== null) {
      this.#objects.set(text, object);
      for (const index of indexKeysOf(object)) {
        touched.add(index);
        let entry = this.#indexes.get(index);
        if (entry === undefined) {
          this.#indexes.set(index, entry = { objects: new Map(), lists: new Map() });
        }
        entry.objects.set(text, object);
        entry.lists.clear();
      }
    }
    return touched;
  }
}
