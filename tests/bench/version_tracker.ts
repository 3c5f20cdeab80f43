/** How long one change took, in milliseconds after it. */
export interface ChangeTimes {
  /** Arrival of the first new answer. */
  readonly firstNew: number;
  /** Arrival of the last old answer on any connection; 0 when none came after the change. */
  readonly lastOld: number;
}

/**
 * Tells old answers from new ones. Version `n` answers with `bodies[n % 2]`; a change counts as visible
 * when every connection has seen it: after that no old answer can be under way, for answers keep their
 * order on a connection. Pure: it is told what arrived and when.
 */
export class VersionTracker {
  /** Answers of neither version, or old ones on a connection that had seen the new one. */
  wrong = 0;
  readonly #bodies: readonly [string, string];
  /** Newest version each connection has seen. */
  readonly #seen: number[];
  #version = 0;
  #changedAt = 0;
  #firstNew = NaN;
  #lastOld = NaN;
  #unseen = 0;
  #onVisible: ((times: ChangeTimes) => void) | null = null;

  constructor(bodies: readonly [string, string], connections: number) {
    this.#bodies = bodies;
    this.#seen = new Array(connections).fill(0);
  }

  /** Body that the version after the next change answers with. */
  get nextBody(): string {
    return this.#bodies[(this.#version + 1) % 2];
  }

  /** The version changes at `time`, milliseconds on the clock of the arrivals. */
  change(time: number, onVisible: (times: ChangeTimes) => void): void {
    this.#version++;
    this.#changedAt = time;
    this.#firstNew = NaN;
    this.#lastOld = NaN;
    this.#unseen = this.#seen.length;
    this.#onVisible = onVisible;
  }

  /** A connection was replaced: nothing is known of what the new one has seen. */
  replaced(connection: number): void {
    if (this.#seen[connection] === this.#version && this.#onVisible !== null) {
      this.#seen[connection]--;
      this.#unseen++;
    }
  }

  answer(connection: number, body: string, arrived: number): void {
    const { [connection]: seen } = this.#seen;
    if (body === this.#bodies[this.#version % 2]) {
      if (Number.isNaN(this.#firstNew)) this.#firstNew = arrived;
      if (seen === this.#version) return;
      this.#seen[connection] = this.#version;
      if (--this.#unseen === 0) this.#visible();
    } else if (body === this.nextBody && seen < this.#version) this.#lastOld = arrived;
    else this.wrong++;
  }

  #visible(): void {
    const done = this.#onVisible;
    this.#onVisible = null;
    done?.({
      firstNew: this.#firstNew - this.#changedAt,
      lastOld: Number.isNaN(this.#lastOld) ? 0 : this.#lastOld - this.#changedAt,
    });
  }
}
