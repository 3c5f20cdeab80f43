import type { Buffer } from "node:buffer";
import { LIMIT } from "../config/defaults.ts";
import { BodyReader } from "../http1/body_reader.ts";
import { INCOMPLETE, parseRequest } from "../http1/parse_request.ts";
import type { AfterResponse } from "../http1/write_response.ts";
import { prefaceMatch } from "../http2/preface.ts";
import { CR, LF } from "../message/bytes.ts";
import { GrowingBuffer } from "../../common/growing_buffer.ts";
import { type LocalAnswer, refusalAnswer } from "../message/local_answer.ts";
import { REFUSAL_STATUS, RequestHead, Version } from "../message/request_head.ts";
import type { ResponseHead } from "../message/response_head.ts";
import type { Connection, ConnectionEvents } from "../net/transport.ts";
import type { Reason } from "../observe/reasons.ts";
import type { Deadlined } from "../loop/ticker.ts";
import type { Downstream } from "./downstream.ts";
import type { Engine, PortRuntime } from "./engine.ts";
import type { Exchange } from "./exchange.ts";
import { Http1Output } from "./http1_output.ts";
import { httpDate } from "./http_date.ts";
import type { Peer } from "./peer.ts";
import { Progress } from "./progress.ts";

const enum State {
  /** Between requests, or within a head. */
  Head,
  /** Receiving a request body. */
  Body,
  /** Request complete, answer not. */
  Answer,
  /** After a 101: bytes of another protocol. */
  Tunnel,
  /** Answered, but the client still sends: its bytes are thrown away until it stops. */
  Lingering,
  Closed,
}

/** Parser shared by all connections of a worker: a head is consumed in the turn it is parsed. */
const head = new RequestHead(LIMIT.fields);

/** What a client's connection reports to who accepted it. */
export interface ConnectionOwner {
  onClosed(connection: Http1Connection): void;
  /** The client speaks HTTP/2 by prior knowledge: another receiver takes the bytes and all that follow. */
  onPreface(connection: Http1Connection, bytes: Buffer): void;
}

/** One HTTP/1 connection of a client. */
export class Http1Connection implements ConnectionEvents, Downstream, Deadlined {
  deadline: number;
  tickerSlot = -1;
  readonly peer: Peer;
  readonly #engine: Engine;
  readonly #connection: Connection;
  readonly #port: PortRuntime;
  /** The request in progress, null between requests. */
  #exchange: Exchange | null = null;
  readonly #output: Http1Output;
  readonly #owner: ConnectionOwner;
  /** Made for the first request with a body. */
  #bodyReader: BodyReader | null = null;
  #state = State.Head;
  /** Bytes received but not yet used: a partial head, or what follows the request in progress. */
  #stash: GrowingBuffer | null = null;
  #reading = false;
  #requestPaused = false;
  #stashPaused = false;
  /** Of the request's body. */
  readonly #progress = new Progress();
  #version = Version.Http11;
  #closeAfter = false;
  #keepAlive10 = false;
  #headRequest = false;
  #answerStarted = false;
  #peerEnded = false;
  #served = 0;
  readonly #retireAt: number;
  /** A head has begun and is not complete. */
  #partial = false;
  /** An empty line was skipped before the next request. */
  #skippedLine = false;

  constructor(
    engine: Engine,
    port: PortRuntime,
    connection: Connection,
    peer: Peer,
    owner: ConnectionOwner,
  ) {
    this.#engine = engine;
    this.#connection = connection;
    this.#owner = owner;
    this.peer = peer;
    this.#port = port;
    this.#output = new Http1Output(connection);
    this.deadline = engine.ticker.now + LIMIT.requestHead;
    this.#retireAt = engine.ticker.now + LIMIT.connectionLifetime;
    engine.ticker.add(this);
  }

