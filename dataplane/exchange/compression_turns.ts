import { LIMIT } from "../config/defaults.ts";
import { contain, type Contained } from "../loop/containment.ts";

/** Milliseconds of one turn that go to compressing: others of the worker have theirs then. */
const TURN = 2;
/** Responses at once above which new ones are compressed less. */
const BUSY = 4;
const CROWDED = 16;

/** A body that is being compressed. */
export interface CompressedBody extends Contained {
  /** Compresses a piece of what it has, and says `goOn` when that is done and there is more. */
  step(): void;
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
  /** Bodies that wait for their turn, in order. */
  readonly #due = new Set<CompressedBody>();
  #scheduled = false;
  /** When the time of the turn is over. */
  #until = 0;
  #active = 0;
  readonly #turn = () => this.#run();

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
    if (this.#active > CROWDED) return Math.min(level, 1);
    return this.#active > BUSY ? Math.min(level, 4) : level;
  }

  leave(share: CompressionShare): void {
    this.#active--;
    share.compressors--;
  }

  /** Gives a body its turn, behind those that wait already. */
  add(body: CompressedBody): void {
    this.#due.add(body);
    this.#plan();
  }

  /** For a body that has compressed a piece and has more: it goes on while the turn has time and no other waits. */
  goOn(body: CompressedBody): void {
    if (this.#due.size === 0 && this.#now() < this.#until) this.#step(body);
    else this.add(body);
  }

  #plan(): void {
    if (this.#scheduled || this.#due.size === 0) return;
    this.#scheduled = true;
    this.#schedule(this.#turn);
  }

  #run(): void {
    this.#scheduled = false;
    this.#until = this.#now() + TURN;
    for (const body of this.#due) {
      this.#due.delete(body);
      this.#step(body);
      if (this.#now() >= this.#until) break;
    }
    this.#plan();
  }

  #step(body: CompressedBody): void {
    try {
      body.step();
    } catch (error) {
      contain(error, body);
    }
  }
}
