import { Buffer } from "node:buffer";
import {
  ConnectionError,
  DEFAULT_FRAME_SIZE,
  DEFAULT_WINDOW,
  ErrorCode,
  MAX_WINDOW,
} from "./frame.ts";
import type { FrameOutput } from "./frame_output.ts";
import type { Stream } from "./stream.ts";

/** WINDOW_UPDATE and PING frames that a DATA frame of ours may cause; a peer needs one or two. */
const ANSWERS_PER_FRAME = 8;
/** Most such frames that are taken without counting as a flood. */
const ANSWERS_AHEAD = 10_000;

/** What happens when a stream's queue runs out. */
export interface SendHooks<S> {
  /** Encodes trailer lines as the section that ends the stream. */
  sendTrailers(stream: S, lines: Buffer): void;
  /** Both directions may have ended. */
  settle(stream: S): void;
}

const EMPTY = Buffer.alloc(0);

/** Sends the queues of a connection's streams as far as the windows and the peer allow (section 5.2). */
export class SendScheduler<S extends Stream> {
  readonly #output: FrameOutput;
  readonly #hooks: SendHooks<S>;
  readonly #waiting = new Set<S>();
  #window = DEFAULT_WINDOW;
  /** Windows have grown since the last round. */
  #granted = false;
  #answers = 1_000;

  constructor(output: FrameOutput, hooks: SendHooks<S>) {
    this.#output = output;
    this.#hooks = hooks;
  }

  /** Sends what it can of one stream; true when nothing is left and the peer takes more. */
  pump(stream: S): boolean {
    this.#sendSome(stream, Infinity);
    if (stream.queue.length === 0 && stream.endQueued && !stream.localEnded) this.#sendEnd(stream);
    if (stream.queue.length === 0 && !this.#output.blocked) return true;
    if (!stream.closed) this.#waiting.add(stream);
    return false;
  }

  /**
   * Windows that have grown are used. Once for all the updates of a read: a frame for each of them would
   * be credited with an update of its own again, and frames would only become smaller
   * (the silly window syndrome, RFC 1122 section 4.2.3.4).
   */
  pumpGranted(): void {
    if (this.#granted) this.pumpAll();
  }

  /** Lets every stream that waits send in turn, a frame at a time. */
  pumpAll(): void {
    this.#granted = false;
    let progress = true;
    while (progress && this.#waiting.size > 0 && !this.#output.blocked) {
      progress = false;
      for (const stream of [...this.#waiting]) {
        if (this.#output.blocked) return;
        if (stream.closed) continue;
        const before = stream.sendWindow;
        this.#sendSome(stream, DEFAULT_FRAME_SIZE);
        if (stream.queue.length === 0) {
          this.#waiting.delete(stream);
          if (stream.endQueued && !stream.localEnded) this.#sendEnd(stream);
          if (!stream.closed) stream.onDrained();
          progress = true;
        } else if (stream.sendWindow !== before) {
          stream.onProgress(before - stream.sendWindow);
          progress = true;
        }
      }
    }
  }

  /** The stream is over. */
  forget(stream: S): void {
    this.#waiting.delete(stream);
  }

  /** Takes a WINDOW_UPDATE or PING; false when there were more of them than our frames can have caused. */
  countAnswer(): boolean {
    return --this.#answers >= 0;
  }

  /**
   * The peer takes more on the connection; used by `pumpGranted`.
   * @throws {ConnectionError} when the window grows above its maximum
   */
  grant(increment: number): void {
    this.#window += increment;
    if (this.#window > MAX_WINDOW) {
      throw new ConnectionError(ErrorCode.FlowControlError, "connection window above its maximum");
    }
    this.#granted = true;
  }

  /** The peer takes more of one or all streams. */
  streamsGranted(): void {
    this.#granted = true;
  }

  #sendSome(stream: S, limit: number): void {
    const { queue } = stream;
    let left = Math.min(limit, stream.sendWindow, this.#window);
    while (left > 0 && !this.#output.blocked && !stream.closed) {
      const piece = queue.take(Math.min(left, DEFAULT_FRAME_SIZE));
      if (piece === null) return;
      const size = piece.length;
      const ends = stream.endQueued && stream.trailersQueued === null && queue.length === 0;
      stream.memory.buffered -= size;
      stream.sendWindow -= size;
      this.#window -= size;
      left -= size;
      this.#answers = Math.min(ANSWERS_AHEAD, this.#answers + ANSWERS_PER_FRAME);
      this.#output.data(stream.id, piece, 0, size, ends);
      if (ends) this.#ended(stream);
    }
  }

  /** Ends a direction whose content has been sent. */
  #sendEnd(stream: S): void {
    const lines = stream.trailersQueued;
    if (lines === null) {
      this.#output.data(stream.id, EMPTY, 0, 0, true);
      this.#ended(stream);
    } else {
      stream.trailersQueued = null;
      this.#hooks.sendTrailers(stream, lines);
    }
  }

  #ended(stream: S): void {
    stream.localEnded = true;
    this.#hooks.settle(stream);
  }
}
