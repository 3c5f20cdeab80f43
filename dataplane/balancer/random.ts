import { type Balancer, type Candidate, usable } from "./balancer.ts";
import { WeightedSample } from "./weighted_sample.ts";

/** Any candidate, in proportion to its weight. */
export class Random<T extends Candidate> implements Balancer<T> {
  readonly #random: () => number;
  #candidates: readonly T[] = [];
  #sample: WeightedSample;

  /** @param random a number in [0, 1) */
  constructor(random: () => number) {
    this.#random = random;
    this.#sample = new WeightedSample([], random);
  }

  update(candidates: readonly T[]): void {
    this.#candidates = usable(candidates);
    const weights = this.#candidates.map(({ weight }) => weight);
    this.#sample = new WeightedSample(weights, this.#random);
  }

  pick(excluded: T | null): T | null {
    const first = this.#sample.draw();
    if (first < 0) return null;
    return this.#candidates[first] === excluded
      ? this.#candidates[this.#sample.drawOther(first)]
      : this.#candidates[first];
  }
}
