/** Milliseconds without a request after which a worker counts as idle. */
const QUIET = 3_000;
/** Bytes that the heap must have grown since the last collection: less is not worth the pause. */
const WORTH = 8 * 1024 * 1024;

/**
 * Says when an idle worker should collect its garbage. The runtime does so only when memory is asked
 * for, and an idle worker asks for none: what a burst of handshakes left would stay for hours.
 */
export class IdleCollector {
  #requests = -1;
  #quietSince = 0;
  #heapAfter = 0;

  /**
   * Whether to collect now.
   * @param requests answered so far
   * @param heap bytes of heap in use
   * @param now milliseconds
   */
  due(requests: number, heap: number, now: number): boolean {
    if (requests !== this.#requests) {
      this.#requests = requests;
      this.#quietSince = now;
      return false;
    }
    return now - this.#quietSince >= QUIET && heap - this.#heapAfter >= WORTH;
  }

  /** Takes note of what a collection left. */
  collected(heap: number): void {
    this.#heapAfter = heap;
  }
}