  onData(view: Buffer): void {
    const { now } = this.#engine.ticker;
    if (this.#state === State.Body) this.deadline = this.#progress.add(now, view.length);
    const stash = this.#stash;
    if (stash === null) {
      this.#consume(view);
      return;
    }
    stash.append(view);
    if (this.#waits) this.#pauseWhenFull(stash);
    // Without a completed line, parsing again could find nothing new.
    else if (
      this.#state !== State.Head || view.includes(LF) || stash.length > LIMIT.headBytes
    ) this.#consumeStash();
  }

  /** Whether bytes that arrive now cannot be used yet. */
  get #waits(): boolean {
    return this.#state === State.Answer || (this.#requestPaused &&
      (this.#state === State.Body || this.#state === State.Tunnel));
  }

  onDrain(): void {
    this.#output.drained();
    if (this.#state === State.Lingering) {
      this.deadline = this.#engine.ticker.now + LIMIT.lingering;
    } else {
      if (this.#state === State.Answer) this.deadline = Infinity;
      this.#exchange?.downstreamDrained();
    }
  }

  onEnd(): void {
    this.#peerEnded = true;
    if (this.#state === State.Tunnel) {
      this.#exchange?.requestBody(null, true);
      return;
    }
    // What is kept may hold the rest of the request: it decides when it has been read.
    if (this.#state !== State.Body || this.#stash === null) this.#endOfInput();
  }

  /** The client sends no more, and all it sent has been read. */
  #endOfInput(): void {
    if (this.#state === State.Head) this.#end();
    else if (this.#state === State.Body) {
      this.#exchange?.abort("client_gone");
      this.#end();
    }
  }

  onClose(): void {
    if (this.#state === State.Closed) return;
    this.#leave();
    this.#exchange?.abort("client_gone");
  }

  onFault(): void {
    this.#connection.reset();
  }

  onDeadline(): void {
    switch (this.#state) {
      case State.Head:
        if (this.#stash !== null) this.#refuse(408, "head_timeout");
        else this.#end();
        break;
      case State.Body: {
        const next = this.#progress.next(this.#engine.ticker.now);
        if (next !== null) {
          this.deadline = next;
          return;
        }
        if (this.#answerStarted) {
          this.cut();
          this.#exchange?.abort("body_timeout");
        } else this.#exchange?.fail(408, "body_timeout");
        this.#end();
        break;
      }
      case State.Answer:
      case State.Tunnel:
        this.#stash = null;
        this.#closeAfter = true;
        this.#exchange?.abort("client_stalled");
        this.#connection.reset();
        break;
      case State.Lingering:
        this.#connection.close();
        break;
      case State.Closed:
        break;
    }
  }

  /** Ends after the request in progress; at once when there is none. */
  drain(): void {
    this.#closeAfter = true;
    if (this.#state !== State.Head || this.#stash !== null) return;
    this.#end();
    this.deadline = this.#engine.ticker.now + LIMIT.drainLingering;
  }

  sendInterim(interim: ResponseHead): void {
    if (this.#version === Version.Http11) this.#output.sendInterim(interim);
  }

  sendHead(answer: ResponseHead, body: Buffer | null, ended: boolean, more: boolean): boolean {
    this.#answerStarted = true;
    const chunks = this.#version === Version.Http11;
    if (answer.unsized && !chunks) this.#closeAfter = true;
    // A request that is still arriving cannot be followed by another, and the client must know it.
    if (this.#state === State.Body) this.#closeAfter = true;
    return this.#sent(
      this.#output.sendHead(answer, chunks, this.#after(), body, ended, more),
    );
  }

  sendBody(body: Buffer | null, ended: boolean, more: boolean): boolean {
    if (this.#state === State.Tunnel) {
      const flowing = body === null ? true : this.#connection.write(body);
      if (ended) this.#connection.end();
      return this.#sent(flowing);
    }
    return this.#sent(this.#output.sendBody(body, ended, more));
  }

  sendTrailers(lines: Buffer): void {
    this.#sent(this.#output.sendTrailers(lines));
  }

  sendUpgrade(answer: ResponseHead, rest: Buffer | null): boolean {
    this.#answerStarted = true;
    this.#state = State.Tunnel;
    this.#closeAfter = true;
    return this.#sent(this.#output.sendUpgrade(answer, rest));
  }

  sendLocal(answer: LocalAnswer): number {
    if (this.#state === State.Body) this.#closeAfter = true;
    this.#answerStarted = true;
    const date = httpDate(this.#engine.timeOrigin + performance.now());
    const bytes = this.#output.sendLocal(answer, date, this.#after(), this.#headRequest);
    this.#sent(!this.#output.blocked);
    return bytes;
  }

  /** A client that stops taking bytes has the same time as one that stops sending them. */
  #sent(flowing: boolean): boolean {
    if (this.#state === State.Answer || this.#state === State.Tunnel) {
      this.deadline = flowing ? Infinity : this.#engine.ticker.now + LIMIT.bodyProgress;
    }
    return flowing;
  }

  cut(): void {
    this.#output.discard();
    if (this.#version === Version.Http11 && this.#state !== State.Tunnel) this.#end();
    else this.#connection.reset();
  }

  pauseRequest(): void {
    if (this.#requestPaused) return;
    this.#requestPaused = true;
    if (this.#state !== State.Tunnel) this.deadline = Infinity;
    this.#connection.pause();
  }

  resumeRequest(): void {
    if (this.#requestPaused) {
      this.#requestPaused = false;
      if (this.#state === State.Body) {
        this.deadline = this.#progress.begin(this.#engine.ticker.now);
      }
    } else if (this.#state !== State.Tunnel) return;
    this.#stashPaused = false;
    if (!this.#reading && this.#stash !== null) this.#consumeStash();
    if (!this.#requestPaused) this.#connection.resume();
  }

  exchangeDone(): void {
    this.#exchange = null;
    if (this.#state === State.Closed || this.#state === State.Lingering) return;
    if (this.#state === State.Body) {
      this.#end();
      return;
    }
    if (this.#closeAfter || (this.#peerEnded && this.#stash === null && !this.#reading)) {
      this.#end();
      return;
    }
    this.#state = State.Head;
    this.#answerStarted = false;
    this.deadline = this.#engine.ticker.now + LIMIT.idle;
    if (this.#stashPaused) {
      this.#stashPaused = false;
      this.#connection.resume();
    }
    if (!this.#reading && this.#stash !== null) this.#consumeStash();
  }

  #consumeStash(): void {
    const { bytes } = this.#stash!;
    this.#stash = null;
    this.#consume(bytes);
  }

  /** Uses bytes until they end or the state says to wait. */
  #consume(view: Buffer): void {
    this.#reading = true;
    let at = 0;
    while (at >= 0 && at < view.length) {
      if (this.#state === State.Head) at = this.#readHead(view, at);
      else if (this.#state === State.Body && !this.#requestPaused) at = this.#readBody(view, at);
      else if (this.#state === State.Tunnel && !this.#requestPaused) {
        this.#exchange!.requestBody(at === 0 ? view : view.subarray(at), false);
        break;
      } else {
        this.#keep(view, at);
        break;
      }
    }
    this.#reading = false;
    if (this.#peerEnded && this.#stash === null) this.#endOfInput();
  }

  /** Reads one head and starts its exchange; returns the position after it, -1 to stop. */
  #readHead(view: Buffer, start: number): number {
    let at = start;
    // One empty line before a request line is skipped (RFC 9112 section 2.2).
    if (view[at] === CR && this.#served > 0 && !this.#skippedLine) {
      if (at + 1 === view.length) return this.#stashFrom(view, at);
      if (view[at + 1] === LF) {
        at += 2;
        this.#skippedLine = true;
      }
      if (at === view.length) return at;
    }
    if (this.#served === 0) {
      const preface = prefaceMatch(view, at);
      if (preface === "complete") return this.#handOver(view, at);
      if (preface === "partial") return this.#stashFrom(view, at);
    }
    const bodyStart = parseRequest(head, view, at, view.length);
    if (bodyStart === INCOMPLETE) {
      if (view.length - at > LIMIT.headBytes) return this.#refuse(431, "head_too_large");
      return this.#stashFrom(view, at);
    }
    this.#version = head.version;
    if (bodyStart < 0) return this.#refuse(REFUSAL_STATUS[head.refusal!], head.refusal!);
    if (bodyStart - at > LIMIT.headBytes) return this.#refuse(431, "head_too_large");
    if (head.targetEnd - head.targetStart > LIMIT.targetBytes) {
      return this.#refuse(414, "target_too_long");
    }
    this.#served++;
    this.#partial = this.#skippedLine = false;
    this.#headRequest = head.method === "HEAD";
    this.#keepAlive10 = head.version === Version.Http10 && head.framing.keepAlive;
    this.#closeAfter ||= head.framing.close || this.#engine.draining ||
      (head.version === Version.Http10 && !this.#keepAlive10) ||
      this.#served >= LIMIT.requestsPerConnection || this.#engine.ticker.now >= this.#retireAt;
    return this.#startExchange(view, bodyStart);
  }

  /** The client speaks HTTP/2: this object is out of it. */
  #handOver(view: Buffer, at: number): number {
    this.#state = State.Closed;
    this.deadline = Infinity;
    this.#engine.ticker.remove(this);
    this.#owner.onPreface(this, view.subarray(at));
    return -1;
  }

  #startExchange(view: Buffer, bodyStart: number): number {
    const { framing } = head;
    this.deadline = Infinity;
    if (!head.hasBody) {
      this.#state = State.Answer;
      this.#takeExchange().start(head, null, true);
      return bodyStart;
    }
    const body = this.#bodyReader ??= new BodyReader();
    if (framing.unsized) body.beginChunked();
    else body.beginLength(framing.contentLength);
    this.#state = State.Body;
    this.deadline = this.#progress.begin(this.#engine.ticker.now);
    let at = bodyStart;
    let first: Buffer | null = null;
    while (at < view.length && first === null && !body.done) {
      at = body.read(view, at);
      if (at < 0) return this.#refuse(400, "bad_chunk");
      first = body.data;
    }
    const { trailers } = body;
    if (body.done) this.#requestComplete();
    this.#takeExchange().start(head, first, body.done && trailers === null);
    if (body.done && trailers !== null) this.#exchange?.requestTrailers(trailers);
    return at;
  }

  #takeExchange(): Exchange {
    const exchange = this.#engine.exchanges.take(this.#engine);
    exchange.bind(this.#port, this);
    return this.#exchange = exchange;
  }

  #requestComplete(): void {
    this.#state = State.Answer;
    this.deadline = Infinity;
  }

  #readBody(view: Buffer, at: number): number {
    const body = this.#bodyReader!;
    const next = body.read(view, at);
    if (next < 0) {
      if (this.#answerStarted) {
        this.#exchange?.abort("bad_chunk");
        this.#end();
      } else this.#exchange?.fail(400, "bad_chunk");
      return -1;
    }
    const { data, done, trailers } = body;
    if (done) this.#requestComplete();
    if (done && trailers !== null) this.#exchange?.requestTrailers(trailers);
    else if (data !== null || done) this.#exchange?.requestBody(data, done);
    return next;
  }

  /** Keeps the rest of the bytes for later. */
  #keep(view: Buffer, at: number): void {
    if (this.#state === State.Lingering || this.#state === State.Closed) return;
    this.#stashFrom(view, at);
    this.#pauseWhenFull(this.#stash!);
  }

  /** Pauses reading when many bytes wait for the request in progress. */
  #pauseWhenFull({ length }: GrowingBuffer): void {
    if (length > LIMIT.pipelined && this.#state === State.Answer && !this.#stashPaused) {
      this.#stashPaused = true;
      this.#connection.pause();
    }
  }

  #stashFrom(view: Buffer, at: number): number {
    this.#stash = new GrowingBuffer(view, at);
    if (this.#state === State.Head) {
      if (this.#peerEnded) this.#end();
      else if (!this.#partial) {
        this.#partial = true;
        this.deadline = this.#engine.ticker.now + LIMIT.requestHead;
      }
    }
    return -1;
  }

  /** Refuses a head: nothing after it can be trusted, so the connection ends. */
  #refuse(status: number, reason: Reason): number {
    this.#closeAfter = true;
    this.#headRequest = false;
    this.#state = State.Body;
    // Whoever speaks another protocol would take our answer for part of it.
    const bytes = reason === "not_http" ? 0 : this.sendLocal(refusalAnswer(status, reason));
    // The shared parser may hold another connection's head by now.
    this.#takeExchange().refused(status, reason, bytes);
    this.#exchange = null;
    this.#end();
    return -1;
  }

  #after(): AfterResponse {
    if (this.#closeAfter || this.#engine.draining) {
      this.#closeAfter = true;
      return "close";
    }
    return this.#keepAlive10 ? "keep_1_0" : "keep";
  }

  /**
   * Ends the connection after what is queued. Bytes that still arrive are read and thrown away for a
   * while: closing with unread bytes would reset the connection and could destroy the answer.
   */
  #end(): void {
    if (this.#state === State.Closed || this.#state === State.Lingering) return;
    this.#output.flush();
    this.#state = State.Lingering;
    this.#stash = null;
    this.#connection.end();
    this.#connection.resume();
    this.deadline = this.#engine.ticker.now +
      (this.#output.blocked ? LIMIT.bodyProgress : LIMIT.lingering);
  }

  #leave(): void {
    this.#state = State.Closed;
    this.deadline = Infinity;
    this.#engine.ticker.remove(this);
    this.#owner.onClosed(this);
  }
}
