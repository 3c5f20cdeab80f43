import { Buffer } from "node:buffer";
import { LIMIT } from "../config/defaults.ts";
import { FieldSection } from "../http2/field_section.ts";
import { ErrorCode, Setting } from "../http2/frame.ts";
import { PREFACE } from "../http2/preface.ts";
import { readResponse } from "../http2/read_response.ts";
import { Session } from "../http2/session.ts";
import {
  encodedBound,
  encodeRequest,
  encodeTrailers,
  requestParts,
} from "../http2/write_fields.ts";
import { HeaderBlock } from "../message/header_block.ts";
import { ResponseHead } from "../message/response_head.ts";
import { trailerBlock, trailerLines } from "../message/trailers.ts";
import type { Connection, ConnectionEvents } from "../net/transport.ts";
import type { Deadlined } from "../loop/ticker.ts";
import { Http2UpstreamStream } from "./http2_upstream_stream.ts";
import type { PoolContext } from "./pool_context.ts";
import type { UpstreamUser } from "./upstream_stream.ts";

/** What a connection tells its pool. */
export interface Http2Owner {
  /** Streams may have become free. */
  onStreamsFree(connection: Http2Upstream): void;
  onGone(connection: Http2Upstream): void;
}

const section = new FieldSection(LIMIT.headBytes, 4 * LIMIT.headBytes);
const head = new ResponseHead(LIMIT.fields);
const trailers = new HeaderBlock(LIMIT.fields);
const request = new HeaderBlock(LIMIT.fields + 16);

const SETTINGS = [
  [Setting.EnablePush, 0],
  [Setting.InitialWindowSize, LIMIT.upstreamInitialWindow],
  [Setting.MaxHeaderListSize, LIMIT.headBytes],
] as const;

/** Ids end at 2^31 - 1; long before that a connection takes no more (RFC 9113 section 5.1.1). */
const LAST_ID = 0x7ffffff0;

