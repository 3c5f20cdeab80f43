import type { Buffer } from "node:buffer";
import { ChunkedDecoder } from "./chunked.ts";

const enum Mode {
  None,
  Length,
  Chunked,
  UntilClose,
}

/**
 * Finds the end of one message's body (RFC 9112 section 6) in the bytes of a connection. Each `read`
 * takes up to one run of content; `data` and `done` tell what it found.
 */
export class BodyReader {
  #mode = Mode.None;
  #left = 0;
  /** Made for the first chunked body. */
  #chunked: ChunkedDecoder | null = null;
  /** Content found by the last `read`: a view into what it was given; null for none. */
  data: Buffer | null = null;

  /** Whether the body is complete. */
  get done(): boolean {
    return this.#mode === Mode.Length
      ? this.#left === 0
      : this.#mode === Mode.Chunked
      ? this.#chunked!.done
      : this.#mode === Mode.None;
  }

  /** Whether the body ends with the connection. */
  get untilClose(): boolean {
    return this.#mode === Mode.UntilClose;
  }

  /** Trailer lines that may be passed on; null without any. */
  get trailers(): Buffer | null {
    return this.#mode === Mode.Chunked ? this.#chunked!.trailers : null;
  }

  beginNone(): void {
    this.#mode = Mode.None;
  }

  /** @param length bytes of the body */
  beginLength(length: number): void {
    this.#mode = Mode.Length;
    this.#left = length;
  }

  beginChunked(): void {
    this.#mode = Mode.Chunked;
    this.#chunked ??= new ChunkedDecoder();
    this.#chunked.reset();
  }

  beginUntilClose(): void {
    this.#mode = Mode.UntilClose;
  }

  /** Reads from `at`; returns the position it stopped at, or -1 for malformed bytes. */
  read(view: Buffer, at: number): number {
    this.data = null;
    switch (this.#mode) {
      case Mode.None:
        return at;
      case Mode.Length: {
        const end = Math.min(view.length, at + this.#left);
        this.#left -= end - at;
        if (end > at) this.data = at === 0 && end === view.length ? view : view.subarray(at, end);
        return end;
      }
      case Mode.UntilClose:
        this.data = at === 0 ? view : view.subarray(at);
        return view.length;
      case Mode.Chunked: {
        const decoder = this.#chunked!;
        const next = decoder.read(view, at);
        if (next >= 0 && decoder.dataEnd > decoder.dataStart) {
          this.data = view.subarray(decoder.dataStart, decoder.dataEnd);
        }
        return next;
      }
    }
  }
}
