import { Buffer } from "node:buffer";
import type { Ticker } from "../../loop/ticker.ts";
import { contain, contained } from "../../loop/containment.ts";
import { turn } from "../../loop/turn.ts";
import type { Flushable, TurnEnd } from "../../loop/turn_end.ts";
import {
  type Admission,
  type Connection,
  type ConnectionEvents,
  NOBODY,
  type TlsFacts,
} from "../transport.ts";
import { AGAIN, BLOCKED, type Channel, FAILED } from "./channel.ts";
import type { HandshakeQueue } from "./handshake_queue.ts";
import { ADDRESS_SIZE, type Descriptor, type Libc } from "./libc.ts";
import { gathered, lasting, MEMORY, readMemory, readView } from "./memory.ts";
import { GONE, HAPPENED, type Poller, type Watched } from "./poller.ts";
import { decodeAddress, type Place } from "./socket_address.ts";
import type { TlsClient } from "./tls_client.ts";
import type { TlsServer } from "./tls_server.ts";

const NOWHERE: Place = { address: "", port: 0 };

/** Pieces up to this size wait for the end of the turn; larger ones are worth a call of their own. */
const SMALL = 16 * 1024;
/** Reads of this size are part of a transfer, whose next read comes after new events. */
const LARGE = 16 * 1024;
/** Bytes that may wait for the peer before the writer is asked to. */
const PLENTY = 64 * 1024;
/**
 * Reads of one connection in one turn, and milliseconds of those behind the first: others have theirs then.
 */
const READS = 4;
const READING = 1;

/** What the connections of a thread share. */
export interface Shared {
  readonly libc: Libc;
  readonly poller: Poller;
  readonly turnEnd: TurnEnd;
  readonly ticker: Ticker;
  readonly handshakes: HandshakeQueue;
  /** Milliseconds, monotonic. */
  readonly now: () => number;
  readonly tlsServer: TlsServer;
  readonly tlsClient: TlsClient;
}

/** What is still to be done before bytes pass. */
export interface Opening {
  /** The connection was closed before. */
  abandon(): void;
}

/** A connection over a socket of the kernel's. */
export class NativeConnection implements Connection, Flushable, Watched {
  events: ConnectionEvents = NOBODY;
  tls: TlsFacts | null = null;
  remoteAddress = "";
  remotePort = 0;
  /** Its place among those of its client, given back when it closes; null for connections to backends. */
  admission: Admission | null = null;
  flushDue = false;
  readonly #shared: Shared;
  readonly #socket: Descriptor;
  /** Null until it is open. */
  #channel: Channel | null = null;
  #opening: Opening | null = null;
  /** Small pieces of this turn. */
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  /** What the kernel did not take, in order. */
  #queue: Uint8Array[] = [];
  #queued = 0;
  /** The writer was asked to wait. */
  #owesDrain = false;
  /** FIN is due behind what is queued. */
  #ending = false;
  #finished = false;
  /** There may be more to read. */
  #readable = false;
  /** The last read was part of a transfer. */
  #transfers = false;
  /** The end is among what there is to read. */
  #endComes = false;
  #paused = false;
  #ended = false;
  #closed = false;
  /** Why nothing can be sent any more; what the peer sent before is still read. */
  #sendFailure: Error | null = null;
  #local: Place | null = null;

  /** @param socket closed by this connection; -1 for one that fails before it begins */
  constructor(shared: Shared, socket: Descriptor) {
    this.#shared = shared;
    this.#socket = socket;
  }

  /** Names the peer: of the socket, or of the client that a PROXY header speaks for. */
  from(address: string, port: number): this {
    this.remoteAddress = address;
    this.remotePort = port;
    return this;
  }

  /** What is written meanwhile is kept. */
  opens(opening: Opening): void {
    this.#opening = opening;
  }

  /** Bytes pass from now on; `onEvents` must follow with all that may have happened. */
  open(channel: Channel, tls: TlsFacts | null): void {
    this.#channel = channel;
    this.#opening = null;
    this.tls = tls;
  }

  get localAddress(): string {
    return this.#localPlace().address;
  }

  get localPort(): number {
    return this.#localPlace().port;
  }

  get sendable(): boolean {
    return this.#sendFailure === null;
  }

  get closed(): boolean {
    return this.#closed;
  }

