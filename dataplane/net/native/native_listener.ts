import type { BoundListener, ListenOptions } from "../transport.ts";
import { contained } from "../../loop/containment.ts";
import { Accepting } from "./accepting.ts";
import { PlainChannel } from "./channel.ts";
import { ADDRESS_SIZE, type Descriptor, ERRNO, SystemError } from "./libc.ts";
import { NativeConnection, type Shared } from "./native_connection.ts";
import { HAPPENED, type Watched } from "./poller.ts";
import { decodeAddress, type Place } from "./socket_address.ts";

/** Connections taken in one turn: those that are there already have theirs. */
const TAKEN = 64;
/** Milliseconds until another try when there are no descriptors, or no memory, for one more. */
const SHORTAGE = 100;

/** Errors of one connection, or of nobody: the next one is taken. */
const PASSING: ReadonlySet<number> = new Set([ERRNO.EINTR, ERRNO.ECONNABORTED]);
/** What ends by itself when others let go. */
const SHORT: ReadonlySet<number> = new Set([
  ERRNO.EMFILE,
  ERRNO.ENFILE,
  ERRNO.ENOBUFS,
  ERRNO.ENOMEM,
]);

/** A listening socket of one thread. */
export class NativeListener implements BoundListener, Watched {
  readonly address: string;
  readonly port: number;
  readonly #shared: Shared;
  readonly #socket: Descriptor;
  readonly #options: ListenOptions;
  readonly #peer = new Uint8Array(ADDRESS_SIZE);
  #retry: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(shared: Shared, socket: Descriptor, options: ListenOptions) {
    this.#shared = shared;
    this.#socket = socket;
    this.#options = options;
    const own = new Uint8Array(ADDRESS_SIZE);
    shared.libc.nameOf(socket, own);
    ({ address: this.address, port: this.port } = decodeAddress(own));
    shared.poller.add(socket, this);
  }

  onEvents(happened: number): void {
    if ((happened & HAPPENED.error) !== 0) {
      const errno = this.#shared.libc.socketError(this.#socket);
      if (errno !== 0) this.#options.onError(new SystemError("listen", errno));
    }
    for (let taken = 0; taken < TAKEN; taken++) if (!this.#take()) return;
    this.#shared.poller.again(this);
  }

  /** Sends a copy of the descriptor over a unix socket: whoever gets it listens as well. @throws {SystemError} */
  passTo(socket: Descriptor): void {
    this.#shared.libc.sendDescriptors(socket, [this.#socket]);
  }

  /** Whoever waits in the kernel's queue is taken before: they believe that they are connected. */
  close(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    while (this.#take());
    this.#closed = true;
    clearTimeout(this.#retry);
    this.#shared.poller.close(this.#socket);
    return Promise.resolve();
  }

  /** A fault of one connection is contained by it. */
  onFault(): void {}

  /** Takes a connection; false when there is none, or none can be taken now. */
  #take(): boolean {
    if (this.#closed) return false;
    const { libc } = this.#shared;
    const socket = libc.accept(this.#socket, this.#peer);
    if (socket >= 0) {
      this.#admit(socket, decodeAddress(this.#peer));
      return true;
    }
    const { errno } = libc;
    if (PASSING.has(errno)) return true;
    if (SHORT.has(errno)) this.#tryLater();
    else if (errno !== ERRNO.EAGAIN) this.#options.onError(new SystemError("accept", errno));
    return false;
  }

  #tryLater(): void {
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.onEvents(0), SHORTAGE);
  }

  #admit(socket: Descriptor, peer: Place): void {
    const { libc, poller } = this.#shared;
    const { proxyHeader, accept, tls } = this.#options;
    const { address, port } = peer;
    const proxied = proxyHeader();
    const header = proxied !== null && proxied.trusts(address) ? proxied : null;
    const admission = this.#options.admit(address, header !== null);
    if (admission === null) {
      libc.close(socket);
      return;
    }
    if (tls !== null || header !== null) {
      const how = { options: this.#options, peer, proxied: header, admission };
      const accepting = new Accepting(this.#shared, socket, how);
      poller.add(socket, accepting);
      return;
    }
    const connection = new NativeConnection(this.#shared, socket).from(address, port);
    connection.admission = admission;
    admission.establish();
    connection.open(new PlainChannel(libc, socket), null);
    contained(connection, () => {
      connection.events = accept(connection);
    });
    if (!connection.closed) poller.add(socket, connection);
  }
}
