/** Milliseconds over which requests and retries are compared. */
const WINDOW = 10_000;
/** Retries in a window that are always allowed: few requests make no storm. */
const ALWAYS = 10;

/**
 * Keeps retries to a share of the requests, so that a backend that fails under load is not given more of
 * it. Counts in two halves of a window, of which the older is forgotten.
 */
export class RetryBudget {
  readonly #share: number;
  #half = -1;
  readonly #requests = [0, 0];
  readonly #retries = [0, 0];

  /** @param share of the requests that may be retries, 0 to 1 */
  constructor(share: number) {
    this.#share = share;
  }

  request(now: number): void {
    this.#requests[this.#slot(now)]++;
  }

  /** Takes one retry out of the budget; false when it is used up. */
  take(now: number): boolean {
    const slot = this.#slot(now);
    const requests = this.#requests[0] + this.#requests[1];
    if (this.#retries[0] + this.#retries[1] >= ALWAYS + this.#share * requests) return false;
    this.#retries[slot]++;
    return true;
  }

  #slot(now: number): number {
    const half = Math.floor(now / (WINDOW / 2));
    if (half !== this.#half) {
      // After a pause neither half is of this window.
      if (half > this.#half + 1) this.#forget((half + 1) & 1);
      this.#forget(half & 1);
      this.#half = half;
    }
    return half & 1;
  }

  #forget(slot: number): void {
    this.#requests[slot] = 0;
    this.#retries[slot] = 0;
  }
}
