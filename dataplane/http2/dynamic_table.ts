import { ENTRY_OVERHEAD, type FieldEntry } from "./field_entry.ts";

/** Bytes that an entry counts for (RFC 7541 section 4.1). */
export function entrySize(entry: FieldEntry): number {
  return entry.nameLength + entry.valueLength + ENTRY_OVERHEAD;
}

/** The dynamic table of one direction of a connection (RFC 7541 section 2.3.2): newest entry first. */
export class DynamicTable {
  #ring: (FieldEntry | undefined)[] = new Array(16);
  /** Position of the newest entry. */
  #head = 0;
  #count = 0;
  #size = 0;
  #capacity: number;
  /** Entries ever inserted. */
  inserted = 0;

  /** @param capacity bytes */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get count(): number {
    return this.#count;
  }

  get size(): number {
    return this.#size;
  }

  get capacity(): number {
    return this.#capacity;
  }

  /** Changes the capacity; entries that no longer fit leave. */
  resize(capacity: number): void {
    this.#capacity = capacity;
    while (this.#size > capacity) this.#evict();
  }

  /** The entry at 0 (newest) and on; undefined beyond the end. */
  get(index: number): FieldEntry | undefined {
    return index < this.#count ? this.#ring[(this.#head - index) & this.#mask] : undefined;
  }

  /** Inserts an entry; one larger than the table empties it and is not kept (section 4.4). */
  insert(entry: FieldEntry): void {
    const size = entrySize(entry);
    while (this.#count > 0 && this.#size + size > this.#capacity) this.#evict();
    this.inserted++;
    if (size > this.#capacity) return;
    if (this.#count === this.#ring.length) this.#grow();
    this.#head = (this.#head + 1) & this.#mask;
    this.#ring[this.#head] = entry;
    this.#count++;
    this.#size += size;
  }

  get #mask(): number {
    return this.#ring.length - 1;
  }

  #evict(): void {
    const oldest = (this.#head - this.#count + 1) & this.#mask;
    this.#size -= entrySize(this.#ring[oldest]!);
    this.#ring[oldest] = undefined;
    this.#count--;
  }

  #grow(): void {
    const grown: (FieldEntry | undefined)[] = new Array(this.#ring.length * 2);
    for (let i = 0; i < this.#count; i++) grown[this.#count - 1 - i] = this.get(i);
    this.#ring = grown;
    this.#head = this.#count - 1;
  }
}
