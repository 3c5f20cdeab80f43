import { LIMIT } from "../config/defaults.ts";

/** Share of the heap limit above which new requests are refused. */
const SHED_AT = 0.85;
/** Part of its own share that a client may fill while the buffers of all are high. */
const SMALL_SHARE = 1 / 16;
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

  /** Whether new requests are answered with 503, of some clients at least. */
  get shedding(): boolean {
    return this.#memoryHigh || this.#buffersHigh;
  }

  /**
   * Whether new requests of a client must be answered with 503. While buffers are high those go first who
   * fill them; others are served from the rest.
   * @param held bytes that are kept for the client
   */
  sheds(held: number): boolean {
    return this.#memoryHigh || held > SHED_AT * LIMIT.bufferedPerClient ||
      (this.#buffersHigh && held > LIMIT.bufferedPerClient * SMALL_SHARE);
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
