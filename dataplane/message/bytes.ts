import type { Buffer } from "node:buffer";

/** Character classes of RFC 9110 and byte helpers for the codecs. */

export const CR = 13;
export const LF = 10;
export const SP = 32;
export const HTAB = 9;
export const COLON = 58;

/** Bit of a byte that may stand in a token (RFC 9110 section 5.6.2). */
export const TOKEN = 1;
/** Bit of a byte that may stand in a field value: VCHAR, SP, HTAB, obs-text (section 5.5). */
export const FIELD_VALUE = 2;
/** Bit of a byte that may stand in a request target: visible ASCII (RFC 9112 section 3.2). */
export const TARGET = 4;
/** Bit of a byte that may stand in a host (RFC 3986 section 3.2.2), port and brackets included. */
export const HOST = 8;

/** Class bits by byte value. */
export const CLASS = new Uint8Array(256);
for (let byte = 0; byte < 256; byte++) {
  const alphanumeric = (byte >= 48 && byte <= 57) || (byte >= 65 && byte <= 90) ||
    (byte >= 97 && byte <= 122);
  if (alphanumeric || "!#$%&'*+-.^_`|~".includes(String.fromCharCode(byte))) CLASS[byte] |= TOKEN;
  if ((byte >= 32 && byte !== 127) || byte === HTAB) CLASS[byte] |= FIELD_VALUE;
  // "#" begins a fragment, which no target has: a backend may cut the path there.
  if (byte > 32 && byte < 127 && byte !== 35) CLASS[byte] |= TARGET;
  if (alphanumeric || "-._~:[]%!$&'()*+,;=".includes(String.fromCharCode(byte))) {
    CLASS[byte] |= HOST;
  }
}

/** Whether bytes [start, end) equal `lower` without regard to ASCII case; `lower` is lower case. */
export function equalsIgnoreCase(
  buffer: Uint8Array,
  start: number,
  end: number,
  lower: Uint8Array,
): boolean {
  if (end - start !== lower.length) return false;
  for (let i = 0; i < lower.length; i++) {
    const byte = buffer[start + i];
    if (byte !== lower[i]) {
      if (byte < 65 || byte > 90 || (byte | 32) !== lower[i]) return false;
    }
  }
  return true;
}

/** Whether bytes [start, end) equal the text `lower` without regard to ASCII case; `lower` is lower case. */
export function equalsText(
  buffer: Uint8Array,
  start: number,
  end: number,
  lower: string,
): boolean {
  if (end - start !== lower.length) return false;
  for (let i = 0; i < lower.length; i++) {
    const byte = buffer[start + i];
    if ((byte >= 65 && byte <= 90 ? byte | 32 : byte) !== lower.charCodeAt(i)) return false;
  }
  return true;
}

/** ASCII bytes of a string. */
export function ascii(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** Copies source[start, end) into target at `at`; returns the position after it. */
export function copy(
  source: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
  at: number,
): number {
  const length = end - start;
  // A plain view: `subarray` of a Buffer makes a Buffer, which costs twice as much.
  if (length > 32) target.set(new Uint8Array(source.buffer, source.byteOffset + start, length), at);
  else for (let i = 0; i < length; i++) target[at + i] = source[start + i];
  return at + length;
}

/** Writes Latin-1 text into target at `at`; returns the position after it. */
export function put(text: string, target: Uint8Array, at: number): number {
  for (let i = 0; i < text.length; i++) target[at + i] = text.charCodeAt(i);
  return at + text.length;
}

const HEX = ascii("0123456789abcdef");

/** Writes a non-negative number in hexadecimal; returns the position after it. */
export function putHex(value: number, target: Uint8Array, at: number): number {
  let digits = 1;
  for (let rest = Math.floor(value / 16); rest > 0; rest = Math.floor(rest / 16)) digits++;
  let rest = value;
  for (let i = digits - 1; i >= 0; i--) {
    target[at + i] = HEX[rest % 16];
    rest = Math.floor(rest / 16);
  }
  return at + digits;
}

interface Latin1Buffer extends Buffer {
  latin1Slice(start: number, end: number): string;
}

/** The Latin-1 text of bytes [start, end): the fastest way to a string that the runtime has. */
export function text(buffer: Buffer, start: number, end: number): string {
  return (buffer as Latin1Buffer).latin1Slice(start, end);
}

/** All of some bytes as text, a character a byte. */
export function latin1(bytes: Uint8Array): string {
  let out = "";
  for (const byte of bytes) out += String.fromCharCode(byte);
  return out;
}
