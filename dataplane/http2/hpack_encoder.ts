import { Buffer } from "node:buffer";
import { copy } from "../message/bytes.ts";
import { FieldId } from "../message/field_id.ts";
import { DynamicTable, entrySize } from "./dynamic_table.ts";
import { describe, type FieldEntry } from "./field_entry.ts";
import { STATIC_COUNT, STATIC_TABLE } from "./static_table.ts";

/** Bytes of table that we use at most, whatever the peer offers. */
const CAPACITY = 4096;
/** Entries larger than this would push too much out of the table. */
const LARGEST_ENTRY = CAPACITY / 8;
/** Fields remembered as seen once: the second time they go into the table. */
const SEEN = 256;

const bit = (id: FieldId) => 1 << id;
/** Values that nobody on the way may keep (RFC 7541 section 7.1.3). */
const SECRET = bit(FieldId.Authorization) | bit(FieldId.Cookie) |
  bit(FieldId.ProxyAuthorization) | bit(FieldId.SetCookie);

/** FNV-1a, as 32-bit steps. */
const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

interface StaticName {
  readonly index: number;
  readonly line: Buffer;
  readonly nameLength: number;
}

const STATIC_NAMES = new Map<number, StaticName>();
for (let index = STATIC_COUNT; index > 0; index--) {
  const { line, nameLength } = STATIC_TABLE[index];
  STATIC_NAMES.set(nameHash(line, 0, nameLength), { index, line, nameLength });
}

/** FNV of a name in lower case. */
function nameHash(view: Uint8Array, start: number, end: number): number {
  let hash = FNV_OFFSET;
  for (let i = start; i < end; i++) {
    const byte = view[i];
    hash = Math.imul(hash ^ (byte >= 65 && byte <= 90 ? byte | 32 : byte), FNV_PRIME);
  }
  return hash;
}

interface Indexed {
  readonly entry: FieldEntry;
  /** Insertions before this entry. */
  readonly sequence: number;
}

/**
 * Encoder of one direction of a connection (RFC 7541 section 6). A field goes into the dynamic table the
 * second time it is seen, so values that never repeat do not push out those that do. Strings are sent
 * as they are: the table saves more bytes than the Huffman code, for less time.
 */
export class HpackEncoder {
  readonly #table = new DynamicTable(CAPACITY);
  readonly #byHash = new Map<number, Indexed>();
  readonly #seen = new Int32Array(SEEN);
  /** Smallest and last capacity that the peer must still be told of (section 4.2); -1 for none. */
  #smallest = -1;
  #announce = -1;
  #out!: Buffer;
  #at = 0;

