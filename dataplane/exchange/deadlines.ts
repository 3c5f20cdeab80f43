import { LIMIT } from "../config/defaults.ts";
import type { Reason } from "../observe/reasons.ts";

/** When a request is over, and its try, and its wait for a connection: ticker times. */
export class Deadlines {
  #requestEnds = Infinity;
  /** Of the backend's whole answer. */
  #backendEnds = Infinity;
  /** Until the answer begins. */
  #tryEnds = Infinity;
  /** End of waiting for a connection; Infinity while nobody waits. */
  #waitEnds = Infinity;

  begin(): void {
    this.#requestEnds = Infinity;
    this.#backendEnds = Infinity;
    this.#tryEnds = Infinity;
    this.#waitEnds = Infinity;
  }

  /**
   * Limits the whole request.
   * @param configured milliseconds, 0 without limit
   * @param asked by the client, 0 without limit
   */
  limitRequest(now: number, configured: number, asked: number): void {
    const shortest = asked > 0 && (configured === 0 || asked < configured) ? asked : configured;
    this.#requestEnds = shortest === 0 ? Infinity : now + shortest;
  }

  /**
   * The request waits for a connection.
   * @param opening milliseconds that one being opened may take, 0 in a queue
   */
  wait(now: number, opening: number): void {
    this.#waitEnds = now + LIMIT.pending + opening;
  }

  /** Nobody waits for a connection any more, and the try before is over. */
  stopWaiting(): void {
    this.#waitEnds = Infinity;
    this.#backendEnds = Infinity;
    this.#tryEnds = Infinity;
  }

  /**
   * The request is on its way. Milliseconds, 0 without limit.
   * @param whole for the complete answer
   * @param start until the answer begins
   */
  beginTry(now: number, whole: number, start: number): void {
    this.#waitEnds = Infinity;
    this.#backendEnds = whole > 0 ? now + whole : Infinity;
    this.#tryEnds = start > 0 ? now + start : Infinity;
  }

  /** An answer that has begun is not asked for again, and may take its time. */
  answerBegan(): void {
    this.#tryEnds = Infinity;
  }

  /** The next of them. */
  get next(): number {
    return Math.min(this.#requestEnds, this.#backendEnds, this.#tryEnds, this.#waitEnds);
  }

  /** Whether waiting for a connection is what ends first. */
  get waitEndsFirst(): boolean {
    return this.#waitEnds < this.#requestEnds;
  }

  get tryEndsFirst(): boolean {
    return Math.min(this.#tryEnds, this.#backendEnds) < this.#requestEnds;
  }

  /** Why the request ends when the next of them has come. */
  get reason(): Reason {
    return this.tryEndsFirst ? "backend_timeout" : "request_timeout";
  }
}