/** One HTTP/2 connection to a backend. */
export class Http2Upstream extends Session<Http2UpstreamStream>
  implements ConnectionEvents, Deadlined {
  deadline = Infinity;
  tickerSlot = -1;
  /** Ticker time after which it takes no further exchange. */
  retireAt = Infinity;
  /** Its place in the order in which its pool opened connections. */
  number = 0;
  /** Exchanges that it has taken. */
  served = 0;
  /** Ticker time of the last sign of life. */
  lastReceived = 0;
  /** The connection itself has ended, not only streams of it. */
  lost = false;
  readonly #connection: Connection;
  readonly #owner: Http2Owner;
  readonly #context: PoolContext;
  readonly #maxRequests: number;
  #nextId = 1;
  #retired = false;
  #gone = false;

  constructor(
    connection: Connection,
    owner: Http2Owner,
    context: PoolContext,
    maxRequests: number,
  ) {
    super({
      sink: connection,
      scheduler: context.turnEnd,
      memory: context.overload,
      clock: context.ticker,
      section,
      streamWindow: LIMIT.streamWindow,
      connectionWindow: LIMIT.connectionWindow,
      creditsOnReceipt: true,
      lenient: true,
      maxBlock: 2 * LIMIT.headBytes,
      maxContinuations: LIMIT.continuations,
      settings: SETTINGS,
    });
    this.#connection = connection;
    this.#owner = owner;
    this.#context = context;
    this.#maxRequests = maxRequests;
    context.ticker.add(this);
  }

  /** Sends the preface. */
  start(): void {
    this.#connection.write(PREFACE);
    this.sendPreface();
  }

  /** Streams that are open now. */
  get size(): number {
    return this.streams.size;
  }

  /** Whether another stream may be opened. */
  get available(): boolean {
    return !this.#retired && !this.failed && this.streams.size < this.peer.maxStreams &&
      this.streams.size < LIMIT.upstreamStreams;
  }

  get secure(): boolean {
    return this.#connection.tls !== null;
  }

  get ticker(): PoolContext["ticker"] {
    return this.#context.ticker;
  }

  /** Opens a stream for a user, who sends its request in the call. */
  give(user: UpstreamUser): void {
    const reused = this.served++ > 0;
    const stream = new Http2UpstreamStream(
      this,
      this.#nextId,
      this.peer.initialWindow,
      LIMIT.upstreamInitialWindow,
      user,
      reused,
    );
    this.#nextId += 2;
    this.addStream(stream);
    this.deadline = Infinity;
    if (
      this.served >= this.#maxRequests || this.#nextId > LAST_ID ||
      this.#context.ticker.now >= this.retireAt
    ) this.#retired = true;
    user.onStream(stream);
  }

  /** Takes no further streams; ends with the last of those it has. */
  retire(): void {
    this.#retired = true;
    if (this.streams.size === 0) this.destroy();
  }

  /** @param deadline ticker time at which an unused connection ends */
  idleUntil(deadline: number): void {
    if (this.#retired) this.destroy();
    else {
      this.deadline = deadline;
      this.output.rest();
    }
  }

  /** Ends an unused connection. */
  destroy(): void {
    if (this.#gone) return;
    if (!this.failed) {
      this.stopReading();
      this.output.goAway(0, ErrorCode.NoError, "");
      this.output.flush();
    }
    this.output.close();
    this.#leave();
    this.#connection.end();
    this.#connection.close();
  }

  /** Sends the head of a request. */
  sendRequest(stream: Http2UpstreamStream, bytes: Buffer, ended: boolean): void {
    const parts = requestParts(bytes, request);
    this.sendSection(
      stream,
      ended,
      bytes.length + encodedBound(request),
      (out, at) => encodeRequest(this.encoder, bytes, parts, request, this.secure, out, at),
    );
  }

  onData(view: Buffer): void {
    this.lastReceived = this.#context.ticker.now;
    this.receive(view);
  }

  onDrain(): void {
    this.drained();
  }

  onEnd(): void {
    this.onClose();
    this.#connection.close();
  }

  onClose(): void {
    if (this.#gone) return;
    this.lost = true;
    this.stopReading();
    this.output.close();
    this.#leave();
    this.dropStreams(ErrorCode.InternalError);
  }

  onFault(): void {
    this.#connection.reset();
  }

  onDeadline(): void {
    if (this.streams.size === 0) this.destroy();
  }

  protected isIdle(id: number): boolean {
    return id % 2 === 0 || id >= this.#nextId;
  }

  protected get lastPeerStream(): number {
    return 0;
  }

  protected blockFor(id: number): HeaderBlock {
    return this.streams.get(id)?.answered === true ? trailers : head.block;
  }

  protected onSection(id: number, ended: boolean): void {
    if (this.isIdle(id)) this.protocolError("HEADERS on an idle stream");
    const stream = this.streams.get(id);
    // Its user has gone; the backend may not know yet.
    if (stream === undefined) return;
    if (stream.remoteEnded) {
      this.resetStream(stream, ErrorCode.StreamClosed);
      return;
    }
    if (stream.answered) {
      const valid = ended && !section.hasPseudo && section.malformed === "" &&
        (stream.expected < 0 || stream.received === stream.expected);
      if (!valid) this.#breaks(stream, "malformed trailers");
      else stream.receiveEnd(section.tooLarge ? null : trailerLines(trailers));
      return;
    }
    if (!readResponse(section, head, stream.method, ended)) this.#breaks(stream, head.error);
    else if (head.status < 200 && (ended || !stream.countInterim())) {
      this.#breaks(stream, ended ? "interim response that ends" : "too many interim responses");
    } else stream.onHead(head, ended);
  }

  #breaks(stream: Http2UpstreamStream, problem: string): void {
    stream.problem = problem;
    this.resetStream(stream, ErrorCode.ProtocolError);
  }

  protected sendTrailerSection(stream: Http2UpstreamStream, lines: Buffer): void {
    const block = trailerBlock(lines);
    this.sendSection(
      stream,
      true,
      encodedBound(block),
      (out, at) => encodeTrailers(this.encoder, block, out, at),
    );
  }

  protected onStreamGone(stream: Http2UpstreamStream): void {
    stream.gone();
    if (this.#gone) return;
    if (this.#retired && this.streams.size === 0) this.destroy();
    else this.#owner.onStreamsFree(this);
  }

  /** Streams above `lastStream` were not processed and may be sent elsewhere. */
  protected onGoAway(lastStream: number): void {
    this.#retired = true;
    for (const stream of [...this.streams.values()]) {
      if (stream.id > lastStream) stream.refused();
    }
    if (this.streams.size === 0) this.destroy();
  }

  protected onSettings(): void {
    if (this.peer.push === true) this.protocolError("SETTINGS_ENABLE_PUSH of a server");
    this.#owner.onStreamsFree(this);
  }

  protected onPingAck(): void {}

  protected onFailure(): void {
    this.#leave();
    this.dropStreams(ErrorCode.ProtocolError);
    this.#connection.end();
    this.#connection.close();
  }

  #leave(): void {
    this.#gone = true;
    this.#retired = true;
    this.deadline = Infinity;
    this.#context.ticker.remove(this);
    this.#owner.onGone(this);
  }
}
