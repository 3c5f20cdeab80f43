import type { Buffer } from "node:buffer";
import { LIMIT } from "../config/defaults.ts";
import { ErrorCode } from "../http2/frame.ts";
import { Stream } from "../http2/stream.ts";
import { hasNoContent, type ResponseHead } from "../message/response_head.ts";
import { contain, contained } from "../loop/containment.ts";
import type { Deadlined } from "../loop/ticker.ts";
import type { Http2Upstream } from "./http2_upstream.ts";
import type { UpstreamFailure, UpstreamStream, UpstreamUser } from "./upstream_stream.ts";

/** One exchange on an HTTP/2 connection to a backend. */
export class Http2UpstreamStream extends Stream implements UpstreamStream, Deadlined {
  deadline = Infinity;
  tickerSlot = -1;
  reused: boolean;
  readonly method: string;
  /** Whether the final head has come. */
  answered = false;
  /** What the backend did against the protocol, in words; set before the stream is reset for it. */
  problem = "content that does not fit its length, or a broken stream";
  readonly #connection: Http2Upstream;
  #user: UpstreamUser | null;
  /** Its user also after the last call: an exception there must not leave the user waiting. */
  #last: UpstreamUser | null;
  #interims = 0;
  #anyBytes = false;
  readonly #startedAt: number;
  #failure: UpstreamFailure | null = null;

  constructor(
    connection: Http2Upstream,
    id: number,
    sendWindow: number,
    receiveWindow: number,
    user: UpstreamUser,
    reused: boolean,
  ) {
    super(id, connection, sendWindow, receiveWindow, user.share ?? connection.memory);
    this.#connection = connection;
    this.#user = this.#last = user;
    this.method = user.upstreamMethod;
    this.reused = reused;
    this.#startedAt = connection.ticker.now;
    connection.ticker.add(this);
  }

  send(head: Buffer, body: Buffer | null, _unsized: boolean, ended: boolean): boolean {
    this.#connection.sendRequest(this, head, ended && body === null);
    const flowing = body === null ? true : this.sendContent(body, ended);
    return this.#sent(flowing, ended);
  }

  sendBody(body: Buffer | null, ended: boolean): boolean {
    if (body === null && !ended) return true;
    return this.#sent(this.sendContent(body, ended), ended);
  }

  sendTrailers(lines: Buffer): void {
    this.sendTrailerLines(lines);
    this.#sent(true, true);
  }

  pause(): void {
    this.pauseReceiving();
    this.deadline = Infinity;
  }

  resume(): void {
    if (!this.receivingPaused) return;
    this.deadline = this.#connection.ticker.now + this.#idle(LIMIT.bodyProgress);
    this.resumeReceiving();
  }

  abandon(): void {
    this.#user = null;
    this.#connection.leaveStream(this, ErrorCode.Cancel);
  }

  /** Counts an interim head; false when there were too many. */
  countInterim(): boolean {
    return ++this.#interims <= LIMIT.interimHeads;
  }

  /** For the connection: a head, interim or final. */
  onHead(head: ResponseHead, ended: boolean): void {
    this.#anyBytes = true;
    const user = this.#user;
    if (head.status < 200) {
      if (user !== null) contained(this, () => user.onInterim(head));
      return;
    }
    this.answered = true;
    this.expected = head.framing.contentLength;
    this.deadline = this.#connection.ticker.now + this.#idle(LIMIT.bodyProgress);
    // Content where there can be none would be taken for the next answer further on.
    const complete = ended || hasNoContent(this.method, head.status);
    this.remoteEnded = ended;
    if (complete) this.#over();
    if (user !== null) contained(this, () => user.onResponse(head, null, complete, false));
    if (ended) this.session.settle(this);
    else if (complete) this.#connection.leaveStream(this, ErrorCode.Cancel);
  }

  /** Content before the head is an error, whatever follows in the same read. */
  override receive(view: Buffer, ended: boolean): void {
    if (this.#isEarly()) this.session.consumed(this, view.length);
    else super.receive(view, ended);
  }

  override receiveEnd(trailers: Buffer | null): void {
    if (!this.#isEarly()) super.receiveEnd(trailers);
  }

  #isEarly(): boolean {
    if (this.answered) return false;
    this.#failure = "upstream_protocol";
    this.problem = "content before a head";
    this.session.resetStream(this, ErrorCode.ProtocolError);
    return true;
  }

  protected onContent(view: Buffer | null, ended: boolean): void {
    const user = this.#user;
    this.deadline = this.#connection.ticker.now + this.#idle(LIMIT.bodyProgress);
    if (ended) this.#over();
    try {
      user?.onResponseBody(view, ended, false);
    } catch (error) {
      contain(error, this);
    }
  }

  protected onTrailers(lines: Buffer): void {
    const user = this.#user;
    this.#over();
    if (user !== null) contained(this, () => user.onResponseTrailers(lines));
  }

  onReset(code: ErrorCode, byPeer: boolean): void {
    // A reset of the stream is an answer of a kind: only a connection that closes leaves it open whether
    // the backend has seen the request.
    if (!this.#connection.lost) this.reused = false;
    const failure = this.#failure ??
      (!byPeer
        ? "upstream_protocol"
        : code === ErrorCode.RefusedStream
        ? "upstream_refused"
        : "upstream_reset");
    this.#fail(failure);
  }

  /** For the connection: the backend will not process it. */
  refused(): void {
    this.#failure = "upstream_refused";
    this.session.resetStream(this, ErrorCode.Cancel);
  }

  onDrained(): void {
    if (!this.endQueued) this.deadline = Infinity;
    this.#user?.onUpstreamDrain();
  }

  onProgress(): void {
    if (!this.answered && this.deadline !== Infinity && !this.endQueued) {
      this.deadline = this.#connection.ticker.now + this.#idle(LIMIT.bodyProgress);
    }
  }

  /** The other streams of the connection are not concerned. */
  onFault(): void {
    const user = this.#last;
    this.#user = this.#last = null;
    this.#connection.leaveStream(this, ErrorCode.InternalError);
    user?.onFault();
  }

  onDeadline(): void {
    this.#failure = this.answered || !this.endQueued ? "upstream_stalled" : "response_timeout";
    // Without any sign of life since then the others would only wait in vain too.
    if (this.#connection.lastReceived <= this.#startedAt) this.#connection.retire();
    this.session.resetStream(this, ErrorCode.Cancel);
  }

  /** The connection has taken the stream off. */
  gone(): void {
    this.deadline = Infinity;
    this.#connection.ticker.remove(this);
  }

  #sent(flowing: boolean, ended: boolean): boolean {
    const { now } = this.#connection.ticker;
    if (this.closed || this.answered) return flowing;
    this.deadline = ended
      ? now + (this.#user?.responseTimeout ?? LIMIT.responseHead)
      : flowing
      ? Infinity
      : now + this.#idle(LIMIT.bodyProgress);
    return flowing;
  }

  /** The answer is complete; of the request nothing more is wanted. */
  #over(): void {
    this.#user = null;
    this.deadline = Infinity;
    if (!this.localEnded) this.#connection.leaveStream(this, ErrorCode.NoError);
  }

  #fail(failure: UpstreamFailure): void {
    const user = this.#user;
    this.#user = null;
    const detail = failure === "upstream_protocol" ? this.problem : "";
    user?.onUpstreamFailure(failure, this.#anyBytes, detail);
  }

  /** Milliseconds without a byte: as the user's rule says, else the standard. */
  #idle(standard: number): number {
    return this.#user === null || this.#user.idleTimeout === 0 ? standard : this.#user.idleTimeout;
  }
}
