import type { Buffer } from "node:buffer";
import { ByteQueue } from "../message/byte_queue.ts";
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
  /** Calls `deliver` when the bytes at hand have been read. */
  deliverLater(stream: Stream): void;
}

/** Content below this size waits for what follows in the same read: it is not worth a write of its own. */
const SMALL = 1_024;

/** One stream: its windows, what waits to be sent, and what was received but not yet wanted. */
export abstract class Stream {
  /** Bytes that we may send (RFC 9113 section 5.2). */
  sendWindow: number;
  /** Bytes that the peer may still send, and those used but not yet given back. */
  receiveWindow: number;
  /** What the window is kept at; it grows once content is taken. */
  windowSize: number;
  unreturned = 0;
  /** Whether this side, or the peer, has ended its direction. */
  localEnded = false;
  remoteEnded = false;
  /** The rest of what the peer sends is not wanted: `linger` is called when our direction has ended. */
  leaving = false;
  /** No longer one of its connection's streams. */
  closed = false;
  /** Content that the peer announced, -1 for none, and what came of it. */
  expected = -1;
  received = 0;
  /** What waits to be sent: the transport's own bytes during a call, copies behind it. */
  readonly queue: SendQueue = new SendQueue();
  endQueued = false;
  trailersQueued: Buffer | null = null;
  #paused = false;
  /** Content that waits for the end of the read, or until it is wanted. */
  readonly #held = new ByteQueue();
  #heldEnd = false;
  #heldTrailers: Buffer | null = null;

  constructor(
    readonly id: number,
    readonly session: StreamSession,
    sendWindow: number,
    receiveWindow: number,
    /** Where what is kept for the stream counts. */
    readonly memory: MemoryAccount = session.memory,
  ) {
    this.sendWindow = sendWindow;
    this.receiveWindow = this.windowSize = receiveWindow;
  }

  /** Content, with the end of the stream where `ended`; the view is valid during the call. */
  protected abstract onContent(view: Buffer | null, ended: boolean): void;
  /** The end of the stream, with trailer lines. */
  protected abstract onTrailers(lines: Buffer): void;
  /** The stream was reset by the peer, or by us for what the peer did; nothing follows. */
  abstract onReset(code: ErrorCode, byPeer: boolean): void;
  /** What was queued has been sent and the connection takes more. */
  abstract onDrained(): void;
  /** Some bytes of what was queued have been sent. */
  abstract onProgress(bytes: number): void;
  /** Our direction has ended while the peer still sends what is not wanted. */
  linger(): void {}

  /** Sends content; false asks to wait for `onDrained`. The view is used or copied before this returns. */
  protected sendContent(view: Buffer | null, ended: boolean): boolean {
    if (this.closed || this.localEnded) return true;
    this.endQueued ||= ended;
    if (view !== null && view.length > 0) {
      this.queue.push(view);
      this.memory.buffered += view.length;
    }
    if (this.session.pump(this)) return true;
    if (this.queue.length > 0) {
      if (this.memory.admits(0)) this.queue.own();
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
    const small = !ended && view.length < SMALL;
    if (!this.#paused && !small && this.#held.length === 0) {
      const { length } = view;
      this.onContent(view, ended);
      this.session.consumed(this, length);
      if (ended) this.session.settle(this);
      return;
    }
    if (!this.memory.admits(view.length)) {
      this.session.resetStream(this, ErrorCode.EnhanceYourCalm);
      this.session.consumed(this, view.length);
      return;
    }
    this.#held.add(view);
    this.memory.buffered += view.length;
    this.#heldEnd ||= ended;
    if (this.#paused) return;
    if (small) this.session.deliverLater(this);
    else this.deliver();
  }

  /** For the connection: the peer's direction ends without content. */
  receiveEnd(trailers: Buffer | null): void {
    this.remoteEnded = true;
    this.#heldEnd = true;
    this.#heldTrailers = trailers;
    if (!this.#paused) this.deliver();
  }

  /** Whether something that was received has not been delivered. */
  get undelivered(): boolean {
    return this.#held.length > 0 || this.#heldEnd;
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
    this.deliver();
    // What was used before it had to wait is given back now.
    this.session.consumed(this, 0);
  }

  /** Hands over what is kept, as long as it is wanted. */
  deliver(): void {
    while (!this.#paused && !this.closed && this.#held.length > 0) {
      const view = this.#held.take()!;
      this.memory.buffered -= view.length;
      const ended = this.#heldEnd && this.#held.length === 0 && this.#heldTrailers === null;
      if (ended) this.#heldEnd = false;
      this.onContent(view, ended);
      this.session.consumed(this, view.length);
      if (ended) this.session.settle(this);
    }
    if (this.#paused || this.closed || !this.#heldEnd) return;
    this.#heldEnd = false;
    const trailers = this.#heldTrailers;
    this.#heldTrailers = null;
    if (trailers !== null && trailers.length > 0) this.onTrailers(trailers);
    else this.onContent(null, true);
    this.session.settle(this);
  }

  /** For the connection: the stream is over; gives memory back. Returns the bytes received in vain. */
  release(): number {
    this.closed = true;
    const vain = this.#held.length;
    this.memory.buffered -= vain + this.queue.length;
    this.#held.clear();
    this.#heldEnd = false;
    this.queue.clear();
    return vain;
  }
}

/** Bytes that wait to be sent: first those that were copied, then at most one view of the transport's. */
export class SendQueue {
  readonly #copies = new ByteQueue();
  /** The piece being sent, and whether it is the transport's: then nothing is behind it. */
  #front: Buffer | null = null;
  #borrowed = false;
  #view: Buffer | null = null;

  get length(): number {
    return (this.#front?.length ?? 0) + this.#copies.length + (this.#view?.length ?? 0);
  }

  /** Takes a view that must be sent, or copied by `own`, before the call ends. */
  push(view: Buffer): void {
    this.own();
    this.#view = view;
  }

  /** Copies what is still the transport's. */
  own(): void {
    if (this.#front !== null && this.#borrowed) {
      this.#copies.add(this.#front);
      this.#front = null;
    }
    if (this.#view !== null) this.#copies.add(this.#view);
    this.#view = null;
  }

  /** Up to `most` bytes from the front; null when there are none. */
  take(most: number): Buffer | null {
    if (this.#front === null) {
      this.#front = this.#copies.take();
      this.#borrowed = this.#front === null;
      if (this.#borrowed) {
        this.#front = this.#view;
        this.#view = null;
      }
    }
    const piece = this.#front;
    if (piece === null) return null;
    if (piece.length <= most) {
      this.#front = null;
      return piece;
    }
    this.#front = piece.subarray(most);
    return piece.subarray(0, most);
  }

  clear(): void {
    this.#copies.clear();
    this.#front = null;
    this.#view = null;
  }
}
