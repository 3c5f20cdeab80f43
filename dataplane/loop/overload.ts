import { LIMIT } from "../config/defaults.ts";

/** Share of the heap limit above which new requests are refused. */
const SHED_AT = 0.85;
/** Share below which they are taken again. */
const RESUME_AT = 0.75;

/**
 * What one worker keeps in memory for slow peers, and whether it takes new requests. Memory that is
 * nearly used up is defended by refusing new work, never by ending connections at random.
 */
export class Overload {
  /** Bytes queued for peers that do not take them. */
  buffered = 0;
  #memoryHigh = false;
  #buffersHigh = false;

  /** Whether new requests must be answered with 503. */
  get shedding(): boolean {
    return this.#memoryHigh || this.#buffersHigh;
  }

  /** Whether another `bytes` may be queued. */
  admits(bytes: number): boolean {
    return this.buffered + bytes <= LIMIT.bufferedBytes;
  }

  /**
   * Takes a look at memory.
   * @param used bytes of heap in use
   * @param limit bytes the heap may have
   */
  observe(used: number, limit: number): void {
    this.#memoryHigh = used > limit * (this.#memoryHigh ? RESUME_AT : SHED_AT);
    this.#buffersHigh = this.buffered >
      LIMIT.bufferedBytes * (this.#buffersHigh ? RESUME_AT : SHED_AT);
  }
}
