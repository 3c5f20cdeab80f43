import { Buffer } from "node:buffer";
import type { HeaderBlock } from "../message/header_block.ts";
import { Budget } from "./budget.ts";
import { type DataHost, DataReceiver } from "./data_receiver.ts";
import type { FieldSection } from "./field_section.ts";
import {
  ConnectionError,
  DEFAULT_FRAME_SIZE,
  DEFAULT_WINDOW,
  ErrorCode,
  Flag,
  FrameType,
  MAX_WINDOW,
  protocolError,
  read31,
  read32,
  type Setting,
} from "./frame.ts";
import { type ByteSink, type FlushScheduler, FrameOutput } from "./frame_output.ts";
import { FrameReader, type FrameSink } from "./frame_reader.ts";
import { HpackDecoder } from "./hpack_decoder.ts";
import { HpackEncoder } from "./hpack_encoder.ts";
import { PeerSettings } from "./peer_settings.ts";
import { type EncodedSection, SectionAssembler } from "./section_assembler.ts";
import { SendScheduler } from "./send_scheduler.ts";
import type { MemoryAccount, Stream, StreamSession } from "./stream.ts";

const NOTHING = Buffer.alloc(0);
/** Bytes of dynamic table that we offer. */
const TABLE_CAPACITY = 4096;
/** Streams that we reset and for which frames may still be on their way. */
const REMEMBERED_RESETS = 256;
/** Answers to control frames that may wait for a peer that does not read. */
const MAX_QUEUED_ANSWERS = 1_000;
/** Resets at once and per second; control frames likewise. Browsers stay far below. */
const RESETS = [100, 50] as const;
const CONTROL = [1_000, 200] as const;

/** What both sides of HTTP/2 are configured with. */
export interface SessionOptions {
  readonly sink: ByteSink;
  readonly scheduler: FlushScheduler;
  readonly memory: MemoryAccount;
  /** Milliseconds, monotonic. */
  readonly clock: { readonly now: number };
  /** Shared by the connections of a worker: a section is used up in the turn it is decoded. */
  readonly section: FieldSection;
  /** Bytes that the peer may send on one stream, and on all of them, before it must wait. */
  readonly streamWindow: number;
  readonly connectionWindow: number;
  /**
   * Give the connection's window back as content arrives: one stream that waits must not hold up those of
   * other clients; its own window bounds what is kept. Otherwise it is given back as content is used.
   */
  readonly creditsOnReceipt: boolean;
  /**
   * The peer is one that we chose: resets do not count against it, and what it still sends for streams
   * that are over is ignored.
   */
  readonly lenient: boolean;
  /** Encoded bytes and frames of one field section. */
  readonly maxBlock: number;
  readonly maxContinuations: number;
  readonly settings: readonly (readonly [Setting, number])[];
}

/**
 * One HTTP/2 connection as a machine that is fed with bytes (RFC 9113). What is the same for a server and
 * a client is here; who opens streams and what their fields mean is the subclass's.
 */
export abstract class Session<S extends Stream> implements FrameSink, StreamSession {
  readonly output: FrameOutput;
  readonly memory: MemoryAccount;
  protected readonly streams = new Map<number, S>();
  protected readonly encoder = new HpackEncoder();
  protected readonly options: SessionOptions;
  protected readonly peer = new PeerSettings();
  /** Nothing more is read; what is queued may still leave. */
  protected failed = false;
  readonly #reader = new FrameReader(this);
  readonly #decoder = new HpackDecoder(TABLE_CAPACITY);
  readonly #sections: SectionAssembler;
  readonly #sender: SendScheduler<S>;
  readonly #resetByUs = new Set<number>();
  /** Streams with small pieces of content that wait for the end of the read. */
  readonly #undelivered = new Set<S>();
  readonly #resets: Budget;
  readonly #control: Budget;
  readonly #content: DataReceiver<S>;

