/** Something a balancer may choose. */
export interface Candidate {
  readonly weight: number;
}

/** Picks among eligible candidates; knows nothing of health, limits or sockets. */
export interface Balancer<T extends Candidate> {
  /** Replaces the candidates. */
  update(candidates: readonly T[]): void;
  /** The next candidate that is not `excluded` where there is another; null without candidates. */
  pick(excluded: T | null): T | null;
}
