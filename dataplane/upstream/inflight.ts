const WORDS = 2;

/** What of a backend is counted at once. */
export const INFLIGHT = { requests: 0, retries: 1 } as const;

/** Bytes of shared memory for the counts of some workers. */
export function inflightSize(workers: number, slots: number): number {
  return workers * slots * WORDS * 4;
}

/**
 * Requests in progress by backend. Each worker writes its own counts, so that nothing of a dead one stays;
 * limits look at the sum.
 */
export class Inflight {
  readonly #counts: Int32Array;
  readonly #own: number;
  readonly #workers: number;
  readonly #stride: number;

  constructor(shared: SharedArrayBuffer, worker: number, workers: number) {
    this.#counts = new Int32Array(shared);
    this.#workers = workers;
    this.#stride = this.#counts.length / workers;
    this.#own = worker * this.#stride;
  }

  /** Counts one more unless there are `most` already. */
  begin(slot: number, word: number, most: number): boolean {
    const at = slot * WORDS + word;
    let total = 0;
    for (let i = 0; i < this.#workers; i++) {
      total += Atomics.load(this.#counts, i * this.#stride + at);
    }
    if (total >= most) return false;
    Atomics.add(this.#counts, this.#own + at, 1);
    return true;
  }

  end(slot: number, word: number): void {
    Atomics.sub(this.#counts, this.#own + slot * WORDS + word, 1);
  }

  /** The worker is gone. */
  clear(): void {
    this.#counts.fill(0, this.#own, this.#own + this.#stride);
  }
}
