/** Buffers of one worker, and bytes of each: room for a few batches on their way to the log. */
const BUFFERS = 8;
const BUFFER_SIZE = 256 * 1024;
/** Buffers that are kept while nothing is on its way; more are needed only while the sink lags. */
const KEPT = 2;
/** Most bytes that one UTF-16 unit takes in UTF-8. */
const MAX_BYTES_PER_UNIT = 3;

/** Hands a filled buffer to whoever writes the log; the buffer moves there and comes back. */
export type SendBuffer = (buffer: ArrayBuffer, length: number, lines: number) => void;

/**
 * Carries batches of log lines to the main thread in buffers that travel there and back: logging leaves
 * next to no garbage. When the most that there may be are away, the sink is behind: the batch is dropped
 * and counted.
 */
export class LogBuffers {
  readonly #free: ArrayBuffer[] = [];
  readonly #encoder = new TextEncoder();
  readonly #send: SendBuffer;
  #made = 0;
  dropped = 0;

  constructor(send: SendBuffer) {
    this.#send = send;
  }

  /** Sends lines, or drops them when no buffer is free. */
  write(text: string, lines: number): void {
    const buffer = this.#free.pop() ?? this.#make();
    if (buffer === null) {
      this.dropped += lines;
      return;
    }
    if (text.length * MAX_BYTES_PER_UNIT <= buffer.byteLength) {
      const { written } = this.#encoder.encodeInto(text, new Uint8Array(buffer));
      this.#send(buffer, written, lines);
      return;
    }
    // A single line longer than a whole batch: it travels in memory of its own.
    this.#free.push(buffer);
    const bytes = this.#encoder.encode(text);
    this.#send(bytes.buffer, bytes.length, lines);
  }

  /** A buffer came back. */
  recycle(buffer: ArrayBuffer): void {
    if (buffer.byteLength !== BUFFER_SIZE) return;
    if (this.#free.length < KEPT) this.#free.push(buffer);
    else this.#made--;
  }

  #make(): ArrayBuffer | null {
    if (this.#made === BUFFERS) return null;
    this.#made++;
    return new ArrayBuffer(BUFFER_SIZE);
  }
}
