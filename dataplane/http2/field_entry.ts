import { Buffer } from "node:buffer";
import { CLASS, FIELD_VALUE, HTAB, SP, text, TOKEN } from "../message/bytes.ts";
import { FieldId, fieldId } from "../message/field_id.ts";

/** Pseudo-header fields (RFC 9113 section 8.3, RFC 8441 section 4). */
export const enum Pseudo {
  None = 0,
  Method = 1,
  Scheme = 2,
  Authority = 3,
  Path = 4,
  Status = 5,
  Protocol = 6,
  /** A name that begins with a colon and is none of them. */
  Unknown = 7,
}

const PSEUDO: ReadonlyMap<string, Pseudo> = new Map([
  [":method", Pseudo.Method],
  [":scheme", Pseudo.Scheme],
  [":authority", Pseudo.Authority],
  [":path", Pseudo.Path],
  [":status", Pseudo.Status],
  [":protocol", Pseudo.Protocol],
]);

/** Bytes that an entry counts for beyond its name and value (RFC 7541 section 4.1). */
export const ENTRY_OVERHEAD = 32;

/** One field of the static or a dynamic table, ready to be copied as a line. */
export interface FieldEntry {
  /** "name: value" and CRLF. */
  readonly line: Buffer;
  readonly nameLength: number;
  readonly valueLength: number;
  readonly id: FieldId;
  readonly pseudo: Pseudo;
  /** Whether name or value may not stand in a message (RFC 9113 section 8.2.1). */
  readonly malformed: boolean;
}

/** Bytes of the field line "name: value" CRLF beyond name and value. */
export const LINE_OVERHEAD = 4;

/** An entry from its parts. */
export function fieldEntry(name: string, value: string): FieldEntry {
  const line = Buffer.from(`${name}: ${value}\r\n`, "latin1");
  return describe(line, name.length, value.length);
}

/** An entry whose line is given; takes the bytes over. */
export function describe(line: Buffer, nameLength: number, valueLength: number): FieldEntry {
  const valueStart = nameLength + 2;
  const pseudo = pseudoOf(line, 0, nameLength);
  return {
    line,
    nameLength,
    valueLength,
    pseudo,
    id: pseudo === Pseudo.None ? fieldId(line, 0, nameLength) : FieldId.Other,
    malformed: (pseudo === Pseudo.None && !validName(line, 0, nameLength)) ||
      !validValue(line, valueStart, valueStart + valueLength),
  };
}

/** Which pseudo-header field the name at [start, end) is. */
export function pseudoOf(view: Buffer, start: number, end: number): Pseudo {
  if (end === start || view[start] !== 58) return Pseudo.None;
  return PSEUDO.get(text(view, start, end)) ?? Pseudo.Unknown;
}

/** Whether a name is a token without upper case. */
export function validName(view: Uint8Array, start: number, end: number): boolean {
  if (start === end) return false;
  for (let i = start; i < end; i++) {
    const byte = view[i];
    if ((CLASS[byte] & TOKEN) === 0 || (byte >= 65 && byte <= 90)) return false;
  }
  return true;
}

/** Whether a value has no control characters and no white space at either end. */
export function validValue(view: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if ((CLASS[view[i]] & FIELD_VALUE) === 0) return false;
  return start === end || (!isSpace(view[start]) && !isSpace(view[end - 1]));
}

function isSpace(byte: number): boolean {
  return byte === SP || byte === HTAB;
}
