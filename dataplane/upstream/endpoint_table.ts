/** Bytes of one slot: 16 whole numbers and 8 times. */
const SLOT = 128;
const WORDS = SLOT / 4;
const TIMES = SLOT / 8;
/** Bytes before the slots: the version. */
const HEADER = 64;
const FIRST_TIME = 8;

/** Whole numbers of a slot. */
export const WORD = {
  /** What active checks found: see `Health`. */
  health: 0,
  /** Answers of 500 and above in a row, and answers of 502 to 504 or none. */
  consecutive5xx: 1,
  consecutiveGateway: 2,
  /** Times that the endpoint was taken out of late. */
  ejections: 3,
  /** Requests and successes of the interval. */
  requests: 4,
  successes: 5,
  /** See `Breaker`. */
  breaker: 6,
  breakerConsecutive: 7,
  breakerRequests: 8,
  breakerFailures: 9,
  /** Times that the breaker opened in a row. */
  breakerOpens: 10,
} as const;

/** Times of a slot, in milliseconds of the clock that all threads share. */
export const TIME = {
  /** When the endpoint came, or became healthy. */
  since: FIRST_TIME,
  ejectedUntil: FIRST_TIME + 1,
  breakerWindow: FIRST_TIME + 2,
  breakerUntil: FIRST_TIME + 3,
} as const;

export const enum Health {
  Unknown = 0,
  Good = 1,
  Bad = 2,
}

/** A slot of those for whom there was none left: nothing is known of them. */
export const NO_SLOT = -1;

/** Bytes of shared memory for the states of this many endpoints and backends. */
export function endpointTableSize(slots: number): number {
  return HEADER + slots * SLOT;
}

/**
 * What is known of endpoints and backends, shared by all threads: what one learns the next selection of
 * any other uses. Every change of who may be used raises the version.
 */
export class EndpointTable {
  readonly #words: Int32Array;
  readonly #times: Float64Array;
  readonly #version: Int32Array;

  constructor(shared: SharedArrayBuffer) {
    this.#version = new Int32Array(shared, 0, 1);
    this.#words = new Int32Array(shared, HEADER);
    this.#times = new Float64Array(shared, HEADER);
  }

  /** Slots that there are. */
  get slots(): number {
    return this.#words.length / WORDS;
  }

  get version(): number {
    return Atomics.load(this.#version, 0);
  }

  /** Somebody may be used who could not before, or the other way round. */
  changed(): void {
    Atomics.add(this.#version, 0, 1);
  }

  get(slot: number, word: number): number {
    return Atomics.load(this.#words, slot * WORDS + word);
  }

  set(slot: number, word: number, value: number): void {
    Atomics.store(this.#words, slot * WORDS + word, value);
  }

  /** Returns the number as it is then. */
  add(slot: number, word: number, value: number): number {
    return Atomics.add(this.#words, slot * WORDS + word, value) + value;
  }

  /** Replaces `from` by `to`; false when it was something else. */
  swap(slot: number, word: number, from: number, to: number): boolean {
    return Atomics.compareExchange(this.#words, slot * WORDS + word, from, to) === from;
  }

  time(slot: number, time: number): number {
    return this.#times[slot * TIMES + time];
  }

  setTime(slot: number, time: number, value: number): void {
    this.#times[slot * TIMES + time] = value;
  }

  /** A new endpoint takes the slot. */
  clear(slot: number, now: number): void {
    this.#words.fill(0, slot * WORDS, (slot + 1) * WORDS);
    this.setTime(slot, TIME.since, now);
  }
}
