/** Milliseconds of a pause. */
export const PAUSE = 1;
/** Milliseconds after which a pause that ends was none: the thread had something else to do, or had to wait for a core. */
const LATE = 2.5;
/** Pauses that may turn out to be none before the work goes on all the same. */
const TRIES = 3;

/** What a thread's runtime offers. */
export interface Timing {
  /** Runs a function after the events that are ready. */
  immediately(run: () => void): void;
  /** Runs a function after so many milliseconds. */
  after(milliseconds: number, run: () => void): void;
  /** Milliseconds, monotonic. */
  now(): number;
}

/**
 * Lets a thread be idle for a moment between pieces of work that could go on without end. The runtime (2.9.3) looks at
 * its sockets when it has nothing else to do, or after 61 rounds, and a timer that is due counts as something:
 * two pieces of work with a timer each always found the other's due, and a small response waited for 250 ms.
 * All therefore share one, which starts when what the last piece caused was handled.
 */
export class Pauses {
  readonly #timing: Timing;
  readonly #due: (() => void)[] = [];
  #tries = 0;
  #began = 0;
  readonly #settle = () => this.#timing.immediately(this.#begin);
  readonly #begin = () => {
    this.#began = this.#timing.now();
    this.#timing.after(PAUSE, this.#end);
  };
  readonly #end = () => {
    if (this.#timing.now() - this.#began > LATE && this.#tries-- > 0) this.#begin();
    else this.#next();
  };

  constructor(timing: Timing) {
    this.#timing = timing;
  }

  /** Runs something behind a pause of its own, after what was asked for before. */
  do(run: () => void): void {
    if (this.#due.push(run) === 1) this.#pause();
  }

  #pause(): void {
    this.#tries = TRIES;
    // What was written leaves with immediates; the first one of ours may come before theirs.
    this.#timing.immediately(this.#settle);
  }

  #next(): void {
    try {
      this.#due[0]();
    } finally {
      this.#due.shift();
      if (this.#due.length > 0) this.#pause();
    }
  }
}
