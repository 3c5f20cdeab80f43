import { LIMIT } from "../config/defaults.ts";

/** The part of a writable file that the writer uses. */
export interface Sink {
  write(bytes: Uint8Array): Promise<number>;
}

/** Writes batches of log lines one after another; drops and counts what a slow sink leaves no room for. */
export class LogWriter {
  readonly #sink: Sink;
  readonly #queue: { readonly batch: Uint8Array; readonly lines: number }[] = [];
  #queued = 0;
  #writing: Promise<void> | null = null;
  dropped = 0;

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  add(batch: Uint8Array, lines: number): void {
    if (batch.length === 0) return;
    if (this.#queued + batch.length > LIMIT.accessLogBuffer) {
      this.dropped += lines;
      return;
    }
    this.#queue.push({ batch, lines });
    this.#queued += batch.length;
    this.#writing ??= this.#drain();
  }

  /** Resolves when everything queued is written. */
  async flush(): Promise<void> {
    while (this.#writing !== null) await this.#writing;
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0) {
      const { batch, lines } = this.#queue.shift()!;
      try {
        for (let at = 0; at < batch.length;) at += await this.#sink.write(batch.subarray(at));
      } catch {
        // The reader of the log is gone; traffic goes on without it.
        this.dropped += lines;
      }
      this.#queued -= batch.length;
    }
    this.#writing = null;
  }
}
