import { type Descriptor, ERRNO, type Libc, SystemError } from "./libc.ts";

/** What a channel says instead of a number of bytes. */
export const BLOCKED = -1;
export const FAILED = -2;
/** Bytes came but no content, and there may be more: others have their turn first. */
export const AGAIN = -3;

/** How the bytes of a connection pass its socket. It does not own the descriptor. */
export interface Channel {
  /** Whether the last `receive` took all that was there, as far as can be told without asking. */
  readonly drained: boolean;
  /** Why something failed. */
  readonly failure: Error | null;
  /** Bytes read, 0 at the end of the stream, `BLOCKED`, `AGAIN` or `FAILED`. */
  receive(into: Uint8Array): number;
  /** Bytes taken, `BLOCKED` or `FAILED`. What was blocked is to be given again, byte by byte. */
  send(bytes: Uint8Array): number;
  /** Says that nothing more will be sent. */
  finish(): void;
  /** Frees what it holds: the last call. @param orderly whether the peer is told, where it can be */
  release(orderly: boolean): void;
}

/** Bytes as they are. */
export class PlainChannel implements Channel {
  readonly #libc: Libc;
  readonly #socket: Descriptor;
  drained = false;
  failure: Error | null = null;

  constructor(libc: Libc, socket: Descriptor) {
    this.#libc = libc;
    this.#socket = socket;
  }

  receive(into: Uint8Array): number {
    for (;;) {
      const length = this.#libc.receive(this.#socket, into);
      if (length >= 0) {
        // A stream that gives less than it was asked for has no more (epoll(7)).
        this.drained = length < into.length;
        return length;
      }
      const refused = this.#refused("read");
      if (refused !== 0) return refused;
    }
  }

  send(bytes: Uint8Array): number {
    for (;;) {
      const taken = this.#libc.send(this.#socket, bytes);
      if (taken >= 0) return taken;
      const refused = this.#refused("write");
      if (refused !== 0) return refused;
    }
  }

  finish(): void {
    this.#libc.finish(this.#socket);
  }

  release(): void {}

  /** What became of a call that failed; 0 to make it again. */
  #refused(call: string): number {
    const { errno } = this.#libc;
    if (errno === ERRNO.EINTR) return 0;
    if (errno === ERRNO.EAGAIN || errno === ERRNO.ENOBUFS) return BLOCKED;
    this.failure = new SystemError(call, errno);
    return FAILED;
  }
}
