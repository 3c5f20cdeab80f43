import { Buffer } from "node:buffer";

/** Where a frame's parts lie in the bytes it was read from (RFC 6455 section 5.2). */
export interface Frame {
  readonly opcode: number;
  /** Masking key, null when the payload is not masked. */
  readonly key: Buffer | null;
  readonly start: number;
  readonly end: number;
}

const FINAL = 0x80;
const MASKED = 0x80;
const LENGTH_16 = 126;
const KEY = 4;

export const BINARY = 2;
export const CLOSE = 8;

/** The frame that begins at `at`, null when it is not whole; payloads below 64 KiB only. */
export function readFrame(view: Buffer, at: number): Frame | null {
  if (view.length - at < 2) return null;
  const masked = (view[at + 1] & MASKED) !== 0;
  let length = view[at + 1] & 0x7f;
  let start = at + 2;
  if (length === LENGTH_16) {
    if (view.length - start < 2) return null;
    length = view.readUInt16BE(start);
    start += 2;
  }
  const key = masked ? view.subarray(start, start + KEY) : null;
  if (masked) start += KEY;
  const end = start + length;
  return end > view.length ? null : { opcode: view[at] & 0x0f, key, start, end };
}

/** A whole message as one frame; clients must mask theirs. */
export function writeFrame(opcode: number, payload: Uint8Array, key: Uint8Array | null): Buffer {
  const long = payload.length >= LENGTH_16;
  const start = (long ? 4 : 2) + (key === null ? 0 : KEY);
  const frame = Buffer.allocUnsafe(start + payload.length);
  frame[0] = FINAL | opcode;
  frame[1] = (key === null ? 0 : MASKED) | (long ? LENGTH_16 : payload.length);
  if (long) frame.writeUInt16BE(payload.length, 2);
  frame.set(payload, start);
  if (key !== null) {
    frame.set(key, start - KEY);
    mask(frame, start, key);
  }
  return frame;
}

/** Masks, or unmasks, the bytes from `start`. */
export function mask(view: Uint8Array, start: number, key: Uint8Array): void {
  for (let i = start; i < view.length; i++) view[i] ^= key[(i - start) & 3];
}
