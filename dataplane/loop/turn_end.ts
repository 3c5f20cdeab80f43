import { contain, type Contained } from "./containment.ts";

/** Something that collects bytes during a turn and writes them once at its end. */
export interface Flushable extends Contained {
  /** The turn end's own mark. */
  flushDue: boolean;
  flush(): void;
}

/**
 * Calls each flushable once, after the events at hand were handled: frames of many streams that several
 * sockets caused leave in one write.
 */
export class TurnEnd {
  readonly #due: Flushable[] = [];
  readonly #schedule: (run: () => void) => void;
  readonly #run = () => this.run();

  /** @param schedule runs a function soon, after the events that are ready now */
  constructor(schedule: (run: () => void) => void) {
    this.#schedule = schedule;
  }

  add(flushable: Flushable): void {
    if (flushable.flushDue) return;
    flushable.flushDue = true;
    if (this.#due.push(flushable) === 1) this.#schedule(this.#run);
  }

  /** Flushes what is due. */
  run(): void {
    // What a flush writes may itself be flushed: frames become bytes of a connection.
    while (this.#due.length > 0) {
      for (const flushable of this.#due.splice(0)) {
        flushable.flushDue = false;
        try {
          flushable.flush();
        } catch (error) {
          contain(error, flushable);
        }
      }
    }
  }
}
