import { Buffer } from "node:buffer";

/** Pieces below this size share a block, once there are several. */
const SMALL = 2_048;
/** A message of few pieces costs no block. */
const FEW = 4;
const BLOCK = 8_192;

/**
 * Copies of bytes that must wait, in order. Small pieces are joined: kept bytes cost memory in proportion
 * to their number, however finely a peer cuts them.
 */
export class ByteQueue {
  #pieces: Buffer[] = [];
  /** The last piece, while small ones may still be joined to it, and how much of it is used. */
  #block: Buffer | null = null;
  #used = 0;
  #length = 0;

  /** Bytes kept. */
  get length(): number {
    return this.#length;
  }

  /** Takes a copy. */
  add(view: Uint8Array): void {
    this.#length += view.length;
    if (view.length >= SMALL || (this.#block === null && this.#pieces.length < FEW)) {
      this.#close();
      this.#pieces.push(Buffer.from(view));
      return;
    }
    if (this.#block !== null && this.#block.length - this.#used < view.length) this.#close();
    this.#block ??= Buffer.allocUnsafeSlow(BLOCK);
    this.#block.set(view, this.#used);
    this.#used += view.length;
  }

  /** The next piece, null when there is none. */
  take(): Buffer | null {
    if (this.#pieces.length === 0) this.#close();
    const piece = this.#pieces.shift() ?? null;
    if (piece !== null) this.#length -= piece.length;
    return piece;
  }

  /** All that is kept, in one piece; it stays. */
  all(): Buffer {
    this.#close();
    if (this.#pieces.length !== 1) this.#pieces = [Buffer.concat(this.#pieces)];
    return this.#pieces[0];
  }

  clear(): void {
    this.#pieces = [];
    this.#block = null;
    this.#used = 0;
    this.#length = 0;
  }

  /** Small pieces that were joined so far become one. */
  #close(): void {
    if (this.#block === null) return;
    // What is left of a block that was hardly used must not be kept with it.
    const bytes = this.#block.subarray(0, this.#used);
    this.#pieces.push(this.#used < BLOCK / 2 ? Buffer.from(bytes) : bytes);
    this.#block = null;
    this.#used = 0;
  }
}
