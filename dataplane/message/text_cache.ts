import type { Buffer } from "node:buffer";
import { text } from "./bytes.ts";

/** Longer texts are made anew each time: what repeats in traffic is short. */
const LONGEST = 256;
/** FNV-1a, as 32-bit steps. */
const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/**
 * What is made of texts that come again and again in requests (hosts, paths), found by their bytes: a hit
 * costs less than making the string and hashing it for the next lookup. Of fixed size; a text that
 * falls on the place of another replaces it. Texts are compared as strings, so that a hit touches as
 * little memory as possible: with thousands of hosts that is what a lookup costs.
 */
export class TextCache<T> {
  readonly #texts: (string | undefined)[];
  readonly #values: (T | undefined)[];
  readonly #mask: number;
  readonly #make: (text: string) => T;

  /**
   * @param bits the cache has 2 to the power of this many places
   * @param make what is kept for a text
   */
  constructor(bits: number, make: (text: string) => T) {
    this.#texts = new Array(1 << bits).fill(undefined);
    this.#values = new Array(1 << bits).fill(undefined);
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
    const known = this.#texts[place];
    if (known !== undefined && equal(known, buffer, start, length)) return this.#values[place]!;
    const made = text(buffer, start, end);
    this.#texts[place] = made;
    return this.#values[place] = this.#make(made);
  }
}

function equal(known: string, buffer: Buffer, start: number, length: number): boolean {
  if (known.length !== length) return false;
  for (let i = 0; i < length; i++) if (known.charCodeAt(i) !== buffer[start + i]) return false;
  return true;
}