  /** The peer's SETTINGS_HEADER_TABLE_SIZE. */
  setCapacity(offered: number): void {
    const capacity = Math.min(offered, CAPACITY);
    if (capacity === this.#table.capacity) return;
    this.#table.resize(capacity);
    this.#smallest = this.#announce < 0 ? capacity : Math.min(this.#smallest, capacity);
    this.#announce = capacity;
  }

  /** Begins a block at `at` of `out`, which must have room for the fields and 16 bytes for each. */
  begin(out: Buffer, at: number): void {
    this.#out = out;
    this.#at = at;
    if (this.#announce < 0) return;
    if (this.#smallest < this.#announce) this.#integer(0x20, 5, this.#smallest);
    this.#integer(0x20, 5, this.#announce);
    this.#announce = -1;
  }

  /** Ends the block; returns the position after it. */
  end(): number {
    return this.#at;
  }

  /** A field of the static table with its value. */
  indexed(index: number): void {
    this.#integer(0x80, 7, index);
  }

  /** A name of the static table with a value of its own, kept out of the dynamic table. */
  named(index: number, value: Uint8Array, start: number, end: number): void {
    this.#integer(0, 4, index);
    this.#string(value, start, end);
  }

  /** A field whose name may have upper case, which becomes lower case. */
  field(
    view: Buffer,
    nameStart: number,
    nameEnd: number,
    valueStart: number,
    valueEnd: number,
    id: FieldId,
  ): void {
    const hashOfName = nameHash(view, nameStart, nameEnd);
    if ((SECRET & bit(id)) !== 0) {
      this.#literal(0x10, view, nameStart, nameEnd, valueStart, valueEnd, hashOfName);
      return;
    }
    let hash = Math.imul(hashOfName ^ 58, FNV_PRIME);
    for (let i = valueStart; i < valueEnd; i++) hash = Math.imul(hash ^ view[i], FNV_PRIME);
    const known = this.#byHash.get(hash);
    if (known !== undefined && this.#alive(known)) {
      if (equals(known.entry, view, nameStart, nameEnd, valueStart, valueEnd)) {
        this.indexed(STATIC_COUNT + this.#table.inserted - known.sequence);
        return;
      }
    }
    const seen = hash & (SEEN - 1);
    const size = nameEnd - nameStart + valueEnd - valueStart;
    if (this.#seen[seen] === hash && size <= LARGEST_ENTRY && this.#table.capacity > 0) {
      this.#literal(0x40, view, nameStart, nameEnd, valueStart, valueEnd, hashOfName);
      this.#remember(hash, view, nameStart, nameEnd, valueStart, valueEnd);
      return;
    }
    this.#seen[seen] = hash;
    this.#literal(0, view, nameStart, nameEnd, valueStart, valueEnd, hashOfName);
  }

  #alive({ sequence }: Indexed): boolean {
    return this.#table.inserted - sequence <= this.#table.count;
  }

  #remember(
    hash: number,
    view: Buffer,
    nameStart: number,
    nameEnd: number,
    valueStart: number,
    valueEnd: number,
  ): void {
    const nameLength = nameEnd - nameStart;
    const valueLength = valueEnd - valueStart;
    const line = Buffer.allocUnsafeSlow(nameLength + valueLength + 4);
    putLower(view, nameStart, nameEnd, line, 0);
    line[nameLength] = 58;
    line[nameLength + 1] = 32;
    copy(view, valueStart, valueEnd, line, nameLength + 2);
    line[nameLength + valueLength + 2] = 13;
    line[nameLength + valueLength + 3] = 10;
    const entry = describe(line, nameLength, valueLength);
    this.#byHash.set(hash, { entry, sequence: this.#table.inserted });
    this.#table.insert(entry);
    // Entries that left the table leave the map with the next sweep.
    if (this.#byHash.size > 2 * CAPACITY / entrySize(STATIC_TABLE[1])) this.#sweep();
  }

  #sweep(): void {
    for (const [hash, indexed] of this.#byHash) {
      if (!this.#alive(indexed)) this.#byHash.delete(hash);
    }
  }

  /** @param pattern first bits: 0x40 incremental indexing, 0 without indexing, 0x10 never indexed */
  #literal(
    pattern: number,
    view: Buffer,
    nameStart: number,
    nameEnd: number,
    valueStart: number,
    valueEnd: number,
    hash: number,
  ): void {
    const bits = pattern === 0x40 ? 6 : 4;
    const known = STATIC_NAMES.get(hash);
    if (known !== undefined && nameEquals(known, view, nameStart, nameEnd)) {
      this.#integer(pattern, bits, known.index);
    } else {
      this.#integer(pattern, bits, 0);
      this.#integer(0, 7, nameEnd - nameStart);
      this.#at = putLower(view, nameStart, nameEnd, this.#out, this.#at);
    }
    this.#string(view, valueStart, valueEnd);
  }

  #string(view: Uint8Array, start: number, end: number): void {
    this.#integer(0, 7, end - start);
    this.#at = copy(view, start, end, this.#out, this.#at);
  }

  #integer(pattern: number, bits: number, value: number): void {
    const mask = (1 << bits) - 1;
    const out = this.#out;
    if (value < mask) {
      out[this.#at++] = pattern | value;
      return;
    }
    out[this.#at++] = pattern | mask;
    let rest = value - mask;
    while (rest >= 128) {
      out[this.#at++] = (rest & 127) | 128;
      rest >>>= 7;
    }
    out[this.#at++] = rest;
  }
}

function nameEquals(known: StaticName, view: Uint8Array, start: number, end: number): boolean {
  if (known.nameLength !== end - start) return false;
  for (let i = 0; i < known.nameLength; i++) {
    const byte = view[start + i];
    if ((byte >= 65 && byte <= 90 ? byte | 32 : byte) !== known.line[i]) return false;
  }
  return true;
}

function equals(
  entry: FieldEntry,
  view: Uint8Array,
  nameStart: number,
  nameEnd: number,
  valueStart: number,
  valueEnd: number,
): boolean {
  const { line, nameLength, valueLength } = entry;
  if (nameLength !== nameEnd - nameStart || valueLength !== valueEnd - valueStart) return false;
  for (let i = 0; i < nameLength; i++) {
    const byte = view[nameStart + i];
    if ((byte >= 65 && byte <= 90 ? byte | 32 : byte) !== line[i]) return false;
  }
  for (let i = 0; i < valueLength; i++) {
    if (view[valueStart + i] !== line[nameLength + 2 + i]) return false;
  }
  return true;
}

function putLower(view: Uint8Array, start: number, end: number, out: Uint8Array, at: number) {
  for (let i = start; i < end; i++) {
    const byte = view[i];
    out[at++] = byte >= 65 && byte <= 90 ? byte | 32 : byte;
  }
  return at;
}
