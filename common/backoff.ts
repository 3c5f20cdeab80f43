/** Limits of a growing delay, in milliseconds. */
export interface BackoffOptions {
  readonly initial: number;
  readonly maximum: number;
  /** Random number in [0, 1). */
  readonly random: () => number;
}

/**
 * Delays that double up to a maximum, each drawn from its upper half so that many clients do not come
 * back in step.
 */
export class Backoff {
  #next: number;
  readonly #options: BackoffOptions;

  constructor(options: BackoffOptions) {
    this.#options = options;
    this.#next = options.initial;
  }

  /** The next delay in milliseconds. */
  next(): number {
    const ceiling = this.#next;
    this.#next = Math.min(ceiling * 2, this.#options.maximum);
    return ceiling / 2 + this.#options.random() * ceiling / 2;
  }

  reset(): void {
    this.#next = this.#options.initial;
  }
}

/** Waits, or returns early when the signal is aborted. */
export function delay(milliseconds: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal.addEventListener("abort", done);
  });
}
