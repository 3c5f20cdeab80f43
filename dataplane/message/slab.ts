import { Buffer } from "node:buffer";

/** Bytes of one slab: large enough that most heads share one, small enough that a retained one is cheap. */
const SLAB_SIZE = 64 * 1024;

let slab = Buffer.allocUnsafeSlow(SLAB_SIZE);
let used = 0;
let start = 0;

/**
 * Gives a buffer with room for `size` bytes from `reservedAt()` on. The caller writes, then calls
 * `commit` with the position behind what it wrote, before anything else asks for memory. Memory is never
 * handed out twice: what was committed may stay in a socket's queue for as long as it takes.
 */
export function reserve(size: number): Buffer {
  if (size > SLAB_SIZE / 2) {
    start = 0;
    return Buffer.allocUnsafeSlow(size);
  }
  if (SLAB_SIZE - used < size) {
    slab = Buffer.allocUnsafeSlow(SLAB_SIZE);
    used = 0;
  }
  start = used;
  return slab;
}

/** Where the room begins that `reserve` gave. */
export function reservedAt(): number {
  return start;
}

/** Keeps what was written into the room that `reserve` gave, up to `end`, and returns exactly that. */
export function commit(buffer: Buffer, end: number): Buffer {
  if (buffer === slab) used = end;
  return buffer.subarray(start, end);
}
