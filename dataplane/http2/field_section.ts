import { Buffer } from "node:buffer";
import { text } from "../message/bytes.ts";
import { FieldId } from "../message/field_id.ts";
import { isGrpc } from "../message/request_head.ts";
import { HeaderBlock } from "../message/header_block.ts";
import { ENTRY_OVERHEAD, Pseudo } from "./field_entry.ts";

/** Bounds of a pseudo-header field's value; start -1 when it is absent. */
interface Bounds {
  start: number;
  end: number;
}

const PSEUDO_COUNT = 8;
/** Bytes between two cookies of one field. */
const COOKIE_SEPARATOR = "; ";

/**
 * One decoded field section: regular fields as lines of a header block, pseudo-header fields as bounds.
 * All of it lies in one scratch buffer and is valid until the next section is decoded.
 */
export class FieldSection {
  /** Scratch: large enough for any line that the limit on encoded bytes allows. */
  readonly buffer: Buffer;
  block: HeaderBlock;
  /** Where the next line goes. */
  at = 0;
  /** Why the section may not stand in a message, "" when it may. */
  malformed = "";
  /** Whether it is larger than the limit; its fields are then not kept. */
  tooLarge = false;
  /** Whether that is because it has more fields than its block takes. */
  tooMany = false;
  /** Whether its content-type is that of gRPC, also where its fields are not kept. */
  grpc = false;
  readonly #limit: number;
  readonly #joinsCookies: boolean;
  readonly #pseudo: Bounds[] = Array.from({ length: PSEUDO_COUNT }, () => ({ start: -1, end: -1 }));
  #size = 0;
  #regular = false;
  #hasCookie = false;
  /** Bounds of the cookies behind the first, in pairs. */
  readonly #cookies: number[] = [];

  /**
   * @param limit size of a section as RFC 9113 section 6.5.2 counts it (SETTINGS_MAX_HEADER_LIST_SIZE)
   * @param longest bytes of the longest single line that a decoder may hand over
   * @param joinsCookies whether cookies count as one field, which `joinCookies` makes of them
   */
  constructor(limit: number, longest: number, joinsCookies = false) {
    this.#limit = limit;
    this.#joinsCookies = joinsCookies;
    this.buffer = Buffer.allocUnsafeSlow(limit + longest);
    this.block = new HeaderBlock(0);
  }

  /** Begins a section whose regular fields go to `block`. */
  begin(block: HeaderBlock): void {
    this.block = block;
    block.buffer = this.buffer;
    block.count = 0;
    this.at = 0;
    this.malformed = "";
    this.tooLarge = false;
    this.#size = 0;
    this.#regular = false;
    this.tooMany = false;
    this.grpc = false;
    this.#hasCookie = false;
    this.#cookies.length = 0;
    for (let i = 1; i < PSEUDO_COUNT; i++) this.#pseudo[i].start = -1;
  }

  has(pseudo: Pseudo): boolean {
    return this.#pseudo[pseudo].start >= 0;
  }

  /** Whether the section has any pseudo-header field. */
  get hasPseudo(): boolean {
    for (let i = 1; i < PSEUDO_COUNT; i++) if (this.#pseudo[i].start >= 0) return true;
    return false;
  }

  start(pseudo: Pseudo): number {
    return this.#pseudo[pseudo].start;
  }

  end(pseudo: Pseudo): number {
    return this.#pseudo[pseudo].end;
  }

  /** Value of a pseudo-header field, "" when it is absent. */
  value(pseudo: Pseudo): string {
    const { start, end } = this.#pseudo[pseudo];
    return start < 0 ? "" : text(this.buffer, start, end);
  }

  /** Takes the line that was written at `at`. */
  take(
    nameLength: number,
    valueLength: number,
    id: FieldId,
    pseudo: Pseudo,
    malformed: boolean,
  ): void {
    // Cookies come in pieces for the sake of compression (RFC 9113 section 8.2.3).
    if (id === FieldId.ContentType) {
      const at = this.at + nameLength + 2;
      this.grpc = isGrpc(this.buffer, at, at + valueLength);
    }
    const another = id === FieldId.Cookie && this.#hasCookie;
    this.#size += another
      ? valueLength + COOKIE_SEPARATOR.length
      : nameLength + valueLength + ENTRY_OVERHEAD;
    if (this.#size > this.#limit) this.tooLarge = true;
    if (this.tooLarge) {
      // The rest is decoded for the table's sake only.
      this.at = 0;
      return;
    }
    if (malformed) this.malformed ||= "field";
    const nameEnd = this.at + nameLength;
    const valueStart = nameEnd + 2;
    const valueEnd = valueStart + valueLength;
    if (pseudo !== Pseudo.None) {
      const bounds = this.#pseudo[pseudo];
      if (this.#regular || bounds.start >= 0 || pseudo === Pseudo.Unknown) {
        this.malformed ||= "pseudo-header field";
      }
      bounds.start = valueStart;
      bounds.end = valueEnd;
    } else if (another) {
      this.buffer.copyWithin(this.at, valueStart, valueEnd);
      this.#cookies.push(this.at, this.at += valueLength);
      return;
    } else {
      this.#regular = true;
      this.#hasCookie ||= this.#joinsCookies && id === FieldId.Cookie;
      if (!this.block.add(this.at, nameEnd, valueStart, valueEnd, valueEnd + 2, id)) {
        this.tooLarge = this.tooMany = true;
      }
    }
    this.at = valueEnd + 2;
  }

  /** Makes one field of all cookies; without this the section has only the first of them. */
  joinCookies(): void {
    if (this.#cookies.length === 0) return;
    const { block } = this;
    const values: string[] = [];
    for (let i = 0; i < block.count; i++) {
      if (block.id(i) !== FieldId.Cookie) continue;
      values.push(block.value(i));
      block.remove(i);
      break;
    }
    for (let i = 0; i < this.#cookies.length; i += 2) {
      values.push(text(this.buffer, this.#cookies[i], this.#cookies[i + 1]));
    }
    this.append("cookie", values.join(COOKIE_SEPARATOR), FieldId.Cookie);
  }

  /** Appends a line of our own making. */
  append(name: string, value: string, id: FieldId): void {
    const start = this.at;
    const nameEnd = start + this.buffer.write(name, start, "latin1");
    this.buffer.write(": ", nameEnd, "latin1");
    const valueEnd = nameEnd + 2 + this.buffer.write(value, nameEnd + 2, "latin1");
    this.buffer.write("\r\n", valueEnd, "latin1");
    this.at = valueEnd + 2;
    if (!this.block.add(start, nameEnd, nameEnd + 2, valueEnd, this.at, id)) {
      this.tooLarge = this.tooMany = true;
    }
  }
}
