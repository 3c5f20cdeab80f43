/** How busy a candidate is, as one worker sees it. */
export interface Load {
  /** Requests that it has at the moment. */
  readonly active: number;
  /** What one more request would cost: milliseconds an answer takes, times those who wait for one. */
  cost(now: number): number;
}

/** Something a balancer may choose. */
export interface Candidate {
  /** Tells candidates apart, the same in every worker and on every node. */
  readonly label: string;
  readonly weight: number;
  readonly load: Load;
}

/** Picks among eligible candidates; knows nothing of health, limits or sockets. */
export interface Balancer<T extends Candidate> {
  /** Replaces the candidates. */
  update(candidates: readonly T[]): void;
  /**
   * The next candidate that is not `excluded` where there is another; null without candidates.
   * @param key 32-bit hash of what ties requests together, for those that hash
   * @param now milliseconds of any monotonic clock, for those that look at loads
   */
  pick(excluded: T | null, key: number, now: number): T | null;
}

/** Whether a table made for some candidates holds for others, place by place. */
export function alike(some: readonly Candidate[], others: readonly Candidate[]): boolean {
  return some.length === others.length &&
    some.every(({ label, weight }, i) => {
      const other = others[i];
      return label === other.label && weight === other.weight;
    });
}

/** The candidates that may be picked at all, in an order that is the same in every worker. */
export function inOrder<T extends Candidate>(candidates: readonly T[]): T[] {
  return usable(candidates).sort((a, b) => a.label < b.label ? -1 : 1);
}

/** Candidates that may be picked at all. */
export function usable<T extends Candidate>(candidates: readonly T[]): T[] {
  return candidates.filter(({ weight }) => weight > 0);
}
