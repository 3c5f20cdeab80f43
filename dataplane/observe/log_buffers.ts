import type { LogMemory } from "./access_log.ts";

/** Buffers of one worker, and bytes of each: room for a few batches on their way to the log. */
const BUFFERS = 8;
const BUFFER_SIZE = 192 * 1024;
/** Buffers that are kept while nothing is on its way; more are needed only while the sink lags. */
const KEPT = 2;

/** Hands a filled buffer to whoever writes the log; the buffer moves there and comes back. */
export type SendBuffer = (buffer: ArrayBuffer, length: number, lines: number) => void;

/**
 * The memory of one worker's log lines, which travels to the main thread and back: logging leaves next
 * to no garbage. When all that there may be is away, the sink is behind.
 */
export class LogBuffers implements LogMemory {
  readonly #free: ArrayBuffer[] = [];
  readonly #send: SendBuffer;
  #made = 0;

  constructor(send: SendBuffer) {
    this.#send = send;
  }

  take(): Uint8Array<ArrayBuffer> | null {
    const buffer = this.#free.pop() ?? this.#make();
    return buffer === null ? null : new Uint8Array(buffer);
  }

  send(bytes: Uint8Array<ArrayBuffer>, length: number, lines: number): void {
    this.#send(bytes.buffer, length, lines);
  }

  /** A buffer came back. */
  recycle(buffer: ArrayBuffer): void {
    // A long line's own memory is not one of ours.
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
