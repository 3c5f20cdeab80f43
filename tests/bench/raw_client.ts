import { Buffer } from "node:buffer";
import { connect, type Socket } from "node:net";

const HEAD_END = Buffer.from("\r\n\r\n");

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

/**
 * A client connection over a bare socket: no pool, no retries, nothing sent twice, so that what is
 * counted is what happened. Reads answers with Content-Length only.
 */
export class RawClient {
  readonly #socket: Socket;
  readonly #events: RawClientEvents;
  #pending: Buffer = Buffer.alloc(0);
  #ended = false;

  constructor(port: number, events: RawClientEvents) {
    this.#events = events;
    this.#socket = connect({ host: "127.0.0.1", port, noDelay: true });
    this.#socket.on("data", (data: Buffer) => this.#receive(data));
    this.#socket.on("error", (error: Error) => this.#end(error.message));
    this.#socket.on("close", () => this.#end("closed"));
  }

  send(request: Buffer): void {
    this.#socket.write(request);
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
    this.#pending = this.#pending.length === 0 ? data : Buffer.concat([this.#pending, data]);
    while (!this.#ended) {
      const headEnd = this.#pending.indexOf(HEAD_END);
      if (headEnd < 0) return;
      const head = this.#pending.toString("latin1", 0, headEnd);
      const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
      if (length === undefined) return this.#end(`an answer without Content-Length: ${head}`);
      const end = headEnd + HEAD_END.length + Number(length);
      if (this.#pending.length < end) return;
      const body = this.#pending.subarray(headEnd + HEAD_END.length, end);
      this.#pending = this.#pending.subarray(end);
      this.#events.onAnswer({ status: Number(head.slice(9, 12)), head, body });
    }
  }
}

/** The bytes of a GET request. */
export function getRequest(host: string, path: string, closing = false): Buffer {
  const close = closing ? "Connection: close\r\n" : "";
  return Buffer.from(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${close}\r\n`, "latin1");
}

/** One request on a connection of its own; null when there is no answer. */
export function ask(port: number, host: string, path: string): Promise<Answer | null> {
  const { promise, resolve } = Promise.withResolvers<Answer | null>();
  const client = new RawClient(port, {
    onAnswer(answer) {
      client.close();
      resolve(answer);
    },
    onEnd: () => resolve(null),
  });
  client.send(getRequest(host, path));
  return promise;
}
