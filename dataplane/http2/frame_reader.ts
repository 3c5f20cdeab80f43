import type { Buffer } from "node:buffer";
import {
  ConnectionError,
  DEFAULT_FRAME_SIZE,
  ErrorCode,
  Flag,
  FRAME_HEADER,
  FrameType,
  protocolError,
  read31,
} from "./frame.ts";
import { GrowingBuffer } from "../../common/growing_buffer.ts";

/** Receives what a reader finds. Views are valid during the call. */
export interface FrameSink {
  /** A complete frame of any type but DATA. */
  onFrame(type: number, flags: number, stream: number, payload: Buffer): void;
  /**
   * The beginning of a DATA frame: its payload length, padding included, all of which counts for flow
   * control. What `onDataContent` brings next belongs to it.
   */
  onDataFrame(stream: number, flags: number, length: number): void;
  /** Content of the DATA frame at hand, in as many pieces as the bytes came in; `last` ends it. */
  onDataContent(view: Buffer, last: boolean): void;
  /** The DATA frame at hand is complete. */
  onDataFrameEnd(): void;
}

const enum State {
  Header,
  Payload,
  PadLength,
  Data,
  Padding,
}

/** Cuts a stream of bytes into frames; DATA passes without being collected. */
export class FrameReader {
  readonly #sink: FrameSink;
  #state = State.Header;
  /** Bytes of an incomplete header or payload. */
  #partial: GrowingBuffer | null = null;
  #length = 0;
  #type = 0;
  #flags = 0;
  #stream = 0;
  #left = 0;
  #padding = 0;
  #stopped = false;
  #held = false;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  /** Whether a frame has begun and is not complete. */
  get withinFrame(): boolean {
    return this.#state !== State.Header || (this.#partial !== null && !this.#held);
  }

  /** What follows the frame at hand waits, also what is received meanwhile. */
  hold(): void {
    this.#held = true;
  }

  /** The next call of `receive`, if only with no bytes, reads what has waited. */
  goOn(): void {
    this.#held = false;
  }

  /** Nothing more is read. */
  stop(): void {
    this.#stopped = true;
    this.#partial = null;
  }

  /**
   * Takes bytes.
   * @throws {ConnectionError} for a frame that is too large or badly padded
   */
  receive(view: Buffer): void {
    const partial = this.#partial;
    partial?.append(view);
    const bytes = partial === null ? view : partial.bytes;
    this.#partial = null;
    let at = 0;
    while (!this.#stopped && !this.#held) {
      const next = this.#step(bytes, at);
      if (next < 0) break;
      at = next;
    }
    if (this.#stopped) return;
    if (partial !== null && at === 0) this.#partial = partial;
    else if (at < bytes.length) this.#partial = new GrowingBuffer(bytes, at);
  }

  /** Handles what is complete at `at`; returns the position after it, -1 for too few bytes. */
  #step(bytes: Buffer, at: number): number {
    switch (this.#state) {
      case State.Header:
        return bytes.length - at < FRAME_HEADER ? -1 : this.#header(bytes, at);
      case State.Payload: {
        const end = at + this.#length;
        if (end > bytes.length) return -1;
        this.#state = State.Header;
        this.#sink.onFrame(this.#type, this.#flags, this.#stream, bytes.subarray(at, end));
        return end;
      }
      case State.PadLength:
        if (at >= bytes.length) return -1;
        this.#padding = bytes[at];
        if (this.#padding >= this.#length) {
          throw protocolError("padding longer than the frame");
        }
        this.#left = this.#length - 1 - this.#padding;
        this.#state = State.Data;
        return at + 1;
      case State.Data: {
        const end = Math.min(bytes.length, at + this.#left);
        if (end > at) {
          this.#left -= end - at;
          this.#sink.onDataContent(bytes.subarray(at, end), this.#left === 0);
        }
        if (this.#left > 0) return end > at ? end : -1;
        this.#left = this.#padding;
        this.#state = State.Padding;
        return end;
      }
      case State.Padding: {
        const end = Math.min(bytes.length, at + this.#left);
        this.#left -= end - at;
        if (this.#left > 0) return end > at ? end : -1;
        this.#state = State.Header;
        this.#sink.onDataFrameEnd();
        return end;
      }
    }
  }

  #header(bytes: Buffer, at: number): number {
    this.#length = (bytes[at] << 16) | (bytes[at + 1] << 8) | bytes[at + 2];
    this.#type = bytes[at + 3];
    this.#flags = bytes[at + 4];
    this.#stream = read31(bytes, at + 5);
    if (this.#length > DEFAULT_FRAME_SIZE) {
      throw new ConnectionError(ErrorCode.FrameSizeError, "frame above SETTINGS_MAX_FRAME_SIZE");
    }
    if (this.#type !== FrameType.Data) this.#state = State.Payload;
    else {
      this.#padding = 0;
      this.#left = this.#length;
      if ((this.#flags & Flag.Padded) === 0) this.#state = State.Data;
      else if (this.#length === 0) {
        throw new ConnectionError(ErrorCode.FrameSizeError, "padded frame without pad length");
      } else this.#state = State.PadLength;
      this.#sink.onDataFrame(this.#stream, this.#flags, this.#length);
    }
    return at + FRAME_HEADER;
  }
}
