import { Buffer } from "node:buffer";

/** Bytes of memory for a body that does not come at once: what waits, and two more reads. */
const MEMORY = 192 * 1024;
/** Bodies up to this size get no more memory than they need. */
const SHORT = 16 * 1024;

/**
 * Bytes that wait for a compressor, in order, in memory that is used again: with new memory for each read, a
 * body of 30 MB leads to collections of 50 ms each.
 */
export class CompressionInput {
  /** Bytes that `take` returns at most. */
  readonly #step: number;
  #memory = Buffer.allocUnsafeSlow(0);
  #start = 0;
  #end = 0;
  /** Up to where may be written: what was taken last may be in use behind it. */
  #limit = 0;

  constructor(step: number) {
    this.#step = step;
  }

  /** Bytes that wait. */
  get length(): number {
    return this.#end - this.#start;
  }

  /** Takes a copy. */
  add(view: Uint8Array): void {
    if (this.#end + view.length > this.#limit) this.#makeRoom(view.length);
    this.#memory.set(view, this.#end);
    this.#end += view.length;
  }

  /** The next bytes, valid until the next are taken; null when none wait. */
  take(): Buffer | null {
    if (this.length === 0) return null;
    const from = this.#start;
    this.#limit = this.#memory.length;
    this.#start = Math.min(from + this.#step, this.#end);
    return this.#memory.subarray(from, this.#start);
  }

  /** Moves what waits to where there is room behind it. */
  #makeRoom(bytes: number): void {
    const { length } = this;
    const needed = length + bytes;
    // What was taken last stands right before what waits, unless that was moved meanwhile.
    const free = this.#limit === this.#memory.length ? this.#start - this.#step : 0;
    const again = needed <= free;
    const into = again
      ? this.#memory
      : Buffer.allocUnsafeSlow(needed <= SHORT ? needed : Math.max(MEMORY, needed));
    this.#limit = again ? free : into.length;
    into.set(this.#memory.subarray(this.#start, this.#end));
    this.#memory = into;
    this.#start = 0;
    this.#end = length;
  }
}
