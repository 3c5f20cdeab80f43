import { type Balancer, type Candidate, usable } from "./balancer.ts";

/** The candidate with the fewest requests for its weight; equal ones in turn. */
export class LeastConnections<T extends Candidate> implements Balancer<T> {
  #candidates: readonly T[] = [];
  #next: number;

  /** @param start position of the first pick, so that workers do not all begin with one endpoint */
  constructor(start = 0) {
    this.#next = start;
  }

  update(candidates: readonly T[]): void {
    this.#candidates = usable(candidates);
  }

  pick(excluded: T | null): T | null {
    const { length } = this.#candidates;
    if (length === 0) return null;
    let best: T | null = null;
    let least = Infinity;
    for (let i = 0; i < length; i++) {
      const candidate = this.#candidates[(this.#next + i) % length];
      if (candidate === excluded && length > 1) continue;
      const busy = candidate.load.active / candidate.weight;
      if (busy < least) {
        best = candidate;
        least = busy;
      }
    }
    this.#next = (this.#next + 1) % length;
    return best;
  }
}
