import { Buffer } from "node:buffer";
import { LIMIT } from "../config/defaults.ts";

/**
 * The body bytes of a request that may have to be sent again: those that wait for a connection, and,
 * where the backend can prove that it did not process a request, those already sent.
 */
export class Replay {
  /** Bytes that are still the transport's: valid until the turn ends. */
  #view: Buffer | null = null;
  #pieces: Buffer[] = [];
  #size = 0;
  #retains = false;
  /** Whether every body byte so far could be sent again. */
  complete = true;

  /** @param retains keep what is sent */
  begin(view: Buffer | null, retains: boolean): void {
    if (view !== null) this.#view = view;
    this.#retains = retains;
  }

  /** The turn ends before the bytes were sent: takes a copy. */
  keep(): void {
    if (this.#view === null) return;
    this.#pieces.push(Buffer.from(this.#view));
    this.#view = null;
  }

  /** What is to be sent now, null for nothing. */
  take(): Buffer | null {
    const view = this.#view;
    if (view !== null) {
      this.#view = null;
      this.add(view);
      return view;
    }
    if (this.#pieces.length === 0) return null;
    const bytes = this.#pieces.length === 1 ? this.#pieces[0] : Buffer.concat(this.#pieces);
    if (!this.#retains) {
      this.#pieces = [];
      this.complete = false;
    }
    return bytes;
  }

  /** Bytes that are sent in this turn. */
  add(bytes: Buffer | null): void {
    if (bytes === null || bytes.length === 0 || !this.complete) return;
    this.#size += bytes.length;
    if (this.#retains && this.#size <= LIMIT.replayBytes) {
      this.#pieces.push(Buffer.from(bytes));
    } else this.give();
  }

  /** The request cannot be sent again any more. */
  give(): void {
    this.complete = false;
    if (this.#pieces.length > 0) this.#pieces = [];
  }

  clear(): void {
    this.#view = null;
    if (this.#pieces.length > 0) this.#pieces = [];
    this.#size = 0;
    this.complete = true;
  }
}
