import { Buffer } from "node:buffer";
import { LIMIT } from "../config/defaults.ts";
import { LF } from "../http1/bytes.ts";
import { ChunkedDecoder } from "../http1/chunked.ts";
import { BodyKind, ResponseHead } from "../http1/response_head.ts";
import type { Connection, ConnectionEvents } from "../net/transport.ts";
import type { Deadlined, Ticker } from "../worker/ticker.ts";
import type { UpstreamFailure, UpstreamUser } from "./user.ts";

/** What a connection tells its pool. */
export interface ConnectionOwner {
  /** The exchange is over and the connection may serve another. */
  onIdle(connection: UpstreamConnection): void;
  /** The connection is gone for good. */
  onGone(connection: UpstreamConnection): void;
  onConnected(connection: UpstreamConnection): void;
}

const enum State {
  Connecting,
  Idle,
  /** Request sent or being sent, no complete head yet. */
  Waiting,
  Body,
  Gone,
}

/** Field limit of one worker's shared response parser. */
const head = new ResponseHead(LIMIT.fields);

/** One HTTP/1.1 connection to a backend. */
export class UpstreamConnection implements ConnectionEvents, Deadlined {
  deadline = Infinity;
  tickerSlot = -1;
  /** Exchanges served before the current one. */
  served = 0;
  readonly #owner: ConnectionOwner;
  readonly #ticker: Ticker;
  #connection!: Connection;
  #state = State.Connecting;
  #user: UpstreamUser | null = null;
  #partial: Buffer | null = null;
  #left = 0;
  #kind = BodyKind.None;
  #reusable = false;
  #requestEnded = false;
  #answered = false;
  readonly #chunked = new ChunkedDecoder();
  #connectTimeout = false;
  #failure: UpstreamFailure = "connect_failed";

  constructor(owner: ConnectionOwner, ticker: Ticker) {
    this.#owner = owner;
    this.#ticker = ticker;
  }

  /** Takes over a connection that is being opened. */
  attach(connection: Connection, connectTimeout: number): void {
    this.#connection = connection;
    this.#ticker.add(this);
    this.deadline = this.#ticker.now + connectTimeout;
    this.#connectTimeout = true;
  }

  get idle(): boolean {
    return this.#state === State.Idle;
  }

  get connecting(): boolean {
    return this.#state === State.Connecting;
  }

  onConnect(): void {
    if (this.#state !== State.Connecting) return;
    this.#connectTimeout = false;
    this.deadline = Infinity;
    this.#state = State.Idle;
    this.#owner.onConnected(this);
  }

  /** Sends a request head and what of the body came with it. */
  send(user: UpstreamUser, bytes: Buffer, ended: boolean): boolean {
    this.#user = user;
    this.#state = State.Waiting;
    this.#requestEnded = ended;
    this.#answered = false;
    return this.#sent(this.#connection.write(bytes));
  }

  #sent(flowing: boolean): boolean {
    if (this.#state === State.Waiting) {
      this.deadline = this.#requestEnded
        ? this.#ticker.now + LIMIT.responseHead
        : flowing
        ? Infinity
        : this.#ticker.now + LIMIT.bodyProgress;
    }
    return flowing;
  }

  /** Sends more of the request body; false asks to wait for `onUpstreamDrain`. */
  sendBody(bytes: Buffer | null, ended: boolean): boolean {
    this.#requestEnded = ended;
    return this.#sent(bytes === null ? true : this.#connection.write(bytes));
  }

  /** The user does not want the rest: the connection cannot be used again. */
  abandon(): void {
    this.#user = null;
    this.destroy();
  }

  pause(): void {
    this.#connection.pause();
    this.deadline = Infinity;
  }

  resume(): void {
    this.#connection.resume();
    this.deadline = this.#ticker.now + LIMIT.bodyProgress;
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
    else if (this.#state === State.Body) {
      this.deadline = this.#ticker.now + LIMIT.bodyProgress;
      this.#readBody(view, 0);
    }
  }

