/** Reads of this size are part of a transfer; what requests and small responses need is less. */
const LARGE = 16 * 1024;
/**
 * Milliseconds that transfers of all connections take before they wait for the others; when one client is alone it
 * is its own requests that wait, and a pause costs as much as ten reads.
 */
const MOST = { crowded: 2, alone: 20 };
/** Milliseconds between two reads up to which the time went to the second one: the runtime read meanwhile. */
const APART = 1;
/** Connections that go on together: each has read something before it can be held again. */
const READERS = { crowded: 4, alone: Infinity };

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
  readonly #afterOthers: (run: () => void) => void;
  readonly #now: () => number;
  readonly #alone: () => boolean;
  readonly #held: Reader[] = [];
  /** Milliseconds of the turn so far. */
  #time = 0;
  /** When the last read was handled. */
  #last = 0;
  /** Connections that were held when the wait began, or began anew. */
  #seen = 0;
  readonly #check = () => this.#goOn();

  /**
   * @param afterOthers runs a function after a pause
   * @param now milliseconds, monotonic
   * @param alone whether at most one client is connected
   */
  constructor(
    afterOthers: (run: () => void) => void,
    now: () => number,
    alone: () => boolean,
  ) {
    this.#afterOthers = afterOthers;
    this.#now = now;
    this.#alone = alone;
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
    const now = this.#now();
    const apart = began - this.#last;
    this.#time += now - began + (apart < APART ? apart : 0);
    this.#last = now;
    if (this.#time < MOST[this.#crowd]) return;
    reader.hold();
    if (this.#held.push(reader) > 1) return;
    this.#seen = 1;
    this.#afterOthers(this.#check);
  }

  get #crowd(): "alone" | "crowded" {
    return this.#alone() ? "alone" : "crowded";
  }

  #goOn(): void {
    // Reads that were ready filled the wait, so the thread was not idle yet.
    if (this.#held.length > this.#seen) {
      this.#seen = this.#held.length;
      this.#afterOthers(this.#check);
      return;
    }
    this.#time = 0;
    for (const reader of this.#held.splice(0, READERS[this.#crowd])) reader.goOn();
    this.#seen = this.#held.length;
    if (this.#seen > 0) this.#afterOthers(this.#check);
  }
}
