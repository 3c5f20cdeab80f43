import type { Buffer } from "node:buffer";
import { ConnectionError, ErrorCode, Flag, protocolError } from "./frame.ts";
import type { Stream } from "./stream.ts";

/** What receiving content needs of its connection. */
export interface DataHost<S> {
  /** The peer may send so many bytes more on the connection. */
  openWindow(increment: number): void;
  /** Whether a stream with this id was never opened. */
  isIdle(id: number): boolean;
  /** An open stream, undefined for any other. */
  open(id: number): S | undefined;
  /** DATA came for a stream that is over. */
  dataAfterEnd(id: number, ended: boolean): void;
  /** Content that does not end anything was sent in a frame without any. */
  emptyData(): void;
  resetStream(stream: S, code: ErrorCode): void;
}

/** The receiving side of a connection's flow control, and the frame in which content arrives. */
export class DataReceiver<S extends Stream> {
  readonly #host: DataHost<S>;
  /** Bytes that the peer may have under way on all streams together. */
  readonly #most: number;
  readonly #creditsOnReceipt: boolean;
  #window: number;
  /** Bytes used that were not given back to the window yet. */
  #unreturned = 0;
  /** The frame being received: its stream, null when nobody wants it. */
  #stream: S | null = null;
  #ends = false;
  #length = 0;
  #content = 0;

  /**
   * @param window bytes of the connection's window, at least the 65,535 that every peer begins with
   * @param creditsOnReceipt give the window back as content arrives, not as it is used
   */
  constructor(host: DataHost<S>, window: number, creditsOnReceipt: boolean) {
    this.#host = host;
    this.#most = window;
    this.#window = window;
    this.#creditsOnReceipt = creditsOnReceipt;
  }

  /** Whether content of a frame that somebody wants is being received. */
  get receiving(): boolean {
    return this.#stream !== null;
  }

  /**
   * A frame begins.
   * @param length bytes of its payload, padding included: all of it counts (RFC 9113 section 6.1)
   */
  begin(id: number, flags: number, length: number): void {
    const host = this.#host;
    if (id === 0) throw protocolError("DATA on stream 0");
    if (host.isIdle(id)) throw protocolError("DATA on an idle stream");
    if (length > this.#window) {
      throw new ConnectionError(ErrorCode.FlowControlError, "connection window exceeded");
    }
    this.#window -= length;
    if (this.#creditsOnReceipt) this.#credit(length);
    this.#ends = (flags & Flag.EndStream) !== 0;
    this.#length = length;
    this.#content = 0;
    this.#stream = null;
    const stream = host.open(id);
    if (stream === undefined) host.dataAfterEnd(id, this.#ends);
    else if (stream.remoteEnded) host.resetStream(stream, ErrorCode.StreamClosed);
    else if (length > stream.receiveWindow) host.resetStream(stream, ErrorCode.FlowControlError);
    else {
      stream.receiveWindow -= length;
      this.#stream = stream;
    }
  }

  /** @param last whether the frame has no more content */
  content(view: Buffer, last: boolean): void {
    const stream = this.#stream;
    if (stream === null || stream.closed) return;
    this.#content += view.length;
    const ended = last && this.#ends;
    const total = stream.received + view.length;
    // Content that does not have the announced length must not pass as complete (section 8.1.1).
    if (stream.expected >= 0 && (total > stream.expected || (ended && total < stream.expected))) {
      this.used(view.length);
      this.#host.resetStream(stream, ErrorCode.ProtocolError);
    } else stream.receive(view, ended);
  }

  end(): void {
    const stream = this.#stream;
    this.#stream = null;
    const rest = this.#length - this.#content;
    if (this.#content === 0 && !this.#ends) this.#host.emptyData();
    if (stream === null || stream.closed) {
      // What nobody used is given back to the connection, or its window would shrink for ever.
      this.used(rest);
      return;
    }
    if (rest > 0) stream.session.consumed(stream, rest);
    if (!this.#ends || stream.remoteEnded) return;
    if (stream.expected >= 0 && stream.received !== stream.expected) {
      this.#host.resetStream(stream, ErrorCode.ProtocolError);
    } else stream.receiveEnd(null);
  }

  /** Content was used, or will not be: the connection's window gets it back. */
  used(bytes: number): void {
    if (!this.#creditsOnReceipt) this.#credit(bytes);
  }

  #credit(bytes: number): void {
    this.#unreturned += bytes;
    if (this.#unreturned * 2 < this.#most) return;
    this.#window += this.#unreturned;
    this.#host.openWindow(this.#unreturned);
    this.#unreturned = 0;
  }
}
