import { Buffer } from "node:buffer";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";

const HEAD_END = Buffer.from("\r\n\r\n");
const NOTHING = Buffer.alloc(0);

export interface Answer {
  readonly status: number;
  readonly head: string;
  readonly body: Buffer;
}

/** What a connection of a `RawClient` tells its user. */
export interface RawClientEvents {
  onAnswer(answer: Answer): void;
  /** The connection is gone: never after `close()`. */
  onEnd(reason: string): void;
}

/** How a `RawClient` connects. */
export interface RawClientOptions {
  /** Speaks TLS and believes any certificate. */
  readonly tls?: boolean;
  /** Address to come from. */
  readonly from?: string;
}

/**
 * A client connection over a bare socket: no pool, no retries, nothing sent twice, so that what is
 * counted is what happened. Reads answers with Content-Length only.
 */
export class RawClient {
  #socket: Socket;
  /** What is sent before the connection is there; null behind that. */
  #unsent: Buffer[] | null = null;
  readonly #events: RawClientEvents;
  /** Bytes received, and as many of them as an answer needs; 0 while its head is not complete. */
  #pieces: Buffer[] = [];
  #length = 0;
  #needed = 0;
  #ended = false;

  constructor(port: number, events: RawClientEvents, { tls, from }: RawClientOptions = {}) {
    this.#events = events;
    const localAddress = from === undefined ? {} : { localAddress: from };
    const socket = connect({ host: "127.0.0.1", port, noDelay: true, ...localAddress });
    this.#socket = socket;
    socket.on("error", (error: Error) => this.#end(error.message));
    socket.on("close", () => this.#end("closed"));
    if (tls !== true) socket.on("data", (data: Buffer) => this.#receive(data));
    else {
      this.#unsent = [];
      // The runtime throws where nobody can catch it when a connection fails under its TLS socket.
      socket.once("connect", () => this.#secure(socket));
    }
  }

  send(request: Buffer): void {
    if (this.#unsent === null) this.#socket.write(request);
    else this.#unsent.push(request);
  }

  #secure(raw: Socket): void {
    if (this.#ended) return;
    const socket = connectTls({ socket: raw, rejectUnauthorized: false });
    this.#socket = socket;
    socket.on("data", (data: Buffer) => this.#receive(data));
    socket.on("error", (error: Error) => this.#end(error.message));
    socket.on("close", () => this.#end("closed"));
    for (const request of this.#unsent ?? []) socket.write(request);
    this.#unsent = null;
  }

  close(): void {
    this.#ended = true;
    this.#socket.destroy();
  }

  #end(reason: string): void {
    if (this.#ended) return;
    this.close();
    this.#events.onEnd(reason);
  }

  #receive(data: Buffer): void {
    this.#pieces.push(data);
    this.#length += data.length;
    // A large body is put together once and not with every piece.
    if (this.#length < this.#needed) return;
    let pending = this.#pieces.length === 1 ? data : Buffer.concat(this.#pieces);
    this.#needed = 0;
    while (!this.#ended) {
      const headEnd = pending.indexOf(HEAD_END);
      if (headEnd < 0) break;
      const head = pending.toString("latin1", 0, headEnd);
      const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
      if (length === undefined) return this.#end(`an answer without Content-Length: ${head}`);
      const end = headEnd + HEAD_END.length + Number(length);
      if (pending.length < end) {
        this.#needed = end;
        break;
      }
      const body = pending.subarray(headEnd + HEAD_END.length, end);
      pending = end === pending.length ? NOTHING : pending.subarray(end);
      this.#events.onAnswer({ status: Number(head.slice(9, 12)), head, body });
    }
    this.#pieces = pending.length === 0 ? [] : [pending];
    this.#length = pending.length;
  }
}

/** The bytes of a GET request. */
export function getRequest(host: string, path: string, closing = false): Buffer {
  const close = closing ? "Connection: close\r\n" : "";
  return Buffer.from(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${close}\r\n`, "latin1");
}

/** One request on a connection of its own; null when there is no answer. */
export function ask(
  port: number,
  host: string,
  path: string,
  options?: RawClientOptions,
): Promise<Answer | null> {
  const { promise, resolve } = Promise.withResolvers<Answer | null>();
  const client = new RawClient(port, {
    onAnswer(answer) {
      client.close();
      resolve(answer);
    },
    onEnd: () => resolve(null),
  }, options);
  client.send(getRequest(host, path));
  return promise;
}
