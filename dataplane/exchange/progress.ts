import { LIMIT } from "../config/defaults.ts";

/** Bytes that must move in one window of `LIMIT.bodyProgress`. */
const LEAST = LIMIT.leastRate * LIMIT.bodyProgress / 1_000;

/**
 * Whether a body moves: some byte within `bodyProgress`, and over each such window the least rate. A client
 * that gives or takes a byte now and then would otherwise hold what its request holds for ever.
 */
export class Progress {
  #windowEnd = 0;
  #last = 0;
  #bytes = 0;

  /** Begins to watch; returns the deadline, in ticker time. */
  begin(now: number): number {
    this.#windowEnd = now + LIMIT.bodyProgress;
    this.#last = now;
    this.#bytes = 0;
    return this.#windowEnd;
  }

  /** Counts bytes that have moved; returns the deadline. */
  add(now: number, bytes: number): number {
    this.#bytes += bytes;
    this.#last = now;
    return Math.min(this.#windowEnd, now + LIMIT.bodyProgress);
  }

  /** Returns the next deadline where one that has passed need not end anything, else null. */
  next(now: number): number | null {
    const slow = this.#bytes < LEAST || now - this.#last >= LIMIT.bodyProgress;
    if (now < this.#windowEnd || slow) return null;
    const last = this.#last;
    this.begin(now);
    return last + LIMIT.bodyProgress;
  }
}
