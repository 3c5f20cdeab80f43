import type { Buffer } from "node:buffer";
import { createHmac } from "node:crypto";
import type { KindName } from "../../api/kinds.ts";
import {
  type AddressAnswer,
  type AddressBook,
  type AddressRequest,
  NOT_YET,
} from "./address_book.ts";
import type { ObjectStore } from "./object_store.ts";
import { objectKey, type SourceObject } from "./source_object.ts";
import type { TranslatorOptions } from "./translator.ts";
import type { Index, View } from "./view.ts";

/** A view over a store that records what was read. */
export class RecordingView implements View {
  readonly #store: ObjectStore;
  readonly #secret: Uint8Array;
  readonly #addresses: AddressBook | null;
  readonly reads = new Set<string>();
  /** What the derivation asked for. */
  request: AddressRequest | null = null;

  readonly externalNetworks: readonly string[];

  constructor(store: ObjectStore, options: Required<TranslatorOptions>) {
    this.#store = store;
    this.#secret = options.secret;
    this.#addresses = options.addresses;
    this.externalNetworks = options.externalNetworks;
  }

  get alone(): boolean {
    return this.#addresses === null;
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

  select<K extends KindName>(kind: K, index: Index, key: string): readonly SourceObject<K>[] {
    const entry = index === "namespace" ? `namespace:${kind}/${key}` : `${index}:${key}`;
    this.reads.add(entry);
    return this.#store.indexed(entry, kind);
  }
}
