import { type Balancer, type Candidate, usable } from "./balancer.ts";

/**
 * Smooth weighted round robin: each pick adds every candidate's weight to its score, takes the highest
 * and subtracts the total, so that shares are exact over one cycle and spread out within it. Equal
 * weights take the cheap path of a plain rotation.
 */
export class RoundRobin<T extends Candidate> implements Balancer<T> {
  #candidates: readonly T[] = [];
  #scores = new Map<T, number>();
  #equal = true;
  #next: number;

  /** @param start position of the first pick, so that workers do not all begin with one endpoint */
  constructor(start = 0) {
    this.#next = start;
  }

  update(candidates: readonly T[]): void {
    const all = usable(candidates);
    const scores = new Map<T, number>();
    for (const candidate of all) scores.set(candidate, this.#scores.get(candidate) ?? 0);
    this.#candidates = all;
    this.#scores = scores;
    this.#equal = all.every(({ weight }) => weight === all[0].weight);
  }

  pick(excluded: T | null): T | null {
    const { length } = this.#candidates;
    if (length === 0) return null;
    const first = this.#equal ? this.#rotate(length) : this.#smooth();
    if (first !== excluded || length === 1) return first;
    return this.#equal ? this.#rotate(length) : this.#smooth(excluded);
  }

  #rotate(length: number): T {
    const index = this.#next % length;
    this.#next = index + 1;
    return this.#candidates[index];
  }

  /** @param excluded left out, so that the others share its turn by their weights */
  #smooth(excluded: T | null = null): T {
    let best: T | null = null;
    let bestScore = -Infinity;
    let total = 0;
    for (const candidate of this.#candidates) {
      if (candidate === excluded) continue;
      total += candidate.weight;
      const score = this.#scores.get(candidate)! + candidate.weight;
      this.#scores.set(candidate, score);
      if (score > bestScore) {
        best = candidate;
        bestScore = score;
      }
    }
    this.#scores.set(best!, bestScore - total);
    return best!;
  }
}
