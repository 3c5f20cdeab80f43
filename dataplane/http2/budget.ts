/**
 * A leaky bucket for what a peer may cause but must not flood us with: each event costs, time pays
 * back. No clock of its own.
 */
export class Budget {
  readonly #capacity: number;
  readonly #perSecond: number;
  #left: number;
  #at: number;

  /**
   * @param capacity events at once
   * @param perSecond events paid back each second
   * @param now milliseconds
   */
  constructor(capacity: number, perSecond: number, now: number) {
    this.#capacity = capacity;
    this.#perSecond = perSecond;
    this.#left = capacity;
    this.#at = now;
  }

  /** Pays for events; false when there were too many. */
  spend(cost: number, now: number): boolean {
    if (now > this.#at) {
      this.#left = Math.min(
        this.#capacity,
        this.#left + (now - this.#at) * this.#perSecond / 1000,
      );
      this.#at = now;
    }
    this.#left -= cost;
    return this.#left >= 0;
  }

  /** Gives events back. */
  refund(events: number): void {
    this.#left = Math.min(this.#capacity, this.#left + events);
  }
}
