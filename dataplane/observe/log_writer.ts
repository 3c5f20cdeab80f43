import { LIMIT } from "../config/defaults.ts";

/** The part of a writable file that the writer uses. */
export interface Sink {
  write(bytes: Uint8Array): Promise<number>;
}

interface Entry {
  readonly batch: Uint8Array;
  readonly lines: number;
  readonly done: () => void;
}

/** Writes batches of log lines one after another; drops and counts what a slow sink leaves no room for. */
export class LogWriter {
  readonly #sink: Sink;
  readonly #queue: Entry[] = [];
  #queued = 0;
  #writing: Promise<void> | null = null;
  dropped = 0;

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  /** @param done called when the batch is written or dropped: its memory may be used again */
  add(batch: Uint8Array, lines: number, done: () => void = () => {}): void {
    if (batch.length === 0) {
      done();
      return;
    }
    if (this.#queued + batch.length > LIMIT.accessLogBuffer) {
      this.dropped += lines;
      done();
      return;
    }
    this.#queue.push({ batch, lines, done });
    this.#queued += batch.length;
    this.#writing ??= this.#drain();
  }

  /** Resolves when everything queued is written. */
  async flush(): Promise<void> {
    while (this.#writing !== null) await this.#writing;
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0) {
      const { batch, lines, done } = this.#queue.shift()!;
      try {
        for (let at = 0; at < batch.length;) at += await this.#sink.write(batch.subarray(at));
      } catch {
        // The reader of the log is gone; traffic goes on without it.
        this.dropped += lines;
      }
      this.#queued -= batch.length;
      done();
    }
    this.#writing = null;
  }
}
