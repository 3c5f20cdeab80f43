import { Buffer } from "node:buffer";

/** Reads DER (X.690) as far as certificates and revocation lists need it. */

/** Identifier octets that X.509 uses (X.690 section 8.1.2). */
export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectId: 0x06,
  sequence: 0x30,
  set: 0x31,
  utcTime: 0x17,
  generalizedTime: 0x18,
} as const;

/** Identifier octet of a context-specific element: `[number]`. */
export function contextTag(number: number, constructed: boolean): number {
  return (constructed ? 0xa0 : 0x80) | number;
}

/** Bytes that are not the DER they should be. */
export class DerError extends Error {
  readonly code = "DER";
}

/** One element: its tag, the bounds of its content, and where it begins. */
export interface DerElement {
  readonly tag: number;
  /** Position of the identifier octet. */
  readonly at: number;
  readonly start: number;
  readonly end: number;
}

/** Low bits of an identifier octet whose tag number follows in further octets. */
const MULTI_BYTE_TAG = 0x1f;

/**
 * Reads the element at `at`.
 * @throws {DerError} when it does not fit into [at, end), or its length is not in the shortest form
 */
export function readElement(bytes: Uint8Array, at: number, end: number): DerElement {
  if (at + 2 > end) throw new DerError("truncated element");
  const tag = bytes[at];
  if ((tag & MULTI_BYTE_TAG) === MULTI_BYTE_TAG) throw new DerError("tag of several bytes");
  let length = bytes[at + 1];
  let start = at + 2;
  if (length >= 0x80) {
    const count = length & 0x7f;
    if (count === 0 || count > 4 || start + count > end) throw new DerError("bad length");
    length = 0;
    for (let i = 0; i < count; i++) length = length * 256 + bytes[start++];
    if (length < 0x80 || length < 256 ** (count - 1)) throw new DerError("length not minimal");
  }
  if (start + length > end) throw new DerError("truncated element");
  return { tag, at, start, end: start + length };
}

/** Yields the elements within [start, end). @throws {DerError} at the first that is malformed */
export function* readElements(
  bytes: Uint8Array,
  start: number,
  end: number,
): Generator<DerElement> {
  for (let at = start; at < end;) {
    const element = readElement(bytes, at, end);
    yield element;
    at = element.end;
  }
}

/** Returns the children of a constructed element. @throws {DerError} */
export function children(bytes: Uint8Array, { start, end }: DerElement): DerElement[] {
  return [...readElements(bytes, start, end)];
}

/** Reads an element of one tag. @throws {DerError} when it has another one */
export function expectElement(
  bytes: Uint8Array,
  tag: number,
  at: number,
  end: number,
): DerElement {
  const element = readElement(bytes, at, end);
  if (element.tag !== tag) throw new DerError(`tag ${element.tag} instead of ${tag}`);
  return element;
}

/** Returns the content of an element. */
export function contentOf(bytes: Uint8Array, { start, end }: DerElement): Uint8Array {
  return bytes.subarray(start, end);
}

/** Returns an element with its identifier and length octets. */
export function encodingOf(bytes: Uint8Array, { at, end }: DerElement): Uint8Array {
  return bytes.subarray(at, end);
}

/** Returns bytes as hexadecimal digits. */
export function hex(bytes: Uint8Array): string {
  return bufferOf(bytes).toString("hex");
}

/** Returns bytes as text, a character a byte. */
export function latin1(bytes: Uint8Array): string {
  return bufferOf(bytes).toString("latin1");
}

function bufferOf({ buffer, byteOffset, length }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, length);
}

/** Longest object identifier that is read, in bytes; registered ones have some 20. */
const LONGEST_OBJECT_ID = 64;

/**
 * Returns the content of an object identifier as hexadecimal digits.
 * @throws {DerError} when it is longer than any: its numbers have no bound, and printing them costs the
 * square of their length
 */
export function readObjectId(bytes: Uint8Array, element: DerElement): string {
  if (element.end - element.start > LONGEST_OBJECT_ID) {
    throw new DerError("object identifier too long");
  }
  return hex(contentOf(bytes, element));
}

const UTC = /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/;
const GENERALIZED = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/;

/**
 * Returns a time in milliseconds since 1970 (RFC 5280 section 4.1.2.5).
 * @throws {DerError} for any other form
 */
export function readTime(bytes: Uint8Array, element: DerElement): number {
  const text = String.fromCharCode(...contentOf(bytes, element).subarray(0, 16));
  const pattern = element.tag === TAG.utcTime ? UTC : GENERALIZED;
  const [, ...digits] = pattern.exec(text) ?? [];
  if (digits.length === 0 || element.end - element.start > 16) throw new DerError("bad time");
  const [year, month, day, hour, minute, second] = digits.map(Number);
  const century = element.tag === TAG.generalizedTime ? 0 : year < 50 ? 2000 : 1900;
  return Date.UTC(century + year, month - 1, day, hour, minute, second);
}

/** Whether an element is a time. */
export function isTime(element: DerElement | undefined): element is DerElement {
  return element?.tag === TAG.utcTime || element?.tag === TAG.generalizedTime;
}
