/** Milliseconds a peer may be away before it is worth a warning: starts and restarts are not. */
const GRACE = 2_000;

/** Says once per outage, and again when its reason changes, that a peer cannot be reached. */
export class OutageLog {
  readonly #warn: (reason: string) => void;
  readonly #now: () => number;
  #since = -1;
  #said = "";

  /** @param now monotonic time in milliseconds */
  constructor(warn: (reason: string) => void, now: () => number) {
    this.#warn = warn;
    this.#now = now;
  }

  /** A try failed. */
  failed(reason: string): void {
    if (this.#since < 0) this.#since = this.#now();
    if (reason === this.#said || this.#now() - this.#since < GRACE) return;
    this.#said = reason;
    this.#warn(reason);
  }

  /** The peer is there. */
  ended(): void {
    this.#since = -1;
    this.#said = "";
  }
}
