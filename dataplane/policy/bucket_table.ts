import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";

/** Buckets that share a lock and may take each other's place. */
const WAYS = 16;
/** Bytes of one bucket: when it is full again (8), policy (4), length of the key (4), the key (48). */
const SLOT = 64;
const KEY_WORDS = 12;
const KEY_BYTES = KEY_WORDS * 4;
/** Length that stands for a key that is kept as its digest. */
const DIGEST = 255;
/** Tries to take a lock before its holder is given time. */
const SPINS = 200;
/** Milliseconds to wait for a holder that the system has put to sleep. */
const NAP = 1;
/** Bytes before the locks: the seed of the hash. */
const HEADER = 8;

/** What a bucket said. */
export interface Taken {
  /** Milliseconds until a token is there; 0 when one was taken. */
  wait: number;
  /** Milliseconds until the bucket is full again. */
  full: number;
}

/** Bytes of shared memory for a table of at least `keys` buckets. */
export function bucketTableSize(keys: number): number {
  const sets = setsOf(keys);
  return HEADER + sets * 4 + padding(sets) + sets * WAYS * SLOT;
}

function setsOf(keys: number): number {
  let sets = 1;
  while (sets * WAYS < keys) sets *= 2;
  return sets;
}

/** Slots begin at a multiple of 8. */
function padding(sets: number): number {
  return (8 - ((HEADER + sets * 4) % 8)) % 8;
}

/**
 * Token buckets that all workers share: a table of fixed size with exact keys. A bucket is the time at
 * which it is full again (the generic cell rate algorithm, ITU-T I.371), so it needs no refilling and a
 * full bucket is the same as none. Where a set is full, the bucket that is nearest to being full gives
 * its place: no other loses less.
 */
export class BucketTable {
  readonly #owner: number;
  readonly #sets: number;
  readonly #seed: number;
  readonly #locks: Int32Array;
  readonly #words: Int32Array;
  readonly #times: Float64Array;
  readonly #key = new Int32Array(KEY_WORDS);
  readonly #keyBytes = new Uint8Array(this.#key.buffer);
  readonly #taken: Taken = { wait: 0, full: 0 };
  /** Buckets that were not full when they lost their place. */
  evicted = 0;

  /**
   * @param shared memory of `bucketTableSize`, zeros at first but for the seed
   * @param owner number that no other thread has, above 0
   */
  constructor(shared: SharedArrayBuffer, owner: number, keys: number) {
    this.#owner = owner;
    this.#sets = setsOf(keys);
    this.#seed = new Int32Array(shared, 0, 1)[0];
    this.#locks = new Int32Array(shared, HEADER, this.#sets);
    const slots = HEADER + this.#sets * 4 + padding(this.#sets);
    this.#words = new Int32Array(shared, slots);
    this.#times = new Float64Array(shared, slots);
  }

  /**
   * Takes a token, if there is one.
   * @param policy whose bucket it is
   * @param now milliseconds of a clock that all workers share
   * @param interval milliseconds in which a token comes back
   * @param depth milliseconds in which an empty bucket becomes full
   * @returns the same object each time
   */
  take(policy: number, key: string, now: number, interval: number, depth: number): Taken {
    const length = this.#setKey(key);
    const set = this.#hash(policy, length) & (this.#sets - 1);
    this.#lock(set);
    const slot = this.#find(set, policy, length, now);
    const full = Math.max(this.#times[slot * (SLOT / 8)], now);
    const taken = this.#taken;
    // Rounding errors of sums of intervals must not cost a token.
    const wait = full + interval - now - depth;
    if (wait > interval * 1e-6) {
      taken.wait = wait;
      taken.full = full - now;
    } else {
      this.#times[slot * (SLOT / 8)] = full + interval;
      taken.wait = 0;
      taken.full = full + interval - now;
    }
    Atomics.store(this.#locks, set, 0);
    return taken;
  }

  /** Frees what a thread held when it died. */
  release(owner: number): void {
    for (let set = 0; set < this.#sets; set++) {
      Atomics.compareExchange(this.#locks, set, owner, 0);
    }
  }

  #lock(set: number): void {
    for (let spins = 0;;) {
      const holder = Atomics.compareExchange(this.#locks, set, 0, this.#owner);
      if (holder === 0) return;
      if (++spins % SPINS === 0) Atomics.wait(this.#locks, set, holder, NAP);
    }
  }

  /** The slot of the key, which becomes its own if it has none yet. */
  #find(set: number, policy: number, length: number, now: number): number {
    const first = set * WAYS;
    let place = first;
    let earliest = Infinity;
    for (let slot = first; slot < first + WAYS; slot++) {
      if (this.#holds(slot, policy, length)) return slot;
      const full = this.#times[slot * (SLOT / 8)];
      if (full < earliest) {
        earliest = full;
        place = slot;
      }
    }
    if (earliest > now) this.evicted++;
    const word = place * (SLOT / 4);
    this.#times[place * (SLOT / 8)] = 0;
    this.#words[word + 2] = policy;
    this.#words[word + 3] = length;
    this.#words.set(this.#key, word + 4);
    return place;
  }

  #holds(slot: number, policy: number, length: number): boolean {
    const word = slot * (SLOT / 4);
    const words = this.#words;
    if (words[word + 2] !== policy || words[word + 3] !== length) return false;
    for (let i = 0; i < KEY_WORDS; i++) if (words[word + 4 + i] !== this.#key[i]) return false;
    return true;
  }

  /** Brings a key into the form of a slot; returns what stands for its length. */
  #setKey(key: string): number {
    this.#key.fill(0);
    const bytes = this.#keyBytes;
    let plain = key.length <= KEY_BYTES;
    for (let i = 0; plain && i < key.length; i++) {
      const unit = key.charCodeAt(i);
      bytes[i] = unit;
      plain = unit < 256;
    }
    if (plain) return key.length;
    bytes.set(createHash("sha384").update(Buffer.from(key, "utf8")).digest());
    return DIGEST;
  }

  /** FNV-1a over words, with a seed that nobody outside knows and a final mix. */
  #hash(policy: number, length: number): number {
    let hash = this.#seed ^ Math.imul(policy, 0x9e3779b1) ^ length;
    for (let i = 0; i < KEY_WORDS; i++) hash = Math.imul(hash ^ this.#key[i], 0x01000193);
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    return (hash ^ (hash >>> 13)) >>> 0;
  }
}
