import { Buffer } from "node:buffer";
import { text } from "./bytes.ts";

/** Longer texts are made anew each time: what repeats in traffic is short. */
const LONGEST = 256;
/** FNV-1a, as 32-bit steps. */
const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

interface Entry<T> {
  readonly bytes: Buffer;
  readonly value: T;
}

/**
 * What is made of texts that come again and again in requests (hosts, paths), found by their bytes: a hit
 * costs less than making the string and hashing it for the next lookup. Of fixed size: a text that falls
 * on the place of another replaces it when it comes for the second time, so that texts which never come
 * again cost no copy and push nothing out.
 */
export class TextCache<T> {
  readonly #entries: (Entry<T> | undefined)[];
  /** Hash of the text that last missed each place. */
  readonly #missed: Int32Array;
  readonly #mask: number;
  readonly #make: (text: string) => T;

  /**
   * @param bits the cache has 2 to the power of this many places
   * @param make what is kept for a text
   */
  constructor(bits: number, make: (text: string) => T) {
    this.#entries = new Array(1 << bits).fill(undefined);
    this.#missed = new Int32Array(1 << bits);
    this.#mask = (1 << bits) - 1;
    this.#make = make;
  }

  /** The value for bytes [start, end), read as Latin-1. */
  get(buffer: Buffer, start: number, end: number): T {
    const length = end - start;
    if (length > LONGEST) return this.#make(text(buffer, start, end));
    let hash = FNV_OFFSET;
    for (let i = start; i < end; i++) hash = Math.imul(hash ^ buffer[i], FNV_PRIME);
    const place = (hash ^ (hash >>> 16)) & this.#mask;
    const known = this.#entries[place];
    if (known !== undefined && equal(known.bytes, buffer, start, length)) return known.value;
    const value = this.#make(text(buffer, start, end));
    if (this.#missed[place] === hash) {
      this.#entries[place] = { bytes: Buffer.from(buffer.subarray(start, end)), value };
    } else this.#missed[place] = hash;
    return value;
  }
}

function equal(bytes: Buffer, buffer: Buffer, start: number, length: number): boolean {
  if (bytes.length !== length) return false;
  for (let i = 0; i < length; i++) if (bytes[i] !== buffer[start + i]) return false;
  return true;
}
