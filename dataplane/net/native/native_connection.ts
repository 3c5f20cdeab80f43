import type { Buffer } from "node:buffer";
import { turn } from "../../loop/turn.ts";
import type { Flushable, TurnEnd } from "../../loop/turn_end.ts";
import { type Connection, type ConnectionEvents, NOBODY } from "../transport.ts";
import { ADDRESS_SIZE, type Descriptor, ERRNO, type Libc, SystemError } from "./libc.ts";
import { gathered, lasting, MEMORY, readMemory, readView } from "./memory.ts";
import { HAPPENED, type Poller, type Watched } from "./poller.ts";
import { decodeAddress, type Place } from "./socket_address.ts";

const NOWHERE: Place = { address: "", port: 0 };

/** Pieces up to this size wait for the end of the turn; larger ones are worth a call of their own. */
const SMALL = 16 * 1024;
/** Bytes that may wait for the peer before the writer is asked to. */
const PLENTY = 64 * 1024;
/** Reads of one connection in one turn: others have theirs then. */
const READS = 4;

/** What the connections of a thread share. */
export interface Shared {
  readonly libc: Libc;
  readonly poller: Poller;
  readonly turnEnd: TurnEnd;
}

/** A connection over a socket of the kernel's. */
export class NativeConnection implements Connection, Flushable, Watched {
  events: ConnectionEvents = NOBODY;
  readonly tls = null;
  remoteAddress = "";
  remotePort = 0;
  flushDue = false;
  readonly #shared: Shared;
  readonly #socket: Descriptor;
  /** Called once when the connection is there; null for an accepted one. */
  #onConnect: (() => void) | null = null;
  #connecting = false;
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
  /** There may be more to read. */
  #readable = false;
  #paused = false;
  #ended = false;
  #closed = false;
  #local: Place | null = null;

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

  /** @param onConnect called when the connection that is being opened is there */
  begin(onConnect: (() => void) | null): void {
    this.#onConnect = onConnect;
    this.#connecting = onConnect !== null;
    this.#shared.poller.add(this.#socket, this);
  }

  get localAddress(): string {
    return this.#localPlace().address;
  }

  get localPort(): number {
    return this.#localPlace().port;
  }

  get closed(): boolean {
    return this.#closed;
  }

