import { Buffer } from "node:buffer";
import { copy } from "../message/bytes.ts";
import {
  ErrorCode,
  Flag,
  FRAME_HEADER,
  FrameType,
  put32,
  putFrameHeader,
  Setting,
} from "./frame.ts";

/** Where the bytes of a session go. */
export interface ByteSink {
  /** Takes the bytes over; false asks to wait until the peer has taken what is queued. */
  write(bytes: Uint8Array): boolean;
  writeBoth(first: Uint8Array, second: Uint8Array): boolean;
  /** Drops the connection at once. */
  reset(): void;
}

/** Asks to be flushed at the end of the turn. */
export interface FlushScheduler {
  add(output: FrameOutput): void;
}

const CHUNK = 16 * 1024;
/** Content up to this size is copied behind its frame header; more leaves beside it. */
const COPY_LIMIT = 4 * 1024;
/** Largest rest of a chunk that an idle session lets go. */
const KEEP = 4 * 1024;

/** The frames that one connection sends, collected and written once a turn. */
export class FrameOutput {
  flushDue = false;
  readonly #sink: ByteSink;
  readonly #scheduler: FlushScheduler;
  #chunk: Buffer | null = null;
  /** Bounds of what is not written yet. */
  #start = 0;
  #at = 0;
  #blocked = false;
  #closed = false;
  /** Answers to control frames that wait for the peer to take bytes. */
  queuedAnswers = 0;

  constructor(sink: ByteSink, scheduler: FlushScheduler) {
    this.#sink = sink;
    this.#scheduler = scheduler;
  }

  /** The peer does not take bytes at the moment. */
  get blocked(): boolean {
    return this.#blocked;
  }

  drained(): void {
    this.#blocked = false;
    this.queuedAnswers = 0;
  }

  /** Drops what is queued and whatever follows. */
  close(): void {
    this.#closed = true;
    this.#chunk = null;
    this.#start = this.#at = 0;
  }

  /** Writes what was collected. */
  flush(): void {
    if (this.#at === this.#start || this.#chunk === null) return;
    const bytes = this.#chunk.subarray(this.#start, this.#at);
    this.#release();
    if (!this.#sink.write(bytes)) this.#blocked = true;
    else if (!this.#blocked) this.queuedAnswers = 0;
  }

  settings(values: readonly (readonly [Setting, number])[]): void {
    const out = this.#room(FRAME_HEADER + values.length * 6);
    let at = putFrameHeader(out, this.#at, values.length * 6, FrameType.Settings, 0, 0);
    for (const [setting, value] of values) {
      out[at] = 0;
      out[at + 1] = setting;
      at = put32(value, out, at + 2);
    }
    this.#at = at;
  }

  settingsAck(): void {
    this.#at = putFrameHeader(
      this.#room(FRAME_HEADER),
      this.#at,
      0,
      FrameType.Settings,
      Flag.Ack,
      0,
    );
    this.queuedAnswers++;
  }

  ping(payload: Uint8Array, ack: boolean): void {
    const out = this.#room(FRAME_HEADER + 8);
    const at = putFrameHeader(out, this.#at, 8, FrameType.Ping, ack ? Flag.Ack : 0, 0);
    this.#at = copy(payload, 0, 8, out, at);
    if (ack) this.queuedAnswers++;
  }

  windowUpdate(stream: number, increment: number): void {
    const out = this.#room(FRAME_HEADER + 4);
    const at = putFrameHeader(out, this.#at, 4, FrameType.WindowUpdate, 0, stream);
    this.#at = put32(increment, out, at);
  }

  reset(stream: number, code: ErrorCode): void {
    const out = this.#room(FRAME_HEADER + 4);
    const at = putFrameHeader(out, this.#at, 4, FrameType.RstStream, 0, stream);
    this.#at = put32(code, out, at);
    this.queuedAnswers++;
  }

  goAway(lastStream: number, code: ErrorCode, message: string): void {
    const text = Buffer.from(message, "latin1");
    const out = this.#room(FRAME_HEADER + 8 + text.length);
    let at = putFrameHeader(out, this.#at, 8 + text.length, FrameType.GoAway, 0, 0);
    at = put32(lastStream, out, at);
    at = put32(code, out, at);
    this.#at = copy(text, 0, text.length, out, at);
  }

  /** One DATA frame; `view` is copied or written before this returns. */
  data(stream: number, view: Uint8Array, start: number, end: number, ended: boolean): void {
    const length = end - start;
    const flags = ended ? Flag.EndStream : 0;
    if (length <= COPY_LIMIT) {
      const out = this.#room(FRAME_HEADER + length);
      const at = putFrameHeader(out, this.#at, length, FrameType.Data, flags, stream);
      this.#at = copy(view, start, end, out, at);
      return;
    }
    const out = this.#room(FRAME_HEADER);
    this.#at = putFrameHeader(out, this.#at, length, FrameType.Data, flags, stream);
    const before = out.subarray(this.#start, this.#at);
    this.#release();
    if (!this.#sink.writeBoth(before, view.subarray(start, end))) this.#blocked = true;
  }

  /**
   * A field section as HEADERS and, where it is larger than the peer's frames, CONTINUATION.
   * @param bound bytes that `encode` writes at most
   * @param encode writes the block at a position and returns the one after it
   */
  headers(
    stream: number,
    ended: boolean,
    bound: number,
    maxFrame: number,
    encode: (out: Buffer, at: number) => number,
  ): void {
    const flags = ended ? Flag.EndStream : 0;
    if (bound <= maxFrame) {
      const out = this.#room(FRAME_HEADER + bound);
      const start = this.#at + FRAME_HEADER;
      const end = encode(out, start);
      putFrameHeader(
        out,
        this.#at,
        end - start,
        FrameType.Headers,
        flags | Flag.EndHeaders,
        stream,
      );
      this.#at = end;
      return;
    }
    const block = Buffer.allocUnsafeSlow(bound);
    const length = encode(block, 0);
    for (let at = 0; at === 0 || at < length; at += maxFrame) {
      const size = Math.min(maxFrame, length - at);
      const last = at + size === length ? Flag.EndHeaders : 0;
      const out = this.#room(FRAME_HEADER + size);
      const type = at === 0 ? FrameType.Headers : FrameType.Continuation;
      const body = putFrameHeader(
        out,
        this.#at,
        size,
        type,
        at === 0 ? flags | last : last,
        stream,
      );
      this.#at = copy(block, at, at + size, out, body);
    }
  }

  /** The chunk with at least `size` bytes at `#at`. */
  #room(size: number): Buffer {
    if (!this.flushDue && !this.#closed) this.#scheduler.add(this);
    if (this.#chunk !== null && this.#chunk.length - this.#at >= size) return this.#chunk;
    this.flush();
    this.#start = this.#at = 0;
    return this.#chunk = Buffer.allocUnsafeSlow(Math.max(CHUNK, size));
  }

  /** What was collected is the sink's now; the rest of the chunk serves on. */
  #release(): void {
    this.#start = this.#at;
    if (this.#chunk !== null && this.#chunk.length - this.#at < KEEP) {
      this.#chunk = null;
      this.#start = this.#at = 0;
    }
  }

  onFault(): void {
    this.#sink.reset();
  }

  /** Lets memory go while nothing happens. */
  rest(): void {
    if (this.#start === this.#at) {
      this.#chunk = null;
      this.#start = this.#at = 0;
    }
  }
}