  onEvents(happened: number): void {
    if (this.#closed) return;
    if ((happened & HAPPENED.writable) !== 0) this.#sendQueued();
    if ((happened & (HAPPENED.readable | GONE)) !== 0) {
      this.#readable = true;
      if ((happened & GONE) !== 0) this.#endComes = true;
    }
    if (!this.#readable || this.#paused || this.#closed) return;
    if (happened !== 0 && this.#transfers) this.#shared.poller.again(this);
    else this.#read();
  }

  write(given: Uint8Array): boolean {
    if (this.#closed || this.#ending || this.#sendFailure !== null || given.length === 0) {
      return true;
    }
    if (given.length > SMALL) {
      this.flush();
      this.#send(given);
    } else {
      if (this.#waitingBytes + given.length > MEMORY) this.flush();
      this.#waiting.push(lasting(given));
      this.#waitingBytes += given.length;
      this.#shared.turnEnd.add(this);
    }
    return this.#flowing();
  }

  writeBoth(first: Uint8Array, second: Uint8Array): boolean {
    if (this.#closed || this.#ending || this.#sendFailure !== null) return true;
    if (first.length + second.length <= MEMORY) {
      if (this.#waitingBytes + first.length + second.length > MEMORY) this.flush();
      this.#waiting.push(first, second);
      this.#waitingBytes += first.length + second.length;
      this.flush();
    } else {
      this.flush();
      this.#send(first);
      this.#send(second);
    }
    return this.#flowing();
  }

  /** For the turn's end, and for whatever must come behind what was written. */
  flush(): void {
    if (this.#waitingBytes === 0) return;
    const pieces = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    if (!this.#closed && this.#sendFailure === null) this.#send(gathered(pieces));
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    if (this.#readable && !this.#closed) this.#shared.poller.again(this);
  }

  end(): void {
    if (this.#closed || this.#ending || this.#sendFailure !== null) return;
    this.flush();
    this.#ending = true;
    this.#finishWhenSent();
  }

  reset(): void {
    if (this.#closed) return;
    this.#shared.libc.resetOnClose(this.#socket);
    this.#close(null, false);
  }

  close(): void {
    if (this.#closed) return;
    this.flush();
    this.#close(null, true);
  }

  onFault(): void {
    this.reset();
  }

  /** It could not be opened. */
  fail(error: Error): void {
    this.#close(error, false);
  }

  #flowing(): boolean {
    if (this.#queued <= PLENTY) return true;
    this.#owesDrain = true;
    return false;
  }

  #read(): void {
    const channel = this.#channel;
    if (channel === null) return;
    const memory = readMemory();
    let until = 0;
    for (let reads = 0; reads < READS; reads++) {
      const length = channel.receive(memory);
      if (length > 0) {
        // Whatever comes from now on is told anew.
        if (channel.drained && !this.#endComes) this.#readable = false;
        this.#transfers = length >= LARGE;
        this.#tell(readView(length));
        if (!this.#readable || this.#paused || this.#closed) return;
        const now = this.#shared.now();
        if (reads > 0 && now > until) break;
        if (reads === 0) until = now + READING;
        continue;
      }
      if (length === AGAIN) break;
      this.#readable = false;
      if (length === 0) this.#peerEnded();
      else if (length === FAILED) this.#close(channel.failure, false);
      else if (this.#sendFailure !== null) this.#close(this.#sendFailure, false);
      return;
    }
    this.#shared.poller.again(this);
  }

  #tell(view: Buffer): void {
    turn.open++;
    try {
      this.events.onData(view);
    } catch (error) {
      contain(error, this);
    }
    turn.open--;
  }

  #peerEnded(): void {
    if (this.#sendFailure !== null) {
      this.#close(this.#sendFailure, false);
      return;
    }
    if (this.#ended) return;
    this.#ended = true;
    contained(this, () => this.events.onEnd());
    if (this.#finished && !this.#closed) this.#close(null, true);
  }

  /** Sends now what can be sent, and keeps the rest. */
  #send(bytes: Uint8Array): void {
    let rest = bytes;
    if (this.#queued === 0 && this.#channel !== null) {
      const taken = this.#give(this.#channel, bytes);
      if (taken === bytes.length || this.#closed || this.#sendFailure !== null) return;
      rest = bytes.subarray(taken);
    }
    // What is kept must not change under it; `slice` of a Buffer would be the same memory.
    this.#queue.push(Buffer.from(rest));
    this.#queued += rest.length;
  }

  /** Bytes that the channel took. */
  #give(channel: Channel, bytes: Uint8Array): number {
    for (let at = 0;;) {
      const taken = channel.send(at === 0 ? bytes : bytes.subarray(at));
      if (taken === BLOCKED) return at;
      if (taken === FAILED) {
        this.#sendingFailed(channel.failure!);
        return at;
      }
      at += taken;
      if (at === bytes.length) return at;
    }
  }

  /**
   * A backend may respond to the head of a request and close with the content unread, which resets the
   * connection: its response is read before the connection closes. A client that is gone needs no more.
   */
  #sendingFailed(error: Error): void {
    if (this.admission !== null) {
      this.#close(error, false);
      return;
    }
    this.#sendFailure = error;
    this.#queue = [];
    this.#queued = 0;
    this.#readable = true;
    this.#endComes = true;
    if (!this.#paused) this.#shared.poller.again(this);
  }

  #sendQueued(): void {
    const channel = this.#channel;
    if (channel === null) return;
    while (this.#queue.length > 0) {
      const piece = this.#queue[0];
      const taken = this.#give(channel, piece);
      if (this.#closed || this.#sendFailure !== null) return;
      this.#queued -= taken;
      if (taken < piece.length) {
        this.#queue[0] = piece.subarray(taken);
        return;
      }
      this.#queue.shift();
    }
    if (this.#ending) this.#finishWhenSent();
    else if (this.#owesDrain) {
      this.#owesDrain = false;
      contained(this, () => this.events.onDrain());
    }
  }

  #finishWhenSent(): void {
    if (this.#finished || this.#queued > 0 || this.#channel === null) return;
    this.#finished = true;
    // Closing says that nothing more will be sent, too.
    if (this.#ended) this.#close(null, true);
    else this.#channel.finish();
  }

  #close(error: Error | null, orderly: boolean): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#queue = [];
    this.#queued = 0;
    this.#waiting = [];
    this.#waitingBytes = 0;
    const { poller } = this.#shared;
    this.#opening?.abandon();
    this.#opening = null;
    this.#channel?.release(orderly);
    this.#channel = null;
    if (this.#socket !== -1) poller.close(this.#socket);
    this.admission?.release();
    const { events } = this;
    this.events = NOBODY;
    // Whoever closes it is in the middle of something.
    poller.afterBatch(() => contained(this, () => events.onClose(error)));
  }

  #localPlace(): Place {
    if (this.#local !== null) return this.#local;
    if (this.#closed) return NOWHERE;
    const bytes = new Uint8Array(ADDRESS_SIZE);
    this.#shared.libc.nameOf(this.#socket, bytes);
    return this.#local = decodeAddress(bytes);
  }
}
