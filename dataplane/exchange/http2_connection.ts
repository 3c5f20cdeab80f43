import { Buffer } from "node:buffer";
import { LIMIT } from "../config/defaults.ts";
import { PREFACE } from "../http2/preface.ts";
import { ErrorCode, MAX_WINDOW, Setting } from "../http2/frame.ts";
import { FieldSection } from "../http2/field_section.ts";
import { readRequest } from "../http2/read_request.ts";
import { Session } from "../http2/session.ts";
import {
  encodedBound,
  encodedHeadBound,
  encodeLocal,
  encodeResponse,
  encodeTrailers,
  localLines,
} from "../http2/write_fields.ts";
import type { ClientShare } from "../loop/client_shares.ts";
import type { HeldConnection } from "../loop/client_turns.ts";
import { HeaderBlock } from "../message/header_block.ts";
import type { LocalAnswer } from "../message/local_answer.ts";
import { REFUSAL_STATUS, RequestHead } from "../message/request_head.ts";
import type { ResponseHead } from "../message/response_head.ts";
import { trailerBlock, trailerLines } from "../message/trailers.ts";
import type { Connection, ConnectionEvents } from "../net/transport.ts";
import type { Deadlined } from "../loop/ticker.ts";
import type { Engine, PortRuntime } from "./engine.ts";
import { Http2Stream } from "./http2_stream.ts";
import { httpDate } from "./http_date.ts";
import type { Peer } from "./peer.ts";

/** Scratch of all sessions of a worker: a section is used up in the turn it is decoded. */
const section = new FieldSection(LIMIT.headBytes, 4 * LIMIT.headBytes, true);
const head = new RequestHead(LIMIT.fields);
const trailers = new HeaderBlock(LIMIT.fields);
const own = new HeaderBlock(16);

const SETTINGS = [
  [Setting.MaxConcurrentStreams, LIMIT.streams],
  [Setting.InitialWindowSize, LIMIT.initialStreamWindow],
  [Setting.MaxHeaderListSize, LIMIT.headBytes],
  [Setting.EnableConnectProtocol, 1],
] as const;