  onDrain(): void {
    if (this.#state === State.Waiting && !this.#requestEnded) this.deadline = Infinity;
    this.#user?.onUpstreamDrain();
  }

  onEnd(): void {
    if (this.#state === State.Body && this.#kind === BodyKind.UntilClose) {
      this.#finish(null);
      return;
    }
    this.#fail("upstream_reset");
  }

  onClose(): void {
    if (this.#state === State.Connecting) this.#fail("connect_failed");
    else this.#fail("upstream_reset");
  }

  onDeadline(): void {
    if (this.#connectTimeout) this.#fail("connect_timeout");
    else if (this.#state === State.Idle) this.destroy();
    else if (this.#state === State.Waiting && this.#requestEnded) this.#fail("response_timeout");
    else this.#fail("upstream_stalled");
  }

  #readHead(view: Buffer): void {
    const partial = this.#partial;
    const bytes = partial === null ? view : Buffer.concat([partial, view]);
    this.#partial = null;
    if (partial !== null && bytes.length <= LIMIT.headBytes && !view.includes(LF)) {
      // No line was completed: parsing again could find nothing new.
      this.#partial = bytes;
      return;
    }
    let at = 0;
    for (;;) {
      const bodyStart = head.parse(bytes, at, bytes.length, this.#user!.method);
      if (bodyStart === -1) {
        if (bytes.length - at > LIMIT.headBytes) this.#fail("upstream_protocol");
        else this.#partial = Buffer.from(bytes.subarray(at));
        return;
      }
      if (bodyStart < 0 || head.status === 101) {
        this.#fail("upstream_protocol");
        return;
      }
      if (head.status >= 200) {
        this.#begin(bytes, bodyStart);
        return;
      }
      this.#user!.onInterim(head);
      if (this.#user === null) return;
      at = bodyStart;
      if (at === bytes.length) return;
    }
  }

  #begin(bytes: Buffer, bodyStart: number): void {
    this.#kind = head.body;
    this.#reusable = head.reusable;
    this.#state = State.Body;
    this.deadline = this.#ticker.now + LIMIT.bodyProgress;
    const user = this.#user!;
    if (this.#kind === BodyKind.None) {
      this.#end(bodyStart < bytes.length);
      user.onResponse(head, null, true, false);
      return;
    }
    if (this.#kind === BodyKind.Length) {
      this.#left = head.framing.contentLength;
      const end = Math.min(bytes.length, bodyStart + this.#left);
      this.#left -= end - bodyStart;
      const body = end > bodyStart ? bytes.subarray(bodyStart, end) : null;
      if (this.#left === 0) {
        this.#end(end < bytes.length);
        user.onResponse(head, body, true, false);
      } else user.onResponse(head, body, false, false);
      return;
    }
    if (this.#kind === BodyKind.Chunked) this.#chunked.reset();
    const more = bodyStart < bytes.length;
    user.onResponse(head, null, false, more);
    if (more && this.#user === user) this.#readBody(bytes, bodyStart);
  }

  #readBody(view: Buffer, at: number): void {
    const user = this.#user!;
    switch (this.#kind) {
      case BodyKind.Length: {
        const end = Math.min(view.length, at + this.#left);
        this.#left -= end - at;
        const body = at === 0 && end === view.length ? view : view.subarray(at, end);
        if (this.#left === 0) this.#end(end < view.length);
        user.onResponseBody(body, this.#left === 0, false);
        return;
      }
      case BodyKind.UntilClose:
        user.onResponseBody(at === 0 ? view : view.subarray(at), false, false);
        return;
      case BodyKind.Chunked:
        this.#readChunks(user, view, at);
        return;
      case BodyKind.None:
        this.#fail("upstream_protocol");
    }
  }

  #readChunks(user: UpstreamUser, view: Buffer, at: number): void {
    const decoder = this.#chunked;
    while (at < view.length) {
      at = decoder.read(view, at);
      if (at < 0) {
        this.#fail("upstream_protocol");
        return;
      }
      if (decoder.dataEnd > decoder.dataStart) {
        user.onResponseBody(
          view.subarray(decoder.dataStart, decoder.dataEnd),
          false,
          at < view.length,
        );
        if (this.#user !== user) return;
      }
      if (decoder.done) {
        this.#end(at < view.length);
        user.onResponseBody(null, true, false);
        return;
      }
    }
    user.onResponseBody(null, false, false);
  }

  /** A body without length ended with the connection. */
  #finish(body: Buffer | null): void {
    const user = this.#user!;
    this.#reusable = false;
    this.#end(false);
    user.onResponseBody(body, true, false);
  }

  /** The answer is complete: back to the pool, or closed when anything about it is not clean. */
  #end(surplus: boolean): void {
    this.#user = null;
    this.served++;
    if (!this.#reusable || surplus || !this.#requestEnded) {
      this.destroy();
      return;
    }
    this.#state = State.Idle;
    this.deadline = Infinity;
    this.#connection.resume();
    this.#owner.onIdle(this);
  }

  #fail(failure: UpstreamFailure): void {
    if (this.#state === State.Gone) return;
    const user = this.#user;
    this.#user = null;
    this.#failure = failure;
    this.#leave();
    this.#connection.close();
    user?.onUpstreamFailure(failure, this.#answered);
  }

  /** Records why a connection that never opened failed, for the user that waits for it. */
  get failure(): UpstreamFailure {
    return this.#failure;
  }

  #leave(): void {
    this.#state = State.Gone;
    this.deadline = Infinity;
    this.#ticker.remove(this);
    this.#owner.onGone(this);
  }
}