  constructor(options: SessionOptions) {
    this.options = options;
    this.memory = options.memory;
    this.output = new FrameOutput(options.sink, options.scheduler);
    this.#sections = new SectionAssembler(options.maxBlock, options.maxContinuations);
    this.#sender = new SendScheduler(this.output, {
      sendTrailers: (stream, lines) => this.sendTrailerSection(stream, lines),
      settle: (stream) => this.settle(stream),
    });
    this.#content = new DataReceiver(
      this.#contentHost(),
      options.connectionWindow,
      options.creditsOnReceipt,
    );
    const { now } = options.clock;
    this.#resets = new Budget(...RESETS, now);
    this.#control = new Budget(...CONTROL, now);
  }

  /** Whether a stream with this id was never opened. */
  protected abstract isIdle(id: number): boolean;
  /** Highest stream of the peer that was handled. */
  protected abstract get lastPeerStream(): number;
  /** Where the regular fields of the next section of a stream go. */
  protected abstract blockFor(id: number): HeaderBlock;
  /**
   * A complete field section, decoded into `options.section`. Called for streams that are gone too;
   * what nobody wants is ignored.
   */
  protected abstract onSection(id: number, ended: boolean): void;
  /** Encodes trailer lines as the section that ends the stream. */
  protected abstract sendTrailerSection(stream: S, lines: Buffer): void;
  /** A stream is over, whichever way. */
  protected abstract onStreamGone(stream: S): void;
  /** The connection cannot go on: what is queued leaves, then it ends. */
  protected abstract onFailure(code: ErrorCode): void;
  protected abstract onGoAway(lastStream: number, code: ErrorCode): void;
  /** The peer's settings have changed. */
  protected abstract onSettings(): void;
  protected abstract onPingAck(payload: Buffer): void;

  /** Sends what a side sends first. */
  protected sendPreface(): void {
    const { settings, connectionWindow } = this.options;
    this.output.settings(settings);
    if (connectionWindow > DEFAULT_WINDOW) {
      this.output.windowUpdate(0, connectionWindow - DEFAULT_WINDOW);
    }
  }

  /** Takes bytes from the peer. */
  receive(view: Buffer): void {
    if (this.failed) return;
    try {
      this.#reader.receive(view);
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
      this.fail(error.code, error.message);
    }
    if (this.#undelivered.size > 0) this.#deliver();
    this.#sender.pumpGranted();
  }

  /** What the peer sends after the frame at hand waits for `readOn`. */
  protected holdReading(): void {
    this.#reader.hold();
  }

  /** Takes what has waited. */
  protected readOn(): void {
    this.#reader.goOn();
    this.receive(NOTHING);
  }

  #deliver(): void {
    const streams = [...this.#undelivered];
    this.#undelivered.clear();
    for (const stream of streams) stream.deliver();
  }

  deliverLater(stream: Stream): void {
    this.#undelivered.add(stream as S);
  }

  /** Nothing more is read: the connection is about to end. */
  protected stopReading(): void {
    this.failed = true;
    this.#reader.stop();
  }

  /** Whether a frame or field section has begun and is not complete. */
  get withinMessage(): boolean {
    return this.#sections.stream !== 0 || (this.#reader.withinFrame && !this.#content.receiving);
  }

  /** The peer takes bytes again. */
  drained(): void {
    this.output.drained();
    this.#sender.pumpAll();
  }

  /** Ends the connection for an error of the peer. */
  protected fail(code: ErrorCode, message: string): void {
    if (this.failed) return;
    this.stopReading();
    this.output.goAway(this.lastPeerStream, code, message);
    this.output.flush();
    this.onFailure(code);
  }

  /** Forgets all streams, telling each. */
  protected dropStreams(code: ErrorCode): void {
    for (const stream of [...this.streams.values()]) {
      this.#remove(stream);
      stream.onReset(code, true);
    }
  }

  protected addStream(stream: S): void {
    this.streams.set(stream.id, stream);
  }

  pump(stream: Stream): boolean {
    return this.#sender.pump(stream as S);
  }

  consumed(stream: Stream, bytes: number): void {
    this.#content.used(bytes);
    if (stream.closed || stream.remoteEnded) return;
    stream.unreturned += bytes;
    // A peer whose content waits already is not asked for more.
    if (stream.receivingPaused || stream.unreturned === 0) return;
    const { streamWindow } = this.options;
    if (stream.windowSize < streamWindow) {
      stream.unreturned += streamWindow - stream.windowSize;
      stream.windowSize = streamWindow;
    } else if (stream.unreturned * 2 < stream.windowSize) return;
    stream.receiveWindow += stream.unreturned;
    this.output.windowUpdate(stream.id, stream.unreturned);
    stream.unreturned = 0;
  }

  resetStream(stream: Stream, code: ErrorCode): void {
    if (stream.closed) return;
    this.#sendReset(stream.id, code);
    this.#remove(stream as S);
    stream.onReset(code, false);
  }

  settle(stream: Stream): void {
    if (stream.closed || !stream.localEnded) return;
    // What the peer sent last may still wait to be wanted.
    if (stream.remoteEnded && !stream.undelivered) this.#remove(stream as S);
    else if (stream.leaving) stream.linger();
  }

  /**
   * Ends a stream of which we are done but the peer is not, without telling the stream.
   * @param byPeer whether the peer caused it: what a backend broke off is not its fault
   */
  leaveStream(stream: S, code: ErrorCode, byPeer = false): void {
    if (stream.closed) return;
    this.#rememberReset(stream.id);
    this.output.reset(stream.id, code);
    this.#remove(stream);
    if (byPeer) this.spendReset();
  }

  /**
   * Sends a field section.
   * @param bound bytes that `encode` writes at most
   */
  protected sendSection(
    stream: S,
    ended: boolean,
    bound: number,
    encode: (out: Buffer, at: number) => number,
  ): void {
    this.output.headers(stream.id, ended, bound, DEFAULT_FRAME_SIZE, encode);
    if (!ended) return;
    stream.localEnded = true;
    this.settle(stream);
  }

  onFrame(type: number, flags: number, stream: number, payload: Buffer): void {
    const open = this.#sections.stream;
    if (open !== 0 && (type !== FrameType.Continuation || stream !== open)) {
      throw protocolError("frame within a field section");
    }
    if (!this.peer.seen && type !== FrameType.Settings) {
      throw protocolError("SETTINGS must be first");
    }
    switch (type) {
      case FrameType.Headers:
        return this.#section(this.#sections.headers(flags, stream, payload));
      case FrameType.Continuation:
        return this.#section(this.#sections.continuation(flags, payload));
      case FrameType.Priority:
        return this.#onPriority(stream, payload);
      case FrameType.RstStream:
        return this.#onReset(stream, payload);
      case FrameType.Settings:
        return this.#onSettings(flags, stream, payload);
      case FrameType.PushPromise:
        throw protocolError("push is not allowed");
      case FrameType.Ping:
        return this.#onPing(flags, stream, payload);
      case FrameType.GoAway:
        if (stream !== 0) throw protocolError("GOAWAY on a stream");
        if (payload.length < 8) throw frameSize("GOAWAY");
        this.#spendControl(1);
        return this.onGoAway(read31(payload, 0), read32(payload, 4));
      case FrameType.WindowUpdate:
        return this.#onWindowUpdate(stream, payload);
      default:
        // Unknown types are ignored (section 4.1), but not without end.
        this.#spendControl(1);
    }
  }

  onDataFrame(id: number, flags: number, length: number): void {
    if (this.#sections.stream !== 0) throw protocolError("frame within a field section");
    if (!this.peer.seen) throw protocolError("SETTINGS must be first");
    this.#content.begin(id, flags, length);
  }

  onDataContent(view: Buffer, last: boolean): void {
    this.#content.content(view, last);
  }

  onDataFrameEnd(): void {
    this.#content.end();
  }

  #contentHost(): DataHost<S> {
    return {
      openWindow: (increment) => {
        if (!this.failed) this.output.windowUpdate(0, increment);
      },
      isIdle: (id) => this.isIdle(id),
      open: (id) => this.streams.get(id),
      dataAfterEnd: (id, ended) => this.#dataAfterEnd(id, ended),
      emptyData: () => this.#spendControl(2),
      resetStream: (stream, code) => this.resetStream(stream, code),
    };
  }

  #dataAfterEnd(id: number, ended: boolean): void {
    this.#spendControl(1);
    if (!this.options.lenient && !this.#resetByUs.has(id)) {
      this.#sendReset(id, ErrorCode.StreamClosed);
    } else if (ended) this.#resetByUs.delete(id);
  }

  #remove(stream: S): void {
    if (stream.closed) return;
    this.streams.delete(stream.id);
    this.#sender.forget(stream);
    // What was kept for it will not be used: the connection's window gets it back.
    this.#content.used(stream.release());
    this.onStreamGone(stream);
  }

  /** Resets a stream for what the peer did. */
  #sendReset(id: number, code: ErrorCode): void {
    this.#rememberReset(id);
    this.output.reset(id, code);
    // Resets that the peer makes us send are as much work as those it sends itself (CVE-2025-8671).
    // Streams above the limit are opened in good faith before our settings arrive.
    if (code === ErrorCode.RefusedStream) this.#spendControl(1);
    else if (code !== ErrorCode.NoError && code !== ErrorCode.Cancel) this.spendReset();
  }

  #rememberReset(id: number): void {
    this.#resetByUs.add(id);
    if (this.#resetByUs.size <= REMEMBERED_RESETS) return;
    const [oldest] = this.#resetByUs;
    this.#resetByUs.delete(oldest);
  }

  /** Counts a reset against the peer. */
  protected spendReset(): void {
    if (this.options.lenient) return;
    if (!this.#resets.spend(1, this.options.clock.now)) {
      this.fail(ErrorCode.EnhanceYourCalm, "too many resets");
    }
  }

  #spendControl(cost: number): void {
    const spent = this.#control.spend(cost, this.options.clock.now);
    if (!spent || this.output.queuedAnswers > MAX_QUEUED_ANSWERS) {
      throw new ConnectionError(ErrorCode.EnhanceYourCalm, "too many control frames");
    }
  }

  #section(section: EncodedSection | null): void {
    if (section === null) return;
    const { stream: id, ended, selfDependent, view, start, end } = section;
    const target = this.options.section;
    target.begin(this.blockFor(id));
    if (!this.#decoder.decode(view, start, end, target)) {
      throw new ConnectionError(ErrorCode.CompressionError, "bad field block");
    }
    this.onSection(id, ended);
    if (!selfDependent) return;
    const stream = this.streams.get(id);
    if (stream !== undefined) this.resetStream(stream, ErrorCode.ProtocolError);
  }

  /** For subclasses: the peer broke the protocol. */
  protected protocolError(message: string): never {
    throw protocolError(message);
  }

  /** For subclasses: the peer used a stream that it knows to be over. */
  protected closedStream(): never {
    throw new ConnectionError(ErrorCode.StreamClosed, "stream is closed");
  }

  /** Whether frames of a stream that is gone were under way when we ended it; each costs the peer. */
  protected wasResetByUs(id: number, ended: boolean): boolean {
    this.#spendControl(1);
    const known = this.#resetByUs.has(id);
    // The peer has ended it too: whatever comes now is an error.
    if (ended) this.#resetByUs.delete(id);
    return known;
  }

  /** An error of one stream that may not exist here (any more). */
  protected streamError(id: number, code: ErrorCode): void {
    const stream = this.streams.get(id);
    if (stream !== undefined) this.resetStream(stream, code);
    else this.#sendReset(id, code);
  }

  #onPriority(id: number, payload: Buffer): void {
    if (id === 0) throw protocolError("PRIORITY on stream 0");
    this.#spendControl(1);
    if (payload.length !== 5) this.streamError(id, ErrorCode.FrameSizeError);
    else if (read31(payload, 0) === id) this.streamError(id, ErrorCode.ProtocolError);
  }

  #onReset(id: number, payload: Buffer): void {
    if (id === 0) throw protocolError("RST_STREAM on stream 0");
    if (payload.length !== 4) throw frameSize("RST_STREAM");
    if (this.isIdle(id)) throw protocolError("RST_STREAM on an idle stream");
    const stream = this.streams.get(id);
    if (stream === undefined) {
      if (!this.options.lenient) this.#spendControl(1);
      return;
    }
    this.#remove(stream);
    stream.onReset(read32(payload, 0), true);
    this.spendReset();
  }

  #onSettings(flags: number, id: number, payload: Buffer): void {
    if (id !== 0) throw protocolError("SETTINGS on a stream");
    if ((flags & Flag.Ack) !== 0) {
      if (payload.length !== 0) throw frameSize("SETTINGS");
      this.#spendControl(1);
      if (!this.peer.seen) throw protocolError("SETTINGS must be first");
      return;
    }
    if (payload.length % 6 !== 0) throw frameSize("SETTINGS");
    this.#spendControl(5 + payload.length / 60);
    const { initialWindow, headerTable } = this.peer;
    this.peer.apply(payload);
    if (this.peer.headerTable !== headerTable) this.encoder.setCapacity(this.peer.headerTable);
    const change = this.peer.initialWindow - initialWindow;
    for (const stream of change === 0 ? [] : this.streams.values()) {
      stream.sendWindow += change;
      if (stream.sendWindow > MAX_WINDOW) {
        throw new ConnectionError(ErrorCode.FlowControlError, "window above its maximum");
      }
    }
    this.output.settingsAck();
    this.#sender.streamsGranted();
    this.onSettings();
  }

  #onPing(flags: number, id: number, payload: Buffer): void {
    if (id !== 0) throw protocolError("PING on a stream");
    if (payload.length !== 8) throw frameSize("PING");
    // Whoever measures the path sends one for what it receives.
    if (!this.#sender.countAnswer()) this.#spendControl(1);
    if ((flags & Flag.Ack) !== 0) this.onPingAck(payload);
    else this.output.ping(payload, true);
  }

  #onWindowUpdate(id: number, payload: Buffer): void {
    if (payload.length !== 4) throw frameSize("WINDOW_UPDATE");
    const increment = read31(payload, 0);
    if (!this.#sender.countAnswer()) this.#spendControl(1);
    if (id === 0) {
      if (increment === 0) throw protocolError("empty WINDOW_UPDATE");
      this.#sender.grant(increment);
      return;
    }
    if (this.isIdle(id)) throw protocolError("WINDOW_UPDATE on an idle stream");
    const stream = this.streams.get(id);
    if (stream === undefined) return;
    if (increment === 0) {
      this.resetStream(stream, ErrorCode.ProtocolError);
      return;
    }
    stream.sendWindow += increment;
    if (stream.sendWindow > MAX_WINDOW) this.resetStream(stream, ErrorCode.FlowControlError);
    else this.#sender.streamsGranted();
  }
}

function frameSize(frame: string): ConnectionError {
  return new ConnectionError(ErrorCode.FrameSizeError, `size of ${frame}`);
}
