import type { Buffer } from "node:buffer";
import { CLASS, COLON, CR, equalsText, FIELD_VALUE, HTAB, LF, SP, text, TOKEN } from "./bytes.ts";
import { FieldId, fieldId } from "./field_id.ts";

/** Why bytes are not a valid header section; the negative results of `parse`. */
export const enum HeadError {
  /** More bytes are needed. */
  Incomplete = -1,
  BadName = -2,
  BadValue = -3,
  /** A CR or LF that is not part of CRLF. */
  BareLineBreak = -4,
  /** A line that continues the one before (RFC 9112 section 5.2). */
  ObsFold = -5,
  TooManyFields = -6,
  BadStartLine = -7,
}

/** Numbers a field takes in `fields`. */
const STRIDE = 6;

/**
 * The field lines of one message as offsets into its bytes. One object serves all messages of a
 * connection's codec: it is valid until the next `parse`. Field lines are in HTTP/1.1 form whichever
 * protocol they came by, so runs of unchanged lines are copied whole.
 */
export class HeaderBlock {
  buffer!: Buffer;
  count = 0;
  readonly #fields: Int32Array;
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
    this.#fields = new Int32Array(limit * STRIDE);
  }

  nameStart(index: number): number {
    return this.#fields[index * STRIDE];
  }
  nameEnd(index: number): number {
    return this.#fields[index * STRIDE + 1];
  }
  valueStart(index: number): number {
    return this.#fields[index * STRIDE + 2];
  }
  valueEnd(index: number): number {
    return this.#fields[index * STRIDE + 3];
  }
  /** Position after the line's CRLF. */
  lineEnd(index: number): number {
    return this.#fields[index * STRIDE + 4];
  }
  id(index: number): FieldId {
    return this.#fields[index * STRIDE + 5];
  }
  /** Whether there is a field with this id. */
  has(id: FieldId): boolean {
    for (let i = 0; i < this.count; i++) if (this.id(i) === id) return true;
    return false;
  }
  setId(index: number, id: FieldId): void {
    this.#fields[index * STRIDE + 5] = id;
  }

  /** Takes a field line that is already in `buffer`; false when there is no room for more. */
  add(
    nameStart: number,
    nameEnd: number,
    valueStart: number,
    valueEnd: number,
    lineEnd: number,
    id: FieldId,
  ): boolean {
    if (this.count === this.#limit) return false;
    const fields = this.#fields;
    const o = this.count++ * STRIDE;
    fields[o] = nameStart;
    fields[o + 1] = nameEnd;
    fields[o + 2] = valueStart;
    fields[o + 3] = valueEnd;
    fields[o + 4] = lineEnd;
    fields[o + 5] = id;
    return true;
  }

  /** Takes a field out: it is neither found nor forwarded any more. */
  remove(index: number): void {
    this.#fields[index * STRIDE + 1] = this.nameStart(index);
    this.setId(index, FieldId.Nominated);
  }

  name(index: number): string {
    return text(this.buffer, this.nameStart(index), this.nameEnd(index)).toLowerCase();
  }
  value(index: number): string {
    return text(this.buffer, this.valueStart(index), this.valueEnd(index));
  }

  /** All values of a field by lower-case name, joined as RFC 9110 section 5.3 allows; null when absent. */
  get(name: string): string | null {
    let joined: string | null = null;
    for (let i = 0; i < this.count; i++) {
      if (!equalsText(this.buffer, this.nameStart(i), this.nameEnd(i), name)) continue;
      joined = joined === null ? this.value(i) : `${joined}, ${this.value(i)}`;
    }
    return joined;
  }

  /**
   * Parses field lines from `start` to the empty line. Returns the position after it, or a HeadError.
   * Strict: a token for a name, no space before the colon, CRLF only, no folding.
   */
  parse(buffer: Buffer, start: number, end: number): number {
    const fields = this.#fields;
    this.buffer = buffer;
    this.count = 0;
    let at = start;
    for (;;) {
      if (at >= end) return HeadError.Incomplete;
      let byte = buffer[at];
      if (byte === CR) {
        if (at + 1 >= end) return HeadError.Incomplete;
        return buffer[at + 1] === LF ? at + 2 : HeadError.BareLineBreak;
      }
      if (byte === LF) return HeadError.BareLineBreak;
      if (byte === SP || byte === HTAB) return HeadError.ObsFold;
      if (this.count === this.#limit) return HeadError.TooManyFields;
      const nameStart = at;
      while ((CLASS[byte] & TOKEN) !== 0) {
        if (++at >= end) return HeadError.Incomplete;
        byte = buffer[at];
      }
      if (byte !== COLON || at === nameStart) return HeadError.BadName;
      const nameEnd = at;
      do {
        if (++at >= end) return HeadError.Incomplete;
        byte = buffer[at];
      } while (byte === SP || byte === HTAB);
      const valueStart = at;
      while ((CLASS[byte] & FIELD_VALUE) !== 0) {
        if (++at >= end) return HeadError.Incomplete;
        byte = buffer[at];
      }
      if (byte !== CR) return byte === LF ? HeadError.BareLineBreak : HeadError.BadValue;
      if (at + 1 >= end) return HeadError.Incomplete;
      if (buffer[at + 1] !== LF) return HeadError.BareLineBreak;
      let valueEnd = at;
      while (
        valueEnd > valueStart && (buffer[valueEnd - 1] === SP || buffer[valueEnd - 1] === HTAB)
      ) {
        valueEnd--;
      }
      at += 2;
      const o = this.count++ * STRIDE;
      fields[o] = nameStart;
      fields[o + 1] = nameEnd;
      fields[o + 2] = valueStart;
      fields[o + 3] = valueEnd;
      fields[o + 4] = at;
      fields[o + 5] = fieldId(buffer, nameStart, nameEnd);
    }
  }
}
