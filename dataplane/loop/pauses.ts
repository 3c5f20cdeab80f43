/**
 * Lets a thread be idle for a moment between pieces of work that could go on without end. The runtime (2.9.3) looks at
 * its sockets when it has nothing else to do, or after 61 rounds: two pieces of work with a timer each always
 * found the other's timer due, and a small response waited for 250 ms. They therefore share one.
 */
export class Pauses {
  readonly #schedule: (run: () => void) => void;
  readonly #due: (() => void)[] = [];
  readonly #turn = () => this.#next();

  /** @param schedule runs a function after a pause */
  constructor(schedule: (run: () => void) => void) {
    this.#schedule = schedule;
  }

  /** Runs something behind a pause of its own, after what was asked for before. */
  after(run: () => void): void {
    if (this.#due.push(run) === 1) this.#schedule(this.#turn);
  }

  #next(): void {
    try {
      this.#due[0]();
    } finally {
      this.#due.shift();
      if (this.#due.length > 0) this.#schedule(this.#turn);
    }
  }
}
