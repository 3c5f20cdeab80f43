import type { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import { turn } from "../turn.ts";
import type { Connection, ConnectionEvents, TlsFacts } from "../transport.ts";

/** Events receiver of a connection that nobody listens to any more. */
const NOBODY: ConnectionEvents = {
  onData() {},
  onDrain() {},
  onEnd() {},
  onClose() {},
};

/** A connection over a node:net or node:tls socket. */
export class NodeConnection implements Connection {
  events: ConnectionEvents = NOBODY;
  readonly tls: TlsFacts | null;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly #socket: Socket;
  #error: Error | null = null;
  #closed = false;

  constructor(socket: Socket, tls: TlsFacts | null) {
    this.#socket = socket;
    this.tls = tls;
    this.remoteAddress = plainAddress(socket.remoteAddress ?? "");
    this.remotePort = socket.remotePort ?? 0;
    socket.on("data", (view: Buffer) => {
      if (this.#closed) return;
      turn.open++;
      this.events.onData(view);
      turn.open--;
    });
    socket.on("drain", () => {
      if (!this.#closed) this.events.onDrain();
    });
    socket.on("end", () => {
      if (!this.#closed) this.events.onEnd();
    });
    socket.on("error", (error: Error) => {
      this.#error ??= error;
    });
    socket.on("close", () => this.#onClose());
  }

  write(bytes: Uint8Array): boolean {
    if (this.#closed) return true;
    return this.#socket.write(bytes);
  }

  writeBoth(first: Uint8Array, second: Uint8Array): boolean {
    if (this.#closed) return true;
    const socket = this.#socket;
    socket.cork();
    socket.write(first);
    const flowing = socket.write(second);
    socket.uncork();
    return flowing;
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  end(): void {
    if (!this.#closed) this.#socket.end();
  }

  reset(): void {
    if (!this.#closed) this.#socket.resetAndDestroy();
  }

  close(): void {
    if (!this.#closed) this.#socket.destroy();
  }

  #onClose(): void {
    if (this.#closed) return;
    this.#closed = true;
    const events = this.events;
    this.events = NOBODY;
    events.onClose(this.#error);
  }
}

const MAPPED = "::ffff:";

/** An address without the IPv6 form that IPv4 clients of a dual-stack listener have (RFC 4291, 2.5.5.2). */
export function plainAddress(address: string): string {
  return address.startsWith(MAPPED) && address.includes(".")
    ? address.slice(MAPPED.length)
    : address;
}
