import { Buffer } from "node:buffer";

/** Bytes that one read takes at most, and that are sent in one call. */
export const MEMORY = 64 * 1024;
/** Reads up to this size are handed out as views that were made before. */
const KNOWN = 2 * 1024;

const reading = Buffer.allocUnsafeSlow(MEMORY);
const views: Buffer[] = [];
const sending = new Uint8Array(MEMORY);

/** What all connections of a thread read into. */
export function readMemory(): Uint8Array {
  return reading;
}

/** What was read, valid until the next read. */
export function readView(length: number): Buffer {
  if (length > KNOWN) return reading.subarray(0, length);
  return views[length] ??= reading.subarray(0, length);
}

/** Bytes that stay: those that were read are copied. */
export function lasting(bytes: Uint8Array): Uint8Array {
  return bytes.buffer === reading.buffer ? Buffer.from(bytes) : bytes;
}

/** Pieces in one, in memory that is used again by the next call; they are at most `MEMORY` bytes together. */
export function gathered(pieces: readonly Uint8Array[]): Uint8Array {
  if (pieces.length === 1) return pieces[0];
  let at = 0;
  for (const piece of pieces) {
    sending.set(piece, at);
    at += piece.length;
  }
  return sending.subarray(0, at);
}
