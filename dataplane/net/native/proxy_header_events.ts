import { Buffer } from "node:buffer";
import { parseProxyHeader, type ProxyEndpoint } from "../proxy_protocol.ts";
import type { Connection, ConnectionEvents, ProxyHeaderOptions } from "../transport.ts";

/** Receives a connection until the PROXY header that its peer must send first is there. */
export class ProxyHeaderEvents implements ConnectionEvents {
  readonly #connection: Connection;
  readonly #options: ProxyHeaderOptions;
  readonly #done: (source: ProxyEndpoint | null, rest: Buffer) => void;
  readonly #timer: ReturnType<typeof setTimeout>;
  #bytes: Buffer = Buffer.alloc(0);
  #over = false;

  /** @param done gets whom the peer speaks for, null for itself, and the bytes that came behind the header */
  constructor(
    connection: Connection,
    options: ProxyHeaderOptions,
    done: (source: ProxyEndpoint | null, rest: Buffer) => void,
  ) {
    this.#connection = connection;
    this.#options = options;
    this.#done = done;
    this.#timer = setTimeout(() => this.#refuse("timeout"), options.timeout);
  }

  onData(view: Buffer): void {
    if (this.#over) return;
    this.#bytes = Buffer.concat([this.#bytes, view]);
    const header = parseProxyHeader(this.#bytes, this.#options.version);
    if (header.kind === "incomplete") return;
    if (header.kind === "invalid") {
      this.#refuse(header.reason);
      return;
    }
    this.#stop();
    this.#done(header.source, this.#bytes.subarray(header.length));
  }

  onDrain(): void {}

  onEnd(): void {
    this.#refuse("closed");
  }

  onClose(): void {
    this.#stop();
  }

  #stop(): void {
    this.#over = true;
    clearTimeout(this.#timer);
  }

  #refuse(reason: string): void {
    if (this.#over) return;
    this.#stop();
    this.#options.onBadHeader(reason);
    this.#connection.close();
  }
}
