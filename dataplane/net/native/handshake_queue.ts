import { contain, type Contained } from "../../loop/containment.ts";
import type { Poller, Watched } from "./poller.ts";

/** A handshake that can go on. */
export interface Step extends Contained {
  /** The queue's own mark. */
  queued: boolean;
  step(): void;
}

/**
 * Handshakes of one thread, in the order in which they can go on. One costs as much as twenty requests, so only a
 * few go on between two looks at the sockets, and those behind them in the next turns.
 */
export class HandshakeQueue implements Watched {
  readonly #poller: Poller;
  readonly #now: () => number;
  readonly #budget: number;
  #steps: Step[] = [];

  /**
   * @param now milliseconds, monotonic
   * @param budget milliseconds of one turn; one step is taken in any case
   */
  constructor(poller: Poller, now: () => number, budget: number) {
    this.#poller = poller;
    this.#now = now;
    this.#budget = budget;
  }

  add(step: Step): void {
    if (step.queued) return;
    step.queued = true;
    if (this.#steps.push(step) === 1) this.#poller.again(this);
  }

  /** For the poller: the turn's handshakes. */
  onEvents(): void {
    const until = this.#now() + this.#budget;
    let taken = 0;
    do {
      const step = this.#steps[taken++];
      step.queued = false;
      try {
        step.step();
      } catch (error) {
        contain(error, step);
      }
    } while (taken < this.#steps.length && this.#now() < until);
    this.#steps = this.#steps.slice(taken);
    if (this.#steps.length > 0) this.#poller.again(this);
  }

  onFault(): void {}
}
