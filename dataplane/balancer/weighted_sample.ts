/** Draws positions in proportion to weights. */
export class WeightedSample {
  /** Sums of the weights up to and with each position. */
  readonly #sums: Float64Array;
  readonly #random: () => number;

  /**
   * @param weights above 0
   * @param random a number in [0, 1)
   */
  constructor(weights: readonly number[], random: () => number) {
    this.#sums = new Float64Array(weights.length);
    let sum = 0;
    weights.forEach((weight, i) => this.#sums[i] = sum += weight);
    this.#random = random;
  }

  get size(): number {
    return this.#sums.length;
  }

  /** A position; -1 when there is none. */
  draw(): number {
    const sums = this.#sums;
    let high = sums.length - 1;
    if (high <= 0) return high;
    const point = this.#random() * sums[high];
    let low = 0;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sums[middle] > point) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** Another position than `first`; `first` itself when it is the only one. */
  drawOther(first: number): number {
    const { size } = this;
    if (size < 2) return first;
    // Weights may be very uneven: a few draws keep the proportions, then any other will do.
    for (let tries = 0; tries < 4; tries++) {
      const other = this.draw();
      if (other !== first) return other;
    }
    const other = Math.floor(this.#random() * (size - 1));
    return other < first ? other : other + 1;
  }
}
