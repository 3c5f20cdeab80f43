import type { Breaker as BreakerMessage } from "../../proto/gen/novaedge/v1/config.ts";
import { type EndpointTable, TIME, WORD } from "./endpoint_table.ts";

/** States of a breaker in its slot. */
export const enum BreakerState {
  Closed = 0,
  /** Nothing is sent until its time is over. */
  Open = 1,
  /** One request is on trial; others wait for what becomes of it. */
  HalfOpen = 2,
}

/** An open breaker's time is doubled this often at most. */
const MOST_DOUBLINGS = 5;

/**
 * The breaker of an endpoint or backend (Nygard, "Release It!"): after too many failures nothing is sent
 * for a time, then one request is; its success closes the breaker, its failure opens it for longer.
 */
export class Breaker {
  readonly #table: EndpointTable;
  readonly #settings: BreakerMessage;

  constructor(table: EndpointTable, settings: BreakerMessage) {
    this.#table = table;
    this.#settings = settings;
  }

  /** When something may be sent there: at once, or at a time. */
  opensAt(slot: number): number {
    return this.#table.get(slot, WORD.breaker) === BreakerState.Closed
      ? 0
      : this.#table.time(slot, TIME.breakerUntil);
  }

  /** Whether this request may be sent; of those that come when the time is over, one. */
  admit(slot: number, now: number): boolean {
    const table = this.#table;
    const state = table.get(slot, WORD.breaker);
    if (state === BreakerState.Closed) return true;
    const until = table.time(slot, TIME.breakerUntil);
    if (now < until) return false;
    if (state === BreakerState.Open) {
      if (!table.swap(slot, WORD.breaker, BreakerState.Open, BreakerState.HalfOpen)) return false;
    }
    // Nobody may ever hear of the trial: after the same time another is made.
    table.setTime(slot, TIME.breakerUntil, now + this.#settings.openMs);
    table.changed();
    return true;
  }

  /** Takes in the end of a request; true when the breaker opened. */
  report(slot: number, failed: boolean, now: number): boolean {
    const table = this.#table;
    const state = table.get(slot, WORD.breaker);
    if (state === BreakerState.Open) return false;
    if (state === BreakerState.HalfOpen) {
      if (failed) return this.#open(slot, BreakerState.HalfOpen, now);
      this.#close(slot, now);
      return false;
    }
    const { consecutive, ratePercent, minimumRequests, intervalMs } = this.#settings;
    if (now - table.time(slot, TIME.breakerWindow) > intervalMs) {
      table.setTime(slot, TIME.breakerWindow, now);
      table.set(slot, WORD.breakerRequests, 0);
      table.set(slot, WORD.breakerFailures, 0);
    }
    const requests = table.add(slot, WORD.breakerRequests, 1);
    if (!failed) {
      table.set(slot, WORD.breakerConsecutive, 0);
      return false;
    }
    const failures = table.add(slot, WORD.breakerFailures, 1);
    const inRow = table.add(slot, WORD.breakerConsecutive, 1);
    const tooMany = consecutive > 0 && inRow >= consecutive;
    const tooLarge = ratePercent > 0 && requests >= minimumRequests &&
      failures * 100 >= ratePercent * requests;
    return (tooMany || tooLarge) && this.#open(slot, BreakerState.Closed, now);
  }

  #open(slot: number, from: BreakerState, now: number): boolean {
    const table = this.#table;
    const opens = table.get(slot, WORD.breakerOpens);
    const time = this.#settings.openMs * 2 ** Math.min(opens, MOST_DOUBLINGS);
    table.setTime(slot, TIME.breakerUntil, now + time);
    if (!table.swap(slot, WORD.breaker, from, BreakerState.Open)) return false;
    table.set(slot, WORD.breakerOpens, opens + 1);
    table.changed();
    return true;
  }

  #close(slot: number, now: number): void {
    const table = this.#table;
    for (const word of [WORD.breakerConsecutive, WORD.breakerRequests, WORD.breakerFailures]) {
      table.set(slot, word, 0);
    }
    table.set(slot, WORD.breakerOpens, 0);
    table.setTime(slot, TIME.breakerWindow, now);
    table.set(slot, WORD.breaker, BreakerState.Closed);
    table.changed();
  }
}
