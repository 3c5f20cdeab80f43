import type { Buffer } from "node:buffer";
import { LIMIT } from "../config/defaults.ts";
import { ByteQueue } from "../message/byte_queue.ts";
import type { MemoryAccount } from "../http2/stream.ts";

/**
 * The body bytes of a request that may have to be sent again: those that wait for a connection, and,
 * where the backend can prove that it did not process a request, those already sent.
 */
export class Replay {
  /** Where kept bytes count. Changes only while nothing is kept. */
  account!: MemoryAccount;
  /** Bytes that are still the transport's: valid until the turn ends. */
  #view: Buffer | null = null;
  readonly #kept = new ByteQueue();
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
    this.#add(this.#view);
    this.#view = null;
  }

  /** Keeps bytes that are not to be sent yet; false when there is no memory for them. */
  collect(bytes: Buffer | null): boolean {
    if (bytes === null || bytes.length === 0) return true;
    if (!this.account.admits(bytes.length)) return false;
    this.#add(bytes);
    return true;
  }

  /** What is to be sent now, null for nothing. */
  take(): Buffer | null {
    const view = this.#view;
    if (view !== null) {
      this.#view = null;
      this.add(view);
      return view;
    }
    if (this.#kept.length === 0) return null;
    const bytes = this.#kept.all();
    if (!this.#retains) this.give();
    return bytes;
  }

  /** All of the body so far, null for none; only while `complete`. */
  whole(): Buffer | null {
    return this.#kept.length === 0 ? null : this.#kept.all();
  }

  /** Bytes that are sent in this turn. */
  add(bytes: Buffer | null): void {
    if (bytes === null || bytes.length === 0 || !this.complete) return;
    const fits = this.#kept.length + bytes.length <= LIMIT.replayBytes &&
      this.account.admits(bytes.length);
    if (this.#retains && fits) this.#add(bytes);
    else this.give();
  }

  /** The request cannot be sent again any more. */
  give(): void {
    this.complete = false;
    this.#drop();
  }

  clear(): void {
    this.#view = null;
    this.#drop();
    this.complete = true;
  }

  #add(bytes: Buffer): void {
    this.#kept.add(bytes);
    this.account.buffered += bytes.length;
  }

  #drop(): void {
    if (this.#kept.length === 0) return;
    this.account.buffered -= this.#kept.length;
    this.#kept.clear();
  }
}
