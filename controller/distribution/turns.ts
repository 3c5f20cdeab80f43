/** Lets a few begin at a time, in the order in which they came; who does not end in time makes room all the same. */
export class Turns<T> implements Disposable {
  readonly #most: number;
  readonly #patience: number;
  readonly #begin: (each: T) => void;
  readonly #waiting = new Set<T>();
  readonly #running = new Map<T, ReturnType<typeof setTimeout>>();

  /** @param patience milliseconds after which a turn is over in any case */
  constructor(most: number, patience: number, begin: (each: T) => void) {
    this.#most = most;
    this.#patience = patience;
    this.#begin = begin;
  }

  /** Begins now, or when it is its turn. */
  ask(each: T): void {
    this.#waiting.add(each);
    this.#next();
  }

  /** It has what it came for, or is gone. */
  done(each: T): void {
    this.#waiting.delete(each);
    clearTimeout(this.#running.get(each));
    if (this.#running.delete(each)) this.#next();
  }

  [Symbol.dispose](): void {
    this.#waiting.clear();
    for (const timer of this.#running.values()) clearTimeout(timer);
    this.#running.clear();
  }

  #next(): void {
    for (const each of this.#waiting) {
      if (this.#running.size >= this.#most) return;
      this.#waiting.delete(each);
      this.#running.set(each, setTimeout(() => this.done(each), this.#patience));
      this.#begin(each);
    }
  }
}
