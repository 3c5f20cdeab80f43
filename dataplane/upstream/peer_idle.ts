/** Shorter times are those of a backend that ends, or closes behind each response. */
const SHORTEST = 500;
/** Two closings count as the same time when they differ by this factor at most. */
const ALIKE = 1.25;
/** Milliseconds between two closings: a backend that ends closes all its connections together. */
const APART = 1_000;
/** Share of the time after which a connection is not used again. */
const MARGIN = 0.7;
/** Milliseconds that a time is remembered: backends change. */
const REMEMBERED = 600_000;

/**
 * After which time a backend closes idle connections, learned from those that it closed. A request that is sent
 * while the backend closes is lost, and not all may be sent again.
 */
export class PeerIdle {
  #candidate = 0;
  #seen = -Infinity;
  #limit = Infinity;
  #until = -Infinity;

  /**
   * The backend closed an idle connection.
   * @param now milliseconds
   * @param idle milliseconds that it was idle
   */
  closed(now: number, idle: number): void {
    if (idle < SHORTEST || now - this.#seen < APART) return;
    const [less, more] = [Math.min(idle, this.#candidate), Math.max(idle, this.#candidate)];
    if (more <= less * ALIKE) {
      this.#limit = less * MARGIN;
      this.#until = now + REMEMBERED;
    }
    this.#candidate = idle;
    this.#seen = now;
  }

  /** Milliseconds that a connection may be idle and used again; Infinity while nothing is known. */
  limit(now: number): number {
    return now < this.#until ? this.#limit : Infinity;
  }
}
