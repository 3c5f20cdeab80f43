import { Buffer } from "node:buffer";
import { ErrorCode } from "./frame.ts";

/** Counts bytes that are kept for peers which do not take them. */
export interface MemoryAccount {
  buffered: number;
  /** Whether another `bytes` may be kept. */
  admits(bytes: number): boolean;
}

/** What a stream asks of its connection. */
export interface StreamSession {
  readonly memory: MemoryAccount;
  /** Sends as much of the stream's queue as both windows and the peer allow; true when it is empty. */
  pump(stream: Stream): boolean;
  /** Content was used: the peer may send as much again. */
  consumed(stream: Stream, bytes: number): void;
  /** Ends the stream with RST_STREAM. */
  resetStream(stream: Stream, code: ErrorCode): void;
  /** Both directions may have ended. */
  settle(stream: Stream): void;
}

/** One stream: its windows, what waits to be sent, and what was received but not yet wanted. */
export abstract class Stream {
  /** Bytes that we may send (RFC 9113 section 5.2). */
  sendWindow: number;
  /** Bytes that the peer may still send, and those used but not yet given back. */
  receiveWindow: number;
  unreturned = 0;
  /** Whether this side, or the peer, has ended its direction. */
  localEnded = false;
  remoteEnded = false;
  /** Nobody wants the rest of what the peer sends: the stream ends with our direction. */
  leaving = false;
  /** No longer one of its connection's streams. */
  closed = false;
  /** Content that the peer announced, -1 for none, and what came of it. */
  expected = -1;
  received = 0;
  readonly queue: Buffer[] = [];
  endQueued = false;
  trailersQueued: Buffer | null = null;
  #paused = false;
  #held: Buffer[] = [];
  #heldEnd = false;
  #heldTrailers: Buffer | null = null;

  constructor(
    readonly id: number,
    readonly session: StreamSession,
    sendWindow: number,
    receiveWindow: number,
  ) {
    this.sendWindow = sendWindow;
    this.receiveWindow = receiveWindow;
  }

  /** Content, with the end of the stream where `ended`; the view is valid during the call. */
  protected abstract onContent(view: Buffer | null, ended: boolean): void;
  /** The end of the stream, with trailer lines. */
  protected abstract onTrailers(lines: Buffer): void;
  /** The stream was reset by the peer, or by us for what the peer did; nothing follows. */
  abstract onReset(code: ErrorCode, byPeer: boolean): void;
  /** What was queued has been sent and the connection takes more. */
  abstract onDrained(): void;

  /** Sends content; false asks to wait for `onDrained`. The view is used or copied before this returns. */
  protected sendContent(view: Buffer | null, ended: boolean): boolean {
    if (this.closed || this.localEnded) return true;
    this.endQueued ||= ended;
    if (view !== null && view.length > 0) {
      this.queue.push(view);
      this.session.memory.buffered += view.length;
    }
    if (this.session.pump(this)) return true;
    // The last piece is the transport's memory: what is left of it must be kept.
    if (view !== null && this.queue.length > 0) {
      const last = this.queue.length - 1;
      if (this.session.memory.admits(0)) this.queue[last] = Buffer.from(this.queue[last]);
      else this.session.resetStream(this, ErrorCode.EnhanceYourCalm);
    }
    return false;
  }

  /** Ends the direction with trailers. */
  protected sendTrailerLines(lines: Buffer): void {
    if (this.closed || this.localEnded) return;
    this.trailersQueued = lines;
    this.endQueued = true;
    this.session.pump(this);
  }

  /** For the connection: content of a DATA frame. */
  receive(view: Buffer, ended: boolean): void {
    this.received += view.length;
    if (ended) this.remoteEnded = true;
    if (this.#paused) {
      if (!this.session.memory.admits(view.length)) {
        this.session.resetStream(this, ErrorCode.EnhanceYourCalm);
        this.session.consumed(this, view.length);
        return;
      }
      this.#held.push(Buffer.from(view));
      this.session.memory.buffered += view.length;
      this.#heldEnd ||= ended;
      return;
    }
    const { length } = view;
    this.onContent(view, ended);
    this.session.consumed(this, length);
    if (ended) this.session.settle(this);
  }

  /** For the connection: the peer's direction ends without content. */
  receiveEnd(trailers: Buffer | null): void {
    this.remoteEnded = true;
    if (this.#paused) {
      this.#heldEnd = true;
      this.#heldTrailers = trailers;
      return;
    }
    this.#deliverEnd(trailers);
  }

  #deliverEnd(trailers: Buffer | null): void {
    if (trailers !== null && trailers.length > 0) this.onTrailers(trailers);
    else this.onContent(null, true);
    this.session.settle(this);
  }

  /** Whether delivery waits for `resumeReceiving`. */
  get receivingPaused(): boolean {
    return this.#paused;
  }

  /** Keeps what arrives; the peer's window closes behind it. */
  protected pauseReceiving(): void {
    this.#paused = true;
  }

  /** Delivers what was kept, and what follows. */
  protected resumeReceiving(): void {
    this.#paused = false;
    while (!this.#paused && this.#held.length > 0) {
      const view = this.#held.shift()!;
      this.session.memory.buffered -= view.length;
      const ended = this.#heldEnd && this.#held.length === 0 && this.#heldTrailers === null;
      if (ended) this.#heldEnd = false;
      this.onContent(view, ended);
      this.session.consumed(this, view.length);
      if (ended) this.session.settle(this);
    }
    if (this.#paused || !this.#heldEnd) return;
    this.#heldEnd = false;
    const trailers = this.#heldTrailers;
    this.#heldTrailers = null;
    this.#deliverEnd(trailers);
  }

  /** For the connection: the stream is over; gives memory back. Returns the bytes received in vain. */
  release(): number {
    this.closed = true;
    let vain = 0;
    for (const piece of this.#held) vain += piece.length;
    this.session.memory.buffered -= vain;
    for (const piece of this.queue) this.session.memory.buffered -= piece.length;
    this.#held = [];
    this.#heldEnd = false;
    this.queue.length = 0;
    return vain;
  }
}
