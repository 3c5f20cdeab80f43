/** Milliseconds after a crash in which its connections are lost. */
const CRASH_WINDOW = 2_000;

/** A client's connection to the edge, as long as it is open. */
export interface Link {
  lost: boolean;
}

/** A crash of a worker and the connections that were open then. */
interface Crash {
  readonly at: number;
  readonly open: readonly Link[];
}

/** The clients' connections: what a crash may take, and what it may not. */
export class Links {
  readonly #open = new Set<Link>();
  #crash: Crash | null = null;

  opened(): Link {
    const link = { lost: false };
    this.#open.add(link);
    return link;
  }

  /** @param lost the edge ended it while its client did not want that */
  closed(link: Link, lost: boolean): void {
    if (!this.#open.delete(link)) return;
    link.lost = lost;
  }

  /** A worker is about to crash. */
  crashing(): void {
    this.#crash = { at: performance.now(), open: [...this.#open] };
  }

  /** Whether a connection that ends now may be one of a crashed worker. */
  get inCrash(): boolean {
    return this.#crash !== null && performance.now() - this.#crash.at <= CRASH_WINDOW;
  }

  /** Connections open at the last crash, and those of them that were lost since. */
  toll(): { open: number; lost: number } {
    const open = this.#crash?.open ?? [];
    return { open: open.length, lost: open.filter(({ lost }) => lost).length };
  }
}

/**
 * The most connections that one of two workers can have had. The kernel chooses a worker for each by a
 * hash, so their number is binomial; four deviations are exceeded once in 30,000 times.
 */
export function mostOfOneWorker(open: number): number {
  return open / 2 + 4 * Math.sqrt(open / 4);
}