/** One HTTP/2 connection of a client (RFC 9113). */
export class Http2Connection extends Session<Http2Stream>
  implements ConnectionEvents, Deadlined, HeldConnection {
  deadline: number;
  tickerSlot = -1;
  readonly engine: Engine;
  readonly port: PortRuntime;
  readonly client: Peer;
  readonly #connection: Connection;
  readonly #onClosed: (connection: Http2Connection) => void;
  #preface = 0;
  #lastStream = 0;
  #served = 0;
  readonly #retireAt: number;
  /** Highest stream that is still taken; lower once GOAWAY was sent. */
  #lastTaken = MAX_WINDOW;
  #draining = false;
  /** The first GOAWAY is out, the last is not. */
  #awaitingPing = false;
  /** A frame or field section has begun and is not complete. */
  #slow = false;
  #readingPaused = false;
  /** Requests that were received wait for the client's next turn. */
  #held = false;
  #ending = false;
  #closed = false;

  constructor(
    engine: Engine,
    port: PortRuntime,
    connection: Connection,
    peer: Peer,
    onClosed: (connection: Http2Connection) => void,
  ) {
    super({
      sink: connection,
      scheduler: engine.turnEnd,
      memory: peer.share,
      clock: engine.ticker,
      section,
      streamWindow: LIMIT.streamWindow,
      connectionWindow: LIMIT.connectionWindow,
      creditsOnReceipt: false,
      lenient: false,
      maxBlock: 2 * LIMIT.headBytes,
      maxContinuations: LIMIT.continuations,
      settings: SETTINGS,
    });
    this.engine = engine;
    this.port = port;
    this.client = peer;
    this.#connection = connection;
    this.#onClosed = onClosed;
    this.deadline = engine.ticker.now + LIMIT.requestHead;
    this.#retireAt = engine.ticker.now + LIMIT.connectionLifetime;
    engine.ticker.add(this);
    this.sendPreface();
  }

  onData(view: Buffer): void {
    if (this.#ending) return;
    let bytes = view;
    if (this.#preface < PREFACE.length) {
      const length = Math.min(PREFACE.length - this.#preface, view.length);
      for (let i = 0; i < length; i++) {
        if (view[i] === PREFACE[this.#preface + i]) continue;
        this.fail(ErrorCode.ProtocolError, "no connection preface");
        return;
      }
      this.#preface += length;
      bytes = view.subarray(length);
      if (bytes.length === 0) return;
    }
    if (this.engine.clientTurns.isOver(this.share)) this.#hold();
    this.receive(bytes);
    this.#received();
  }

  get share(): ClientShare {
    return this.client.share;
  }

  /** The client's next requests are read when others have had their turn. */
  #hold(): void {
    this.holdReading();
    if (this.#held) return;
    this.#held = true;
    this.#connection.pause();
    this.engine.clientTurns.hold(this);
  }

  goOn(): void {
    this.#held = false;
    if (this.#ending || this.#closed) return;
    this.readOn();
    this.#received();
    if (!this.#held && !this.#readingPaused) this.#connection.resume();
  }

  /** What was received has been handled. */
  #received(): void {
    this.#watch();
    if (!this.output.blocked || this.#ending || this.#readingPaused) return;
    // Whoever does not read what we answer must not ask for more.
    this.#readingPaused = true;
    this.#connection.pause();
    this.deadline = this.engine.ticker.now + LIMIT.bodyProgress;
  }

  /** A frame or field section that has begun has a deadline; else open streams have their own. */
  #watch(): void {
    if (this.#ending || !this.peer.seen) return;
    const { now } = this.engine.ticker;
    if (this.withinMessage) {
      if (this.#slow) return;
      this.#slow = true;
      this.deadline = Math.min(this.deadline, now + LIMIT.requestHead);
    } else if (this.streams.size > 0 && !this.#awaitingPing) {
      this.#slow = false;
      this.deadline = Infinity;
    } else if (this.#slow) {
      this.#slow = false;
      this.deadline = now + LIMIT.idle;
    }
  }

  onDrain(): void {
    this.drained();
    if (!this.#readingPaused || this.output.blocked) return;
    this.#readingPaused = false;
    this.deadline = this.streams.size > 0 ? Infinity : this.engine.ticker.now + LIMIT.idle;
    if (!this.#held) this.#connection.resume();
  }

  /**
   * The client has gone: it says CANCEL and GOAWAY while it lives, and without it no window opens any
   * more and no content ends.
   */
  onEnd(): void {
    if (this.#ending) return;
    this.onClose();
    this.#connection.close();
  }

  onClose(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.failed = true;
    this.output.close();
    this.deadline = Infinity;
    this.engine.ticker.remove(this);
    this.dropStreams(ErrorCode.Cancel);
    this.#onClosed(this);
  }

  onFault(): void {
    this.#connection.reset();
  }

  onDeadline(): void {
    if (this.#ending) this.#connection.close();
    else if (this.#readingPaused) {
      this.fail(ErrorCode.EnhanceYourCalm, "answers are not read");
      this.#connection.close();
    } else if (this.withinMessage || !this.peer.seen) {
      this.fail(ErrorCode.EnhanceYourCalm, "too slow");
    } else if (this.#awaitingPing) this.onPingAck();
    else this.#end();
  }

  /** Takes no further streams; ends with the last of those it has. */
  drain(): void {
    if (this.#draining || this.failed) return;
    this.#draining = true;
    // Streams that the client has opened meanwhile are still served (section 6.8).
    this.output.goAway(MAX_WINDOW, ErrorCode.NoError, "");
    this.output.ping(DRAIN_PING, false);
    this.#awaitingPing = true;
    this.deadline = this.engine.ticker.now +
      (this.streams.size === 0 ? LIMIT.drainLingering : LIMIT.lingering);
  }

  protected onPingAck(): void {
    if (!this.#draining || this.#lastTaken !== MAX_WINDOW) return;
    // Whatever the client opens from here on it opened after it had read the first GOAWAY.
    this.#awaitingPing = false;
    this.#lastTaken = this.#lastStream;
    this.output.goAway(this.#lastTaken, ErrorCode.NoError, "");
    if (this.streams.size === 0) this.#end();
    else this.deadline = Infinity;
  }

  sendResponse(stream: Http2Stream, answer: ResponseHead, status: number, ended: boolean): void {
    this.sendSection(
      stream,
      ended,
      encodedHeadBound(answer),
      (out, at) => encodeResponse(this.encoder, answer, status, out, at),
    );
  }

  /** Sends an answer of our own; returns its bytes. */
  sendLocal(stream: Http2Stream, answer: LocalAnswer, body: string): number {
    const date = httpDate(this.engine.timeOrigin + performance.now());
    const lines = localLines(answer, date, answer.reason === "" && answer.status === 200);
    own.parse(lines, 0, lines.length);
    const encode = (out: Buffer, at: number) =>
      encodeLocal(this.encoder, answer.status, own, out, at);
    this.sendSection(stream, body === "", encodedBound(own), encode);
    if (body !== "") stream.sendOwnBody(Buffer.from(body, "latin1"));
    return lines.length + body.length;
  }

  /** Ends a stream of which the client still sends, once our answer has left. */
  leaveWhenSent(stream: Http2Stream): void {
    stream.leaving = true;
    if (stream.localEnded || stream.endQueued) this.settle(stream);
    else this.leaveStream(stream, ErrorCode.InternalError);
  }

  protected isIdle(id: number): boolean {
    return id % 2 === 0 || id > this.#lastStream;
  }

  protected get lastPeerStream(): number {
    return Math.min(this.#lastStream, this.#lastTaken);
  }

  protected blockFor(id: number): HeaderBlock {
    return this.streams.has(id) ? trailers : head.block;
  }

  protected onSection(id: number, ended: boolean): void {
    const known = this.streams.get(id);
    if (known !== undefined) {
      this.#onTrailers(known, ended);
      return;
    }
    if (id % 2 === 0) this.protocolError("even stream id");
    if (id <= this.#lastStream) {
      if (!this.wasResetByUs(id, ended)) this.closedStream();
      return;
    }
    this.#lastStream = id;
    if (id > this.#lastTaken) return;
    if (this.streams.size >= LIMIT.streams && !this.#endLingering()) {
      this.streamError(id, ErrorCode.RefusedStream);
      return;
    }
    this.#open(id, ended);
  }

  /** Ends the oldest stream whose response has left; false for none. */
  #endLingering(): boolean {
    for (const stream of this.streams.values()) {
      if (!stream.lingering) continue;
      this.leaveStream(stream, ErrorCode.NoError);
      return true;
    }
    return false;
  }

  #open(id: number, ended: boolean): void {
    const reading = readRequest(section, head, ended);
    if (reading === "malformed") {
      this.streamError(id, ErrorCode.ProtocolError);
      return;
    }
    const stream = new Http2Stream(this, id, this.peer.initialWindow, LIMIT.initialStreamWindow);
    this.addStream(stream);
    const old = this.engine.ticker.now >= this.#retireAt;
    if (++this.#served >= LIMIT.requestsPerConnection || old) this.drain();
    const { refusal } = head;
    if (reading === "refused") {
      stream.refuse(REFUSAL_STATUS[refusal!], refusal!, head.grpc, ended);
    } else if (head.targetEnd - head.targetStart > LIMIT.targetBytes) {
      stream.refuse(414, "target_too_long", head.grpc, ended);
    } else stream.start(head, ended);
    if (this.engine.clientTurns.begun(this.share)) this.#hold();
  }

  #onTrailers(stream: Http2Stream, ended: boolean): void {
    if (stream.remoteEnded) this.resetStream(stream, ErrorCode.StreamClosed);
    else if (!ended || section.hasPseudo || section.malformed !== "") {
      this.resetStream(stream, ErrorCode.ProtocolError);
    } else if (stream.expected >= 0 && stream.received !== stream.expected) {
      this.resetStream(stream, ErrorCode.ProtocolError);
    } else stream.receiveEnd(section.tooLarge ? null : trailerLines(trailers));
  }

  protected sendTrailerSection(stream: Http2Stream, lines: Buffer): void {
    const block = trailerBlock(lines);
    this.sendSection(
      stream,
      true,
      encodedBound(block),
      (out, at) => encodeTrailers(this.encoder, block, out, at),
    );
  }

  protected onStreamGone(stream: Http2Stream): void {
    stream.gone();
    if (this.streams.size > 0 || this.failed) return;
    if (this.#draining && !this.#awaitingPing) {
      this.#end();
      return;
    }
    const patience = this.#draining ? LIMIT.drainLingering : LIMIT.idle;
    this.deadline = this.engine.ticker.now + patience;
  }

  protected onGoAway(): void {
    this.#draining = true;
    this.#lastTaken = this.#lastStream;
    if (this.streams.size === 0) this.#end();
  }

  protected onSettings(): void {
    if (this.streams.size === 0) this.deadline = this.engine.ticker.now + LIMIT.idle;
  }

  protected onFailure(): void {
    this.dropStreams(ErrorCode.Cancel);
    this.#finish();
  }

  /** Ends an unused connection. */
  #end(): void {
    if (this.failed) return;
    this.stopReading();
    this.output.goAway(this.lastPeerStream, ErrorCode.NoError, "");
    this.output.flush();
    this.dropStreams(ErrorCode.Cancel);
    this.#finish();
  }

  #finish(): void {
    if (this.#ending || this.#closed) return;
    this.#ending = true;
    this.#connection.end();
    this.#connection.resume();
    this.deadline = this.engine.ticker.now + LIMIT.lingering;
  }
}

const DRAIN_PING = Buffer.from("draining", "latin1");
