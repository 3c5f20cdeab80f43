import { type Balancer, type Candidate, usable } from "./balancer.ts";
import { WeightedSample } from "./weighted_sample.ts";

/** What the two candidates are compared by; the smaller is picked. */
export type Measure = (candidate: Candidate, now: number) => number;

/** Requests at the moment, for its weight. */
export const byActive: Measure = ({ load, weight }) => (load.active + 1) / weight;

/** Expected time until one more request would be answered, for its weight. */
export const byCost: Measure = ({ load, weight }, now) => load.cost(now) / weight;

/**
 * The better of two random candidates (Mitzenmacher, "The Power of Two Choices in Randomized Load
 * Balancing", 2001): nearly as even as asking all, without everybody running to the same one.
 */
export class TwoChoices<T extends Candidate> implements Balancer<T> {
  readonly #random: () => number;
  readonly #measure: Measure;
  #candidates: readonly T[] = [];
  #sample: WeightedSample;

  /** @param random a number in [0, 1) */
  constructor(measure: Measure, random: () => number) {
    this.#measure = measure;
    this.#random = random;
    this.#sample = new WeightedSample([], random);
  }

  update(candidates: readonly T[]): void {
    this.#candidates = usable(candidates);
    const weights = this.#candidates.map(({ weight }) => weight);
    this.#sample = new WeightedSample(weights, this.#random);
  }

  pick(excluded: T | null, _key: number, now: number): T | null {
    const first = this.#sample.draw();
    if (first < 0) return null;
    const second = this.#sample.drawOther(first);
    const a = this.#candidates[first];
    const b = this.#candidates[second];
    if (a === excluded || a === b) return b;
    if (b === excluded) return a;
    return this.#measure(b, now) < this.#measure(a, now) ? b : a;
  }
}
