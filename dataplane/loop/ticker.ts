import { contain, type Contained } from "./containment.ts";

/** Milliseconds between two looks at the deadlines: the accuracy of every timeout. */
export const TICK = 100;

/** Timeouts that one call ends at most: a worker's other work comes between a thousand requests that end together. */
export const ENDS = 32;

/** Something with a timeout. */
export interface Deadlined extends Contained {
  /** Ticker time in milliseconds; Infinity means none. Set freely, no call needed. */
  deadline: number;
  /** Position in the ticker's list; the ticker's own. */
  tickerSlot: number;
  onDeadline(): void;
}

/**
 * One coarse clock for all timeouts of a worker: setting a timeout is an assignment, and each tick
 * compares every deadline with the time (50 microseconds for 10,000 connections).
 */
export class Ticker {
  /** Milliseconds, advanced by `tick`. */
  now = 0;
  readonly #items: Deadlined[] = [];

  add(item: Deadlined): void {
    item.tickerSlot = this.#items.length;
    this.#items.push(item);
  }

  remove(item: Deadlined): void {
    const slot = item.tickerSlot;
    if (slot < 0) return;
    const last = this.#items.pop()!;
    if (last !== item) {
      this.#items[slot] = last;
      last.tickerSlot = slot;
    }
    item.tickerSlot = -1;
  }

  /** Moves the clock to `now` and ends what is overdue; returns whether more of it is left for the next call. */
  tick(now: number): boolean {
    this.now = now;
    let ended = 0;
    for (let i = this.#items.length - 1; i >= 0; i--) {
      const item = this.#items[i];
      if (item !== undefined && item.deadline <= now) {
        if (ended++ === ENDS) return true;
        item.deadline = Infinity;
        try {
          item.onDeadline();
        } catch (error) {
          contain(error, item);
        }
      }
    }
    return false;
  }
}
