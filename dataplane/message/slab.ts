import { Buffer } from "node:buffer";

/** Bytes of one slab: large enough that most heads share one, small enough that a retained one is cheap. */
const SLAB_SIZE = 64 * 1024;

let slab = Buffer.allocUnsafeSlow(SLAB_SIZE);
let used = 0;
let shared = true;

/**
 * Gives a buffer of at least `size` bytes to write into. The caller writes, then calls `commit` with
 * the length it used before anything else asks for memory. Memory is never handed out twice: what was
 * committed may stay in a socket's queue for as long as it takes.
 */
export function reserve(size: number): Buffer {
  if (size > SLAB_SIZE / 2) {
    shared = false;
    return Buffer.allocUnsafeSlow(size);
  }
  shared = true;
  if (SLAB_SIZE - used < size) {
    slab = Buffer.allocUnsafeSlow(SLAB_SIZE);
    used = 0;
  }
  return slab.subarray(used, used + size);
}

/** Keeps the first `length` bytes of what `reserve` gave and returns exactly those. */
export function commit(buffer: Buffer, length: number): Buffer {
  if (shared) used += length;
  return buffer.subarray(0, length);
}
