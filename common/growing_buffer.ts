import { Buffer } from "node:buffer";

/**
 * Bytes of an incomplete message in one piece. Appending costs amortized constant time per byte,
 * however finely the peer cuts its bytes: memory grows to twice its size when it is full.
 */
export class GrowingBuffer {
  #memory: Buffer;
  #length: number;

  /** Keeps a copy of `view` from `at`, in memory of exactly that size: few messages need more. */
  constructor(view: Uint8Array, at = 0) {
    this.#memory = Buffer.from(view.subarray(at));
    this.#length = this.#memory.length;
  }

  /** Bytes kept. */
  get length(): number {
    return this.#length;
  }

  /** All bytes kept. The view stays valid: bytes are only added behind it. */
  get bytes(): Buffer {
    return this.#memory.subarray(0, this.#length);
  }

  /** Adds a copy of `view` behind the bytes kept. */
  append(view: Uint8Array): void {
    const length = this.#length + view.length;
    if (length > this.#memory.length) {
      const grown = Buffer.allocUnsafe(Math.max(length, 2 * this.#memory.length));
      grown.set(this.bytes);
      this.#memory = grown;
    }
    this.#memory.set(view, this.#length);
    this.#length = length;
  }
}
