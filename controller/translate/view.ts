import type { Buffer } from "node:buffer";
import { createHmac } from "node:crypto";
import type { KindName } from "../../api/kinds.ts";
import {
  type AddressAnswer,
  type AddressBook,
  type AddressRequest,
  NOT_YET,
} from "./gateway_addresses.ts";
import { type Index, indexKeysOf } from "./indexes.ts";
import {
  type ObjectKey,
  objectKey,
  type SourceChange,
  type SourceObject,
} from "./source_object.ts";

/** What a derivation may read; each read is remembered as a dependency. */
export interface View {
  get<K extends KindName>(kind: K, namespace: string, name: string): SourceObject<K> | null;
  /** Objects of an index entry, in key order. */
  select<K extends KindName>(kind: K, index: Index, key: string): SourceObject<K>[];
  /** A key for some purpose that nobody outside knows and that stays the same. */
  keyFor(purpose: string): Buffer;
  /** The addresses of a Gateway, by its key; null where nobody hands out addresses. */
  addressesOf(gateway: string): AddressAnswer | null;
  /** Says which addresses the Gateway that is being translated wants. */
  requestAddresses(request: AddressRequest): void;
}

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

/** A view over a store that records what was read. */
export class RecordingView implements View {
  readonly #store: ObjectStore;
  readonly #secret: Uint8Array;
  readonly #addresses: AddressBook | null;
  readonly reads = new Set<string>();
  /** What the derivation asked for. */
  request: AddressRequest | null = null;

  /**
   * @param secret from which keys are made
   * @param addresses who hands out addresses, null for nobody
   */
  constructor(store: ObjectStore, secret: Uint8Array, addresses: AddressBook | null) {
    this.#store = store;
    this.#secret = secret;
    this.#addresses = addresses;
  }

  addressesOf(gateway: string): AddressAnswer | null {
    if (this.#addresses === null) return null;
    this.reads.add(`address:${gateway}`);
    return this.#addresses.answer(gateway) ?? NOT_YET;
  }

  requestAddresses(request: AddressRequest): void {
    this.request = request;
  }

  keyFor(purpose: string): Buffer {
    return createHmac("sha256", this.#secret).update(purpose).digest();
  }

  get<K extends KindName>(kind: K, namespace: string, name: string): SourceObject<K> | null {
    const key = objectKey({ kind, namespace, name });
    this.reads.add(`object:${key}`);
    return (this.#store.get(key) as SourceObject<K> | undefined) ?? null;
  }

  select<K extends KindName>(kind: K, index: Index, key: string): SourceObject<K>[] {
    const entry = index === "namespace" ? `namespace:${kind}/${key}` : `${index}:${key}`;
    this.reads.add(entry);
    return this.#store.indexed(entry).filter((object) => object.kind === kind) as SourceObject<K>[];
  }
}

export type { ObjectKey };