  onEvents(happened: number): void {
    if (this.#closed) return;
    if (this.#connecting && !this.#connected(happened)) return;
    if ((happened & HAPPENED.writable) !== 0 && this.#queued > 0) this.#sendQueued();
    const readable = HAPPENED.readable | HAPPENED.finished | HAPPENED.hangUp | HAPPENED.error;
    if ((happened & readable) !== 0) this.#readable = true;
    if (this.#readable && !this.#paused) this.#read();
  }

  write(given: Uint8Array): boolean {
    if (this.#closed || this.#ending || given.length === 0) return true;
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
    if (this.#closed || this.#ending) return true;
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
    if (!this.#closed) this.#send(gathered(pieces));
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
    if (this.#closed || this.#ending) return;
    this.flush();
    this.#ending = true;
    if (this.#queued === 0 && !this.#connecting) this.#finish();
  }

  reset(): void {
    if (this.#closed) return;
    this.#shared.libc.resetOnClose(this.#socket);
    this.#close(null);
  }

  close(): void {
    if (this.#closed) return;
    this.flush();
    this.#close(null);
  }

  /** It could not even begin. */
  fail(error: Error): void {
    this.#close(error);
  }

  /** Bytes that came before this receiver. */
  given(bytes: Buffer): void {
    if (!this.#closed) this.#tell(bytes);
  }

  #flowing(): boolean {
    if (this.#queued <= PLENTY) return true;
    this.#owesDrain = true;
    return false;
  }

  /** Whether the connection that was being opened is there. */
  #connected(happened: number): boolean {
    const { libc } = this.#shared;
    const failed = HAPPENED.error | HAPPENED.hangUp;
    if ((happened & (HAPPENED.writable | failed)) === 0) return false;
    const errno = libc.socketError(this.#socket);
    if (errno !== 0 || (happened & failed) !== 0) {
      this.#close(new SystemError("connect", errno));
      return false;
    }
    this.#connecting = false;
    const onConnect = this.#onConnect!;
    this.#onConnect = null;
    onConnect();
    if (this.#ending && !this.#closed && this.#queued === 0) this.#finish();
    return !this.#closed;
  }

  #read(): void {
    const { libc, poller } = this.#shared;
    const memory = readMemory();
    for (let reads = 0; reads < READS; reads++) {
      const length = libc.receive(this.#socket, memory);
      if (length > 0) {
        this.#tell(readView(length));
        if (this.#closed || this.#paused) return;
        continue;
      }
      if (length === 0) {
        this.#readable = false;
        this.#peerEnded();
        return;
      }
      const { errno } = libc;
      if (errno === ERRNO.EINTR) continue;
      this.#readable = false;
      if (errno !== ERRNO.EAGAIN) this.#close(new SystemError("read", errno));
      return;
    }
    poller.again(this);
  }

  #tell(view: Buffer): void {
    turn.open++;
    this.events.onData(view);
    turn.open--;
  }

  #peerEnded(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.events.onEnd();
    this.#closeWhenDone();
  }

  /** Sends now what can be sent, and keeps the rest. */
  #send(bytes: Uint8Array): void {
    let rest = bytes;
    if (this.#queued === 0 && !this.#connecting) {
      const taken = this.#give(bytes);
      if (taken === bytes.length || this.#closed) return;
      rest = bytes.subarray(taken);
    }
    // What is kept must not change under it.
    this.#queue.push(rest.slice());
    this.#queued += rest.length;
  }

  /** Bytes that the kernel took. */
  #give(bytes: Uint8Array): number {
    const { libc } = this.#shared;
    for (let at = 0;;) {
      const taken = libc.send(this.#socket, at === 0 ? bytes : bytes.subarray(at));
      if (taken >= 0) {
        at += taken;
        if (at === bytes.length) return at;
        continue;
      }
      const { errno } = libc;
      if (errno === ERRNO.EINTR) continue;
      if (errno === ERRNO.EAGAIN || errno === ERRNO.ENOBUFS) return at;
      this.#close(new SystemError("write", errno));
      return at;
    }
  }

  #sendQueued(): void {
    while (this.#queue.length > 0) {
      const piece = this.#queue[0];
      const taken = this.#give(piece);
      if (this.#closed) return;
      this.#queued -= taken;
      if (taken < piece.length) {
        this.#queue[0] = piece.subarray(taken);
        return;
      }
      this.#queue.shift();
    }
    if (this.#ending) this.#finish();
    else if (this.#owesDrain) {
      this.#owesDrain = false;
      this.events.onDrain();
    }
  }

  #finish(): void {
    this.#shared.libc.finish(this.#socket);
    this.#closeWhenDone();
  }

  /** Both sides have said that they are done. */
  #closeWhenDone(): void {
    if (this.#ended && this.#ending && this.#queued === 0 && !this.#closed) this.#close(null);
  }

  #close(error: Error | null): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#queue = [];
    this.#queued = 0;
    this.#waiting = [];
    this.#waitingBytes = 0;
    const { poller } = this.#shared;
    if (this.#socket !== -1) poller.close(this.#socket);
    const events = this.events;
    this.events = NOBODY;
    // Whoever closes it is in the middle of something.
    poller.afterBatch(() => events.onClose(error));
  }

  #localPlace(): Place {
    if (this.#local !== null) return this.#local;
    if (this.#closed) return NOWHERE;
    const bytes = new Uint8Array(ADDRESS_SIZE);
    this.#shared.libc.nameOf(this.#socket, bytes);
    return this.#local = decodeAddress(bytes);
  }
}
