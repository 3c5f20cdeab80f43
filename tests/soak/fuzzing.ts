import { CollectedFaults } from "../support/faults.ts";

/** What a fuzzer of a parser found. */
export interface Fuzzed {
  readonly summary: string;
  readonly failures: readonly string[];
}

/** Milliseconds that an input may take. */
const BUDGET = 50;
/** Measurements of an input that took longest so far: the least of them is not the scheduler's. */
const TRIES = 5;
/** Milliseconds of inputs before the first that counts: what the engine compiles is no cost of an input. */
const WARM_UP = 2_000;
/** Characters of an input that a report shows. */
const SHOWN = 2_000;

/** A run of inputs for some time: counts them, and keeps what threw and what took longest. */
export class Fuzzing implements Disposable {
  #inputs = 0;
  #worstMilliseconds = 0;
  #worst = "";
  readonly #deaths: string[] = [];
  readonly #faults = new CollectedFaults();
  readonly #begin = performance.now();
  readonly #milliseconds: number;

  /** @param milliseconds for which it goes on, beside warming up */
  constructor(milliseconds: number) {
    this.#milliseconds = milliseconds;
  }

  get #elapsed(): number {
    return performance.now() - this.#begin;
  }

  get goesOn(): boolean {
    return this.#elapsed < WARM_UP + this.#milliseconds;
  }

  /**
   * Tries one input.
   * @param input printed in reports
   * @param cost runs it and returns its milliseconds; called again where they are many
   */
  run(input: () => string, cost: () => number): void {
    try {
      let took = cost();
      if (this.#elapsed < WARM_UP) return;
      for (let i = 1; i < TRIES && took > this.#worstMilliseconds; i++) {
        took = Math.min(took, cost());
      }
      if (took > this.#worstMilliseconds) [this.#worstMilliseconds, this.#worst] = [took, input()];
    } catch (error) {
      this.#died(error, input());
    } finally {
      this.#inputs++;
      for (const message of this.#faults.messages.splice(0)) this.#died(message, input());
    }
  }

  #died(error: unknown, input: string): void {
    const what = error instanceof Error ? error.stack : String(error);
    this.#deaths.push(`${what}: ${JSON.stringify(input.slice(0, SHOWN))}`);
  }

  /** @param what the inputs are */
  found(what: string): Fuzzed {
    const worst = `${this.#worstMilliseconds.toFixed(1)} ms`;
    const slow = `an input took ${worst}, more than ${BUDGET} ms: ${
      JSON.stringify(this.#worst.slice(0, SHOWN))
    }`;
    return {
      summary: `${this.#inputs} ${what}, at most ${worst}`,
      failures: this.#worstMilliseconds > BUDGET ? [...this.#deaths, slow] : this.#deaths,
    };
  }

  [Symbol.dispose](): void {
    this.#faults[Symbol.dispose]();
  }
}
