/** What checks have found so far. */
export type Verdict = "unknown" | "healthy" | "unhealthy";

/**
 * Turns results of checks into a verdict: the first result counts at once, later changes take as many
 * equal results in a row as their threshold says.
 */
export class Thresholds {
  readonly #healthy: number;
  readonly #unhealthy: number;
  #verdict: Verdict = "unknown";
  #against = 0;

  constructor(healthy: number, unhealthy: number) {
    this.#healthy = healthy;
    this.#unhealthy = unhealthy;
  }

  get verdict(): Verdict {
    return this.#verdict;
  }

  /** Takes in a result; true when the verdict changed. */
  add(good: boolean): boolean {
    const found = good ? "healthy" : "unhealthy";
    if (this.#verdict === found) {
      this.#against = 0;
      return false;
    }
    const needed = this.#verdict === "unknown" ? 1 : good ? this.#healthy : this.#unhealthy;
    if (++this.#against < needed) return false;
    this.#verdict = found;
    this.#against = 0;
    return true;
  }
}
