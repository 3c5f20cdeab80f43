import type { Buffer } from "node:buffer";
import { LIMIT } from "../config/defaults.ts";
import { ErrorCode } from "../http2/frame.ts";
import { Stream } from "../http2/stream.ts";
import { bodyOf, grpcAnswer, type LocalAnswer, refusalAnswer } from "../message/local_answer.ts";
import type { RequestHead } from "../message/request_head.ts";
import type { ResponseHead } from "../message/response_head.ts";
import type { Reason } from "../observe/reasons.ts";
import type { Deadlined } from "../loop/ticker.ts";
import type { Downstream } from "./downstream.ts";
import type { Exchange } from "./exchange.ts";
import type { Http2Connection } from "./http2_connection.ts";
import type { Peer } from "./peer.ts";
import { Progress } from "./progress.ts";

/** One request of an HTTP/2 client. */
export class Http2Stream extends Stream implements Downstream, Deadlined {
  deadline = Infinity;
  tickerSlot = -1;
  readonly peer: Peer;
  readonly #connection: Http2Connection;
  /** The exchange, null when it is over. */
  #exchange: Exchange | null;
  #headRequest = false;
  #answerStarted = false;
  /** Whether the deadline is that of the request's content, by its rate. */
  #receiving = false;
  /** Content that comes in its own time. */
  #streaming = false;
  /** The response has left; content that still comes is discarded. */
  #lingering = false;
  /** Of the content that is due: the request's, or the answer's that the client does not take. */
  readonly #progress = new Progress();

  constructor(
    connection: Http2Connection,
    id: number,
    sendWindow: number,
    receiveWindow: number,
  ) {
    super(id, connection, sendWindow, receiveWindow);
    this.#connection = connection;
    this.peer = connection.client;
    this.#exchange = connection.engine.exchanges.take(connection.engine);
    this.#exchange.bind(connection.port, this);
    connection.engine.ticker.add(this);
  }

  /** Starts the exchange of a parsed head. */
  start(head: RequestHead, ended: boolean): void {
    this.#headRequest = head.method === "HEAD";
    this.#streaming = head.grpc;
    this.remoteEnded = ended;
    this.expected = head.framing.contentLength;
    if (!ended) this.#expectBody();
    this.#exchange!.start(head, null, ended);
  }

  /** Answers a head that was refused before it could be routed. */
  refuse(status: number, reason: Reason, grpc: boolean, ended: boolean): void {
    this.remoteEnded = ended;
    const answer = refusalAnswer(status, reason);
    const bytes = this.sendLocal(grpc ? grpcAnswer(answer) : answer);
    this.#exchange!.refused(status, reason, bytes);
    this.exchangeDone();
  }

  protected onContent(view: Buffer | null, ended: boolean): void {
    if (this.#exchange === null) return;
    if (ended) this.#bodyComplete();
    else if (!this.#receiving) this.#expectBody();
    else this.deadline = this.#progress.add(this.#now, view === null ? 0 : view.length);
    this.#exchange.requestBody(view, ended);
  }

  protected onTrailers(lines: Buffer): void {
    this.#bodyComplete();
    this.#exchange?.requestTrailers(lines);
  }

  onReset(_code: ErrorCode, byPeer: boolean): void {
    this.#connection.engine.ticker.remove(this);
    this.#exchange?.abort(byPeer ? "client_gone" : "bad_framing");
  }

  /**
   * The client gets time to read the response before it is told that the rest of its request is not wanted
   * (RFC 9113 section 8.1). Some report an error when RST_STREAM comes together with a response.
   */
  override linger(): void {
    if (this.#lingering) return;
    this.#lingering = true;
    this.deadline = this.#now + LIMIT.lingering;
  }

  /** Whether only the end of what the client sends is waited for. */
  get lingering(): boolean {
    return this.#lingering;
  }

  onDrained(): void {
    if (this.#lingering) return;
    if (this.#answerStarted) this.deadline = Infinity;
    this.#exchange?.downstreamDrained();
  }

  onProgress(bytes: number): void {
    if (this.deadline === Infinity || this.#lingering) return;
    this.deadline = this.#progress.add(this.#connection.engine.ticker.now, bytes);
  }

  onFault(): void {
    this.#connection.onFault();
  }

  onDeadline(): void {
    if (this.#lingering) {
      this.#connection.leaveStream(this, ErrorCode.NoError);
      return;
    }
    const next = this.#progress.next(this.#connection.engine.ticker.now);
    if (next !== null) {
      this.deadline = next;
      return;
    }
    if (this.#answerStarted) {
      this.session.resetStream(this, ErrorCode.Cancel);
    } else this.#exchange?.fail(408, "body_timeout");
  }

  sendInterim(head: ResponseHead): void {
    this.#connection.sendResponse(this, head, head.status, false);
  }

  sendHead(head: ResponseHead, body: Buffer | null, ended: boolean, _more: boolean): boolean {
    this.#answerStarted = true;
    if (this.closed) return true;
    this.#connection.sendResponse(this, head, head.status, ended && body === null);
    return body === null ? true : this.#sent(this.sendContent(body, ended));
  }

  sendBody(body: Buffer | null, ended: boolean, _more: boolean): boolean {
    return body === null && !ended ? true : this.#sent(this.sendContent(body, ended));
  }

  sendTrailers(lines: Buffer): void {
    this.sendTrailerLines(lines);
  }

  sendUpgrade(head: ResponseHead, rest: Buffer | null): boolean {
    this.#answerStarted = true;
    this.#connection.sendResponse(this, head, 200, false);
    return rest === null ? true : this.#sent(this.sendContent(rest, false));
  }

  sendLocal(answer: LocalAnswer): number {
    this.#answerStarted = true;
    const body = this.#headRequest ? "" : bodyOf(answer);
    return this.#connection.sendLocal(this, answer, body);
  }

  /** Queues the body of an answer of our own. */
  sendOwnBody(body: Buffer): void {
    this.#sent(this.sendContent(body, true));
  }

  cut(byClient = false): void {
    this.#connection.leaveStream(this, ErrorCode.InternalError, byClient);
  }

  pauseRequest(): void {
    this.pauseReceiving();
    if (!this.#answerStarted) this.deadline = Infinity;
  }

  resumeRequest(): void {
    if (!this.receivingPaused) return;
    if (!this.remoteEnded && this.#exchange?.tunnelling !== true) this.#expectBody();
    this.resumeReceiving();
  }

  exchangeDone(): void {
    this.#exchange = null;
    if (!this.remoteEnded && !this.closed) this.#connection.leaveWhenSent(this);
    // What was kept of the request has no reader any more.
    if (this.receivingPaused) this.resumeReceiving();
  }

  /** The connection has taken the stream off. */
  gone(): void {
    this.#connection.engine.ticker.remove(this);
  }

  /** Calls of gRPC may be silent for long between their messages. */
  #expectBody(): void {
    this.#receiving = !this.#streaming;
    this.deadline = this.#progress.begin(this.#now);
  }

  get #now(): number {
    return this.#connection.engine.ticker.now;
  }

  #bodyComplete(): void {
    if (!this.#answerStarted) this.deadline = Infinity;
  }

  /** A client that stops taking bytes has the same time as one that stops sending them. */
  #sent(flowing: boolean): boolean {
    this.#receiving = false;
    if (this.#lingering) return flowing;
    if (flowing) this.deadline = Infinity;
    else if (this.deadline === Infinity) this.deadline = this.#progress.begin(this.#now);
    return flowing;
  }
}
