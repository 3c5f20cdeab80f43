import { Buffer } from "node:buffer";
import { copy } from "../message/bytes.ts";
import { FieldId, fieldId } from "../message/field_id.ts";
import { DynamicTable } from "./dynamic_table.ts";
import {
  describe,
  type FieldEntry,
  LINE_OVERHEAD,
  Pseudo,
  pseudoOf,
  validName,
  validValue,
} from "./field_entry.ts";
import type { FieldSection } from "./field_section.ts";
import { decodeHuffman } from "./huffman.ts";
import { STATIC_COUNT, STATIC_TABLE } from "./static_table.ts";

/** Largest integer that a length or index may be; everything above is an attack. */
const MAX_INTEGER = 0x1fffff;

/** Decoder of one direction of a connection (RFC 7541 section 3). */
export class HpackDecoder {
  readonly #table: DynamicTable;
  readonly #limit: number;
  #view!: Buffer;
  #at = 0;
  #end = 0;
  #bad = false;

  /** @param capacity bytes of table that we announced (SETTINGS_HEADER_TABLE_SIZE) */
  constructor(capacity: number) {
    this.#limit = capacity;
    this.#table = new DynamicTable(capacity);
  }

  /**
   * Decodes one complete block into `section`, which `begin` has prepared. False is a compression error:
   * the tables of both sides no longer agree and the connection must end.
   */
  decode(view: Buffer, start: number, end: number, section: FieldSection): boolean {
    this.#view = view;
    this.#at = start;
    this.#end = end;
    this.#bad = false;
    let fields = 0;
    let updates = 0;
    while (this.#at < end && !this.#bad) {
      const first = view[this.#at];
      if ((first & 0x80) !== 0) {
        fields++;
        const entry = this.#entry(this.#integer(7));
        if (entry === undefined) return false;
        take(entry, section);
      } else if ((first & 0xe0) === 0x20) {
        // Only before the first field, and at most two of them (section 4.2).
        if (fields > 0 || ++updates > 2) return false;
        const capacity = this.#integer(5);
        if (capacity > this.#limit) return false;
        this.#table.resize(capacity);
      } else {
        fields++;
        const indexed = (first & 0x40) !== 0;
        this.#literal(this.#integer(indexed ? 6 : 4), indexed, section);
      }
    }
    return !this.#bad;
  }

  #entry(index: number): FieldEntry | undefined {
    if (index === 0) return undefined;
    return index <= STATIC_COUNT ? STATIC_TABLE[index] : this.#table.get(index - STATIC_COUNT - 1);
  }

  /** A field with its value spelled out (section 6.2). */
  #literal(nameIndex: number, indexed: boolean, section: FieldSection): void {
    const { buffer } = section;
    const start = section.at;
    let nameEnd: number;
    let id: FieldId;
    let pseudo: Pseudo;
    let malformed = false;
    if (nameIndex > 0) {
      const entry = this.#entry(nameIndex);
      if (entry === undefined) {
        this.#bad = true;
        return;
      }
      nameEnd = copy(entry.line, 0, entry.nameLength, buffer, start);
      ({ id, pseudo } = entry);
      malformed = pseudo === Pseudo.None && !validName(buffer, start, nameEnd);
    } else {
      nameEnd = this.#string(buffer, start);
      if (this.#bad) return;
      pseudo = pseudoOf(buffer, start, nameEnd);
      id = pseudo === Pseudo.None ? fieldId(buffer, start, nameEnd) : FieldId.Other;
      malformed = pseudo === Pseudo.None && !validName(buffer, start, nameEnd);
    }
    buffer[nameEnd] = 58;
    buffer[nameEnd + 1] = 32;
    const valueStart = nameEnd + 2;
    const valueEnd = this.#string(buffer, valueStart);
    if (this.#bad) return;
    buffer[valueEnd] = 13;
    buffer[valueEnd + 1] = 10;
    malformed ||= !validValue(buffer, valueStart, valueEnd);
    if (indexed) {
      const line = Buffer.from(buffer.subarray(start, valueEnd + 2));
      this.#table.insert(describe(line, nameEnd - start, valueEnd - valueStart));
    }
    section.take(nameEnd - start, valueEnd - valueStart, id, pseudo, malformed);
  }

  /** An integer with a prefix of `bits` bits (section 5.1). */
  #integer(bits: number): number {
    const mask = (1 << bits) - 1;
    let value = this.#view[this.#at++] & mask;
    if (value < mask) return value;
    for (let shift = 0; shift <= 21; shift += 7) {
      if (this.#at >= this.#end) break;
      const byte = this.#view[this.#at++];
      value += (byte & 127) * 2 ** shift;
      if ((byte & 128) === 0) {
        if (value <= MAX_INTEGER) return value;
        break;
      }
    }
    this.#bad = true;
    return 0;
  }

  /** A string (section 5.2), written to `out` at `at`; returns the position after it. */
  #string(out: Buffer, at: number): number {
    if (this.#at >= this.#end) {
      this.#bad = true;
      return at;
    }
    const huffman = (this.#view[this.#at] & 0x80) !== 0;
    const length = this.#integer(7);
    const start = this.#at;
    if (this.#bad || length > this.#end - start) {
      this.#bad = true;
      return at;
    }
    this.#at = start + length;
    if (!huffman) return copy(this.#view, start, this.#at, out, at);
    const end = decodeHuffman(this.#view, start, this.#at, out, at);
    if (end < 0) this.#bad = true;
    return end;
  }
}

function take(entry: FieldEntry, section: FieldSection): void {
  const { line, nameLength, valueLength, id, pseudo, malformed } = entry;
  if (!section.tooLarge) {
    copy(line, 0, nameLength + valueLength + LINE_OVERHEAD, section.buffer, section.at);
  }
  section.take(nameLength, valueLength, id, pseudo, malformed);
}
