import type { Candidate } from "../../dataplane/balancer/balancer.ts";
import { EndpointLoad } from "../../dataplane/balancer/endpoint_load.ts";

/** A candidate for balancers' tests. */
export interface TestCandidate extends Candidate {
  readonly load: EndpointLoad;
}

/** Candidates "10.0.0.1:80", "10.0.0.2:80" and so on with these weights. */
export function candidates(weights: readonly number[]): TestCandidate[] {
  return weights.map((weight, i) => ({
    label: `10.0.${i >> 8}.${i & 255}:80`,
    weight,
    load: new EndpointLoad(),
  }));
}

/** Random numbers in [0, 1) that a seed determines (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * Pearson's statistic of counts against expected shares; with n - 1 degrees of freedom it stays below
 * `chiSquareBound` but once in a thousand times.
 */
export function chiSquare(counts: readonly number[], weights: readonly number[]): number {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const weight = weights.reduce((sum, value) => sum + value, 0);
  return counts.reduce((sum, count, i) => {
    const expected = total * weights[i] / weight;
    return expected === 0 ? sum : sum + (count - expected) ** 2 / expected;
  }, 0);
}

/** The 99.9 % quantile of the chi-square distribution (Wilson and Hilferty's approximation). */
export function chiSquareBound(degrees: number): number {
  const spread = 2 / (9 * degrees);
  return degrees * (1 - spread + 3.09 * Math.sqrt(spread)) ** 3;
}
