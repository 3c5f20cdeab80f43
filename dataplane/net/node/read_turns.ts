/** Reads of this size are part of a transfer; what requests and small responses need is less. */
const LARGE = 16 * 1024;
/**
 * What transfers of all connections read before they wait for the others: bytes, some 10 ms of the runtime's
 * own work, or milliseconds of ours. A wait costs as much as a read: with 1 MiB, downloads of 1 MiB on 32
 * connections cost twice as much.
 */
export const MOST = 8 * 1024 * 1024;
const MOST_TIME = 5;
/** Milliseconds of a wait. */
const WAIT = 1;

/** A connection that reads. */
export interface Reader {
  /** Stops and starts reading, apart from what the connection's owner wants. */
  hold(): void;
  goOn(): void;
}

/**
 * Lets the connections of a thread read in turns. The runtime (2.9.3) reads a socket again as long as it
 * has bytes, 128 times, and looks for events of other sockets only when it has nothing to do, or after 61
 * rounds: a client beside thirty transfers waited for more than a second. Connections that read large
 * pieces therefore wait together when they have read enough, until the thread was idle.
 */
export class ReadTurns {
  readonly #schedule: (run: () => void, milliseconds: number) => void;
  readonly #now: () => number;
  readonly #held: Reader[] = [];
  #bytes = 0;
  #time = 0;
  /** Connections that were held when the wait began, or began anew. */
  #seen = 0;
  readonly #check = () => this.#goOn();

  /**
   * @param schedule runs a function after so many milliseconds
   * @param now milliseconds, monotonic
   */
  constructor(
    schedule: (run: () => void, milliseconds: number) => void,
    now: () => number,
  ) {
    this.#schedule = schedule;
    this.#now = now;
  }

  /** Time at which the handling of a read begins, for `count`. */
  begin(length: number): number {
    return length < LARGE ? 0 : this.#now();
  }

  /**
   * Counts a read that was handled; holds the connection when it is its time to wait.
   * @param began what `begin` returned
   */
  count(reader: Reader, length: number, began: number): void {
    if (length < LARGE) return;
    this.#bytes += length;
    this.#time += this.#now() - began;
    if (this.#bytes < MOST && this.#time < MOST_TIME) return;
    reader.hold();
    if (this.#held.push(reader) > 1) return;
    this.#seen = 1;
    this.#schedule(this.#check, WAIT);
  }

  #goOn(): void {
    // Reads that were ready filled the wait, so the thread was not idle yet.
    if (this.#held.length > this.#seen) {
      this.#seen = this.#held.length;
      this.#schedule(this.#check, WAIT);
      return;
    }
    this.#bytes = 0;
    this.#time = 0;
    // The first ones read most: the last ones begin the next time.
    for (const reader of this.#held.splice(0).reverse()) reader.goOn();
  }
}
