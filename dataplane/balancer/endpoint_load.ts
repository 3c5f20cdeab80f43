import type { Load } from "./balancer.ts";

/** Milliseconds after which a measured time counts a third. */
const DECAY = 10_000;
/** Milliseconds that a failure counts as at least: failing fast must not look like serving fast. */
const FAILURE = 1_000;
/** Cost of an endpoint of which nothing is known yet but that it has a request. */
const UNKNOWN = 1_000;

/**
 * The load of one endpoint as its worker sees it. The time of an answer is a peak-sensitive moving
 * average: a slower answer counts at once, faster ones only as the old value decays (Finagle's peak EWMA).
 */
export class EndpointLoad implements Load {
  active = 0;
  #average = 0;
  #at = 0;

  begin(): void {
    this.active++;
  }

  /** A request is over. */
  leave(): void {
    this.active--;
  }

  /**
   * An answer began, or will not come.
   * @param now milliseconds of the same clock for all calls
   * @param milliseconds that it took
   */
  observe(now: number, milliseconds: number, failed: boolean): void {
    const time = failed && milliseconds < FAILURE ? FAILURE : milliseconds;
    const kept = Math.exp((this.#at - now) / DECAY);
    const average = this.#average * kept + time * (1 - kept);
    this.#average = time > this.#average ? time : average;
    this.#at = now;
  }

  /**
   * Somebody stopped waiting for an answer: it would have taken longer still.
   * @param milliseconds of waiting
   */
  waited(now: number, milliseconds: number): void {
    if (milliseconds > this.#decayed(now)) this.observe(now, milliseconds, false);
  }

  cost(now: number): number {
    const average = this.#decayed(now);
    if (average === 0 && this.active > 0) return UNKNOWN * this.active;
    return average * (this.active + 1);
  }

  /** The average as it would be had nothing happened since; what is quiet for long is tried again. */
  #decayed(now: number): number {
    return this.#average * Math.exp((this.#at - now) / DECAY);
  }
}
