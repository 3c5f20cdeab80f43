import { LIMIT } from "../config/defaults.ts";
import { contain, type Contained } from "../loop/containment.ts";
import { outside } from "../loop/outside.ts";

/** Milliseconds of one turn that go to compressing: others of the worker have theirs then. */
const TURN = 2;
/** Responses at once above which new ones are compressed less. */
const BUSY = 4;
const CROWDED = 16;

/** A body that is being compressed. */
export interface CompressedBody extends Contained {
  /** Compresses a piece of what it has; returns whether it has more that can be compressed now. */
  step(): boolean;
}

/** What a client holds of the places. */
export interface CompressionShare {
  compressors: number;
}

/**
 * The compressing of one worker. The runtime compresses in the thread that asks for it (2.9.3), so bodies
 * have turns, a piece at a time, and only so many are compressed at once; others go as they are.
 */
export class CompressionTurns {
  readonly #schedule: (run: () => void) => void;
  readonly #now: () => number;
  readonly #due: CompressedBody[] = [];
  readonly #queued = new Set<CompressedBody>();
  #active = 0;

  /**
   * @param schedule runs a function soon, after what else is ready
   * @param now milliseconds, monotonic
   */
  constructor(schedule: (run: () => void) => void, now: () => number) {
    this.#schedule = schedule;
    this.#now = now;
  }

  /** Responses that are being compressed. */
  get active(): number {
    return this.#active;
  }

  /** Whether one more response of a client may be compressed. */
  admits(share: CompressionShare): boolean {
    return this.#active < LIMIT.compressors && share.compressors < LIMIT.compressorsPerClient;
  }

  /** Takes a place, which `leave` gives back; returns the level at which to compress. */
  enter(share: CompressionShare, level: number): number {
    this.#active++;
    share.compressors++;
    outside.waiting++;
    if (this.#active > CROWDED) return Math.min(level, 1);
    return this.#active > BUSY ? Math.min(level, 4) : level;
  }

  leave(share: CompressionShare): void {
    this.#active--;
    share.compressors--;
    outside.waiting--;
  }

  /** Gives a body its turn, behind those that wait already. */
  add(body: CompressedBody): void {
    if (this.#queued.has(body)) return;
    this.#queued.add(body);
    if (this.#due.push(body) === 1) this.#schedule(() => this.#run());
  }

  #run(): void {
    const until = this.#now() + TURN;
    do {
      const body = this.#due.shift()!;
      this.#queued.delete(body);
      try {
        if (body.step()) {
          this.#queued.add(body);
          this.#due.push(body);
        }
      } catch (error) {
        contain(error, body);
      }
    } while (this.#due.length > 0 && this.#now() < until);
    if (this.#due.length > 0) this.#schedule(() => this.#run());
  }
}
