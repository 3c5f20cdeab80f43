import type { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import { contain, contained } from "../../loop/containment.ts";
import { turn } from "../../loop/turn.ts";
import type { Flushable, TurnEnd } from "../../loop/turn_end.ts";
import { type Connection, type ConnectionEvents, NOBODY, type TlsFacts } from "../transport.ts";
import {
  COPIED,
  held,
  lasting,
  readDone,
  readEnded,
  readView,
  shareMemory,
} from "./read_memory.ts";
import type { Reader, ReadTurns } from "./read_turns.ts";
import { readAfterWriteFailure } from "./write_failure.ts";

/** Larger pieces are worth a call of their own as soon as they are there. What waits is never held memory. */
const SMALL = COPIED;

/** What the connections of a thread share. */
export interface Shared {
  readonly turnEnd: TurnEnd;
  readonly readTurns: ReadTurns;
}

const CONNECTION = Symbol("connection");

/** A socket that knows its connection: listeners shared by all save five closures for each. */
type Held = Socket & { [CONNECTION]: NodeConnection };

function onData(this: Held, view: Buffer): void {
  this[CONNECTION].socketData(view);
}
function onRead(this: Socket, length: number): boolean {
  (this as Held)[CONNECTION].socketData(readView(this, length));
  readDone(this, length);
  return true;
}
function onDrain(this: Held): void {
  this[CONNECTION].socketDrain();
}
function onEnd(this: Held): void {
  this[CONNECTION].socketEnd();
}
function onError(this: Held, error: Error): void {
  this[CONNECTION].socketError(error);
}
function onWriteFailure(this: Socket, error: Error): void {
  (this as Held)[CONNECTION].socketWriteFailed(error);
}
function onClose(this: Held): void {
  this[CONNECTION].socketClose();
}

/** What a TLS socket needs beyond a plain one. */
export interface TlsParts {
  readonly facts: TlsFacts;
  /** The TCP socket below. */
  readonly raw: Socket;
  /** Whether the bytes of the peer ended without the alert that says so (RFC 8446 section 6.1). */
  truncated(): boolean;
}

/** A connection over a node:net or node:tls socket. */
export class NodeConnection implements Connection, Flushable, Reader {
  events: ConnectionEvents = NOBODY;
  tls: TlsFacts | null = null;
  remoteAddress = "";
  remotePort = 0;
  #socket: Socket | null = null;
  /** The TCP socket, which `#socket` is on plain connections. */
  #raw: Socket | null = null;
  #tls: TlsParts | null = null;
  #error: Error | null = null;
  #closed = false;
  /** Nothing can be sent any more; what the peer sent before is still read. */
  #unsendable = false;
  flushDue = false;
  readonly #shared: Shared;
  /** The owner wants no data for now. */
  #paused = false;
  /** Others read first. */
  #waits = false;
  /** A small piece that leaves at the end of the turn. */
  #waiting: Uint8Array | null = null;
  /** The socket collects what is written, until the end of the turn. */
  #corked = false;

  constructor(shared: Shared) {
    this.#shared = shared;
  }

  get localAddress(): string {
    return plainAddress(this.#raw?.localAddress ?? "");
  }

  get localPort(): number {
    return this.#raw?.localPort ?? 0;
  }

  /** Names the peer: of the socket, or of the client that a PROXY header speaks for. */
  from(address: string, port: number): this {
    this.remoteAddress = address;
    this.remotePort = port;
    return this;
  }

  /** The TCP socket over which a handshake is still to be made. */
  opening(raw: Socket): void {
    this.#raw = raw;
  }

  /** Takes over an established socket, or one that is being opened. */
  attach(socket: Socket, tls: TlsParts | null): void {
    this.#socket = socket;
    this.#tls = tls;
    this.#raw = tls === null ? socket : tls.raw;
    this.tls = tls === null ? null : tls.facts;
    (socket as Held)[CONNECTION] = this;
    socket.on("data", onData);
    shareMemory(socket, onRead);
    socket.on("drain", onDrain);
    socket.on("end", onEnd);
    socket.on("error", onError);
    socket.on("close", onClose);
  }

  /**
   * A backend may respond to the head of a request and close with the content unread, which resets the
   * connection: its response is read before the connection closes.
   */
  readAfterWriteFailure(): void {
    readAfterWriteFailure(this.#socket!, onWriteFailure);
  }

  /** For the socket's listeners. */
  socketData(view: Buffer): void {
    if (this.#closed) return;
    turn.open++;
    const { readTurns } = this.#shared;
    const began = readTurns.begin(view.length);
    try {
      this.events.onData(view);
    } catch (error) {
      contain(error, this);
    }
    turn.open--;
    readTurns.count(this, view.length, began);
  }

  socketDrain(): void {
    if (!this.#closed) contained(this, () => this.events.onDrain());
  }

  /** A TLS socket whose peer breaks the protocol reports that, but no end. */
  socketError(error: Error): void {
    this.#error ??= error;
    if (this.#tls === null || this.#closed) return;
    this.close();
    this.socketClose();
  }

  socketWriteFailed(error: Error): void {
    this.#error ??= error;
    this.#unsendable = true;
  }

  /**
   * Small pieces leave at the end of the turn: the peers of all connections are then woken together, and
   * neither the kernel nor we run with cold caches for each of them (a seventh of a request's cost).
   */
  write(given: Uint8Array): boolean {
    if (this.#closed || this.#unsendable) return true;
    const bytes = lasting(given);
    const socket = this.#socket!;
    if (bytes.length > SMALL) {
      this.flush();
      return socket.write(bytes, held(bytes));
    }
    if (this.#waiting === null && !this.#corked) {
      this.#waiting = bytes;
      this.#shared.turnEnd.add(this);
      return !socket.writableNeedDrain;
    }
    if (!this.#corked) this.#cork(socket);
    return socket.write(bytes);
  }

  writeBoth(first: Uint8Array, second: Uint8Array): boolean {
    if (this.#closed || this.#unsendable) return true;
    this.flush();
    const socket = this.#socket!;
    socket.cork();
    const [head, rest] = [lasting(first), lasting(second)];
    socket.write(head, held(head));
    const flowing = socket.write(rest, held(rest));
    socket.uncork();
    return flowing;
  }

  /** Several small pieces of one turn leave in one call. */
  #cork(socket: Socket): void {
    this.#corked = true;
    socket.cork();
    socket.write(this.#waiting!);
    this.#waiting = null;
  }

  /** For the turn's end, and for whatever must come behind what was written. */
  flush(): void {
    const waiting = this.#waiting;
    this.#waiting = null;
    if (waiting !== null && !this.#closed && !this.#unsendable) this.#socket!.write(waiting);
    if (!this.#corked) return;
    this.#corked = false;
    this.#socket!.uncork();
  }

  pause(): void {
    if (this.#socket === null) return;
    this.#paused = true;
    this.#socket.pause();
  }

  resume(): void {
    this.#paused = false;
    if (!this.#waits) this.#socket?.resume();
  }

  hold(): void {
    this.#waits = true;
    this.#socket?.pause();
  }

  goOn(): void {
    this.#waits = false;
    if (!this.#paused && !this.#closed) this.#socket?.resume();
  }

  end(): void {
    if (this.#closed) return;
    this.flush();
    this.#socket?.end();
  }

  reset(): void {
    if (this.#closed) return;
    this.flush();
    // A TLS socket cannot send RST itself.
    this.#raw?.resetAndDestroy();
    if (this.#raw !== this.#socket) this.#socket?.destroy();
  }

  close(): void {
    if (this.#closed) return;
    if (this.#socket === null) {
      this.#raw?.destroy();
      this.socketClose();
    } else {
      this.flush();
      this.#socket.destroy();
      if (this.#raw !== this.#socket) this.#raw?.destroy();
    }
  }

  /** Reports no event any more but the end. */
  onFault(): void {
    this.pause();
    this.reset();
  }

  /** The connection could not be established. */
  fail(error: Error): void {
    this.#error ??= error;
    this.socketClose();
  }

  get sendable(): boolean {
    return !this.#unsendable;
  }

  get closed(): boolean {
    return this.#closed;
  }

  socketEnd(): void {
    if (this.#closed) return;
    if (this.#unsendable || (this.#tls !== null && this.#tls.truncated())) {
      // The peer did not say that it was done.
      this.#error ??= new Error("connection cut without close_notify");
      this.close();
      this.socketClose();
    } else contained(this, () => this.events.onEnd());
  }

  socketClose(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#socket !== null) readEnded(this.#socket);
    const events = this.events;
    this.events = NOBODY;
    contained(this, () => events.onClose(this.#error));
  }
}

const MAPPED = "::ffff:";

/** An address without the IPv6 form that IPv4 clients of a dual-stack listener have (RFC 4291, 2.5.5.2). */
export function plainAddress(address: string): string {
  return address.startsWith(MAPPED) && address.includes(".")
    ? address.slice(MAPPED.length)
    : address;
}
