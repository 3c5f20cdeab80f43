import type { Flushable, TurnEnd } from "./turn_end.ts";

/**
 * A clock that is read once a turn: all that happens in a turn happens at the same time, for what is
 * written in it leaves at its end. Reading the runtime's clock twice for each request costs a hundredth
 * of it.
 */
export class TurnClock implements Flushable {
  flushDue = false;
  readonly #read: () => number;
  readonly #turnEnd: TurnEnd;
  #now = 0;

  /** @param read milliseconds, monotonic */
  constructor(read: () => number, turnEnd: TurnEnd) {
    this.#read = read;
    this.#turnEnd = turnEnd;
  }

  /** Milliseconds, with fractions. */
  now(): number {
    if (!this.flushDue) {
      this.#now = this.#read();
      this.#turnEnd.add(this);
    }
    return this.#now;
  }

  /** The turn is over; whoever asks next reads the clock again. */
  flush(): void {}

  onFault(): void {}
}
