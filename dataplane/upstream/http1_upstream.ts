import { Buffer } from "node:buffer";
import { LIMIT } from "../config/defaults.ts";
import { BodyReader } from "../http1/body_reader.ts";
import { INCOMPLETE } from "../http1/parse_request.ts";
import { parseResponse } from "../http1/parse_response.ts";
import { BODY_END, CHUNK_END, chunkStart, LARGE_CHUNK, writeChunk } from "../http1/write_chunk.ts";
import { COALESCE_LIMIT } from "../http1/write_response.ts";
import { ascii, LF } from "../message/bytes.ts";
import { FieldId } from "../message/field_id.ts";
import { GrowingBuffer } from "../../common/growing_buffer.ts";
import { BodyKind, ResponseHead } from "../message/response_head.ts";
import type { Connection, ConnectionEvents } from "../net/transport.ts";
import type { ClientShare } from "../loop/client_shares.ts";
import type { Deadlined, Ticker } from "../loop/ticker.ts";
import type { UpstreamFailure, UpstreamStream, UpstreamUser } from "./upstream_stream.ts";

/** What a connection tells its pool. */
export interface Http1Owner {
  /** The exchange is over and the connection may serve another. */
  onIdle(connection: Http1Upstream): void;
  /** The connection is gone for good. */
  onGone(connection: Http1Upstream): void;
}

const enum State {
  Idle,
  /** Request sent or being sent, no complete head yet. */
  Waiting,
  Body,
  /** After a 101: bytes of another protocol. */
  Tunnel,
  Gone,
}

const TOO_LARGE = `head of more than ${LIMIT.headBytes} bytes`;
const SWITCHING_PROTOCOLS = 101;

/** Parser shared by all connections of a worker. */
const head = new ResponseHead(LIMIT.fields);

/** One established HTTP/1.1 connection to a backend, and the stream of its current exchange. */
export class Http1Upstream implements ConnectionEvents, UpstreamStream, Deadlined {
  deadline = Infinity;
  tickerSlot = -1;
  /** Ticker time after which it takes no further exchange. */
  retireAt = Infinity;
  /** The pool's own: the client for which the connection counts, undefined while it carries nothing. */
  holder: ClientShare | null | undefined = undefined;
  /** Exchanges served before the current one. */
  served = 0;
  /** The pool's own: ticker time at which it became idle. */
  idleSince = 0;
  /** Milliseconds that it may be idle, as the backend's last response says; Infinity when it does not. */
  keepAlive = Infinity;
  /** Whether the backend, and not we, ended it. */
  closedByPeer = false;
  readonly #owner: Http1Owner;
  readonly #ticker: Ticker;
  readonly #connection: Connection;
  readonly #body = new BodyReader();
  #state = State.Idle;
  #user: UpstreamUser | null = null;
  /** The last user: an exception in a call to it must not leave it waiting. */
  #last: UpstreamUser | null = null;
  #partial: GrowingBuffer | null = null;
  #interims = 0;
  #reusable = false;
  #chunkedRequest = false;
  #requestEnded = false;
  /** The backend may leave the content of this request unread: the connection is not used again. */
  #lastExchange = false;
  #answered = false;

  constructor(connection: Connection, owner: Http1Owner, ticker: Ticker) {
    this.#connection = connection;
    this.#owner = owner;
    this.#ticker = ticker;
    ticker.add(this);
  }

  /** Whose exchange it carries, null for none. */
  get user(): UpstreamUser | null {
    return this.#user;
  }

  get idle(): boolean {
    return this.#state === State.Idle;
  }

  get reused(): boolean {
    return this.served > 0;
  }

  /** Gives the connection to a user, who sends its request in the call. */
  give(user: UpstreamUser): void {
    this.#user = this.#last = user;
    this.#state = State.Waiting;
    this.#requestEnded = false;
    this.#answered = false;
    this.#interims = 0;
    this.deadline = Infinity;
    user.onStream(this);
  }

  send(head: Buffer, body: Buffer | null, unsized: boolean, ended: boolean): boolean {
    this.#chunkedRequest = unsized;
    this.#requestEnded = ended;
    const user = this.#user!;
    this.#lastExchange = (unsized || body !== null || !ended) && user.upgrade === "" &&
      !user.contentExpected;
    // A backend that closes after its response does not read what it left as another request.
    const bytes = this.#lastExchange ? closing(head) : head;
    const first = unsized && (body !== null || ended) ? writeChunk(body, ended) : body;
    if (first === null) return this.#sent(this.#connection.write(bytes));
    return this.#sent(
      first.length <= COALESCE_LIMIT
        ? this.#connection.write(Buffer.concat([bytes, first]))
        : this.#connection.writeBoth(bytes, first),
    );
  }

  sendBody(body: Buffer | null, ended: boolean): boolean {
    if (this.#state === State.Tunnel) return this.#sendRaw(body, ended);
    this.#requestEnded = ended;
    if (this.#chunkedRequest && body !== null && body.length > LARGE_CHUNK) {
      this.#connection.writeBoth(chunkStart(body.length), body);
      return this.#sent(this.#connection.write(ended ? BODY_END : CHUNK_END));
    }
    const bytes = this.#chunkedRequest && (body !== null || ended) ? writeChunk(body, ended) : body;
    return this.#sent(bytes === null ? true : this.#connection.write(bytes));
  }

  sendTrailers(lines: Buffer): void {
    this.#requestEnded = true;
    this.#sent(this.#chunkedRequest ? this.#connection.write(writeChunk(null, true, lines)) : true);
  }

  #sendRaw(bytes: Buffer | null, ended: boolean): boolean {
    this.#touchTunnel();
    const flowing = bytes === null ? true : this.#connection.write(bytes);
    if (ended) this.#connection.end();
    return flowing;
  }

  #sent(flowing: boolean): boolean {
    if (this.#state === State.Waiting) {
      this.deadline = this.#requestEnded || this.#user?.upgrade !== ""
        ? this.#ticker.now + (this.#user?.responseTimeout ?? LIMIT.responseHead)
        : flowing
        ? Infinity
        : this.#ticker.now + this.#idle(LIMIT.bodyProgress);
    }
    return flowing;
  }

  abandon(): void {
    this.#user = null;
    this.destroy();
  }

  pause(): void {
    this.#connection.pause();
    if (this.#state !== State.Tunnel) this.deadline = Infinity;
  }

  resume(): void {
    this.#connection.resume();
    if (this.#state !== State.Tunnel) {
      this.deadline = this.#ticker.now + this.#idle(LIMIT.bodyProgress);
    }
  }

  /** Closes without telling the user; the pool's way to end idle connections. */
  destroy(): void {
    if (this.#state === State.Gone) return;
    this.#leave();
    this.#connection.close();
  }

  onData(view: Buffer): void {
    if (this.#user === null) {
      // Bytes that nobody asked for: whatever follows could be taken for the next user's answer.
      this.destroy();
      return;
    }
    this.#answered = true;
    if (this.#state === State.Waiting) this.#readHead(view);
    else if (this.#state === State.Tunnel) {
      this.#touchTunnel();
      this.#user.onResponseBody(view, false, false);
    } else if (this.#state === State.Body) {
      this.deadline = this.#ticker.now + this.#idle(LIMIT.bodyProgress);
      this.#readBody(view, 0);
    }
  }

  onDrain(): void {
    if (this.#state === State.Waiting && !this.#requestEnded) this.deadline = Infinity;
    this.#user?.onUpstreamDrain();
  }

  onEnd(): void {
    if (this.#state === State.Tunnel) {
      this.#user?.onResponseBody(null, true, false);
    } else if (this.#state === State.Body && this.#body.untilClose) {
      const user = this.#user!;
      this.#reusable = false;
      this.#end(false);
      user.onResponseBody(null, true, false);
    } else {
      this.closedByPeer = true;
      this.#fail("upstream_reset");
    }
  }

  onClose(): void {
    this.closedByPeer = true;
    this.#fail("upstream_reset");
  }

  onFault(): void {
    const user = this.#last;
    this.#last = null;
    this.#connection.reset();
    user?.onFault();
  }

  onDeadline(): void {
    if (this.#state === State.Idle) this.destroy();
    else if (this.#state === State.Waiting && (this.#requestEnded || this.#user?.upgrade !== "")) {
      this.#fail("response_timeout");
    } else this.#fail("upstream_stalled");
  }

  #readHead(view: Buffer): void {
    const partial = this.#partial;
    partial?.append(view);
    if (partial !== null && partial.length <= LIMIT.headBytes && !view.includes(LF)) {
      // No line was completed: parsing again could find nothing new.
      return;
    }
    const bytes = partial === null ? view : partial.bytes;
    this.#partial = null;
    let at = 0;
    for (;;) {
      const bodyStart = parseResponse(head, bytes, at, bytes.length, this.#user!.upstreamMethod);
      if (bodyStart === INCOMPLETE) {
        if (bytes.length - at > LIMIT.headBytes) this.#fail("upstream_protocol", TOO_LARGE);
        else this.#partial = at === 0 && partial !== null ? partial : new GrowingBuffer(bytes, at);
        return;
      }
      if (bodyStart < 0 || bodyStart - at > LIMIT.headBytes) {
        this.#fail("upstream_protocol", bodyStart < 0 ? head.error : TOO_LARGE);
        return;
      }
      if (head.status === SWITCHING_PROTOCOLS) {
        this.#upgrade(bytes, bodyStart);
        return;
      }
      if (head.status >= 200) {
        this.#begin(bytes, bodyStart);
        return;
      }
      if (++this.#interims > LIMIT.interimHeads) {
        this.#fail("upstream_protocol", "too many interim responses");
        return;
      }
      this.#user!.onInterim(head);
      if (this.#user === null) return;
      at = bodyStart;
      if (at === bytes.length) return;
    }
  }

  /** A 101 counts only as the answer to the token that the request asked for. */
  #upgrade(bytes: Buffer, restStart: number): void {
    const user = this.#user!;
    if (user.upgrade === "" || !head.framing.upgrade || upgradeToken(head) !== user.upgrade) {
      this.#fail("upstream_protocol", "101 that the request did not ask for");
      return;
    }
    this.#state = State.Tunnel;
    this.#touchTunnel();
    user.onUpgraded(head, restStart < bytes.length ? bytes.subarray(restStart) : null);
  }

  #touchTunnel(): void {
    this.deadline = this.#ticker.now + this.#idle(LIMIT.streamIdle);
  }

  #begin(bytes: Buffer, bodyStart: number): void {
    this.#reusable = head.reusable && !this.#lastExchange;
    this.keepAlive = this.#reusable ? keepAliveOf(head) : Infinity;
    this.#state = State.Body;
    this.deadline = this.#ticker.now + this.#idle(LIMIT.bodyProgress);
    const user = this.#user!;
    const body = this.#body;
    switch (head.body) {
      case BodyKind.None:
        this.#end(bodyStart < bytes.length);
        user.onResponse(head, null, true, false);
        return;
      case BodyKind.Length: {
        body.beginLength(head.framing.contentLength);
        const end = body.read(bytes, bodyStart);
        const { done } = body;
        if (done) this.#end(end < bytes.length);
        user.onResponse(head, body.data, done, false);
        return;
      }
      case BodyKind.Framed:
        body.beginChunked();
        break;
      case BodyKind.UntilClose:
        body.beginUntilClose();
        break;
    }
    const more = bodyStart < bytes.length;
    user.onResponse(head, null, false, more);
    if (more && this.#user === user) this.#readBody(bytes, bodyStart);
  }

  #readBody(view: Buffer, start: number): void {
    const user = this.#user!;
    const body = this.#body;
    let at = start;
    while (at < view.length) {
      at = body.read(view, at);
      if (at < 0) {
        this.#fail("upstream_protocol", "malformed chunk");
        return;
      }
      const { data, done } = body;
      if (done) {
        const { trailers } = body;
        this.#end(at < view.length);
        if (trailers === null) user.onResponseBody(data, true, false);
        else user.onResponseTrailers(trailers);
        return;
      }
      if (data !== null) {
        user.onResponseBody(data, false, at < view.length);
        if (this.#user !== user) return;
      }
    }
    // What was held back for a call that did not come leaves now.
    if (body.data === null) user.onResponseBody(null, false, false);
  }

  /** The answer is complete: back to the pool, or closed when anything about it is not clean. */
  #end(surplus: boolean): void {
    this.#user = null;
    this.served++;
    if (!this.#reusable || surplus || !this.#requestEnded || !this.#connection.sendable) {
      this.destroy();
      return;
    }
    this.#state = State.Idle;
    this.deadline = Infinity;
    this.#connection.resume();
    this.#owner.onIdle(this);
  }

  #fail(failure: UpstreamFailure, detail = ""): void {
    if (this.#state === State.Gone) return;
    const user = this.#user;
    this.#user = null;
    this.#leave();
    this.#connection.close();
    user?.onUpstreamFailure(failure, this.#answered, detail);
  }

  /** Milliseconds without a byte: as the user's rule says, else the standard. */
  #idle(standard: number): number {
    return this.#user === null || this.#user.idleTimeout === 0 ? standard : this.#user.idleTimeout;
  }

  #leave(): void {
    this.#state = State.Gone;
    this.deadline = Infinity;
    this.#ticker.remove(this);
    this.#owner.onGone(this);
  }
}

const CLOSING = ascii("connection: close\r\n\r\n");

/** A request head that asks the backend to close the connection. */
function closing(head: Buffer): Buffer {
  return Buffer.concat([head.subarray(0, head.length - 2), CLOSING]);
}

/** Backends close idle connections some time behind this, while a request may be on its way. */
const KEEP_ALIVE = /(?:^|[,; \t])timeout[ \t]*=[ \t]*"?(\d{1,6})/i;

/** Milliseconds that the backend keeps the connection open while it is idle, less a margin for a request to get there. */
function keepAliveOf({ block }: ResponseHead): number {
  for (let i = 0; i < block.count; i++) {
    if (block.id(i) !== FieldId.KeepAlive) continue;
    const seconds = KEEP_ALIVE.exec(block.value(i).slice(0, 200))?.[1];
    if (seconds !== undefined) {
      return Number(seconds) * 1000 - Math.min(1000, Number(seconds) * 500);
    }
  }
  return Infinity;
}

function upgradeToken({ block }: ResponseHead): string {
  for (let i = 0; i < block.count; i++) {
    if (block.id(i) === FieldId.Upgrade) return block.value(i).toLowerCase();
  }
  return "";
}
