import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import { BINARY, readFrame, writeFrame } from "./websocket_frame.ts";

const HEAD_END = Buffer.from("\r\n\r\n");

/** What a WebSocket tells its user. */
export interface WebSocketEvents {
  onOpen(): void;
  /** The view is valid during the call. */
  onMessage(payload: Buffer): void;
  /** The connection is gone: never after `close()`. */
  onEnd(reason: string): void;
}

/** A WebSocket over a bare socket, for small messages that are sent again and again. */
export class WebSocketClient {
  readonly #socket: Socket;
  readonly #events: WebSocketEvents;
  #pending: Buffer = Buffer.alloc(0);
  #open = false;
  #ended = false;

  constructor(port: number, host: string, path: string, events: WebSocketEvents) {
    this.#events = events;
    this.#socket = connect({ host: "127.0.0.1", port, noDelay: true });
    this.#socket.on("data", (data: Buffer) => this.#receive(data));
    this.#socket.on("error", (error: Error) => this.#end(error.message));
    this.#socket.on("close", () => this.#end("closed"));
    this.#socket.write(
      `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${
          randomBytes(16).toString("base64")
        }\r\n\r\n`,
    );
  }

  /** Sends a frame made by `messageFrame`. */
  send(frame: Buffer): void {
    this.#socket.write(frame);
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
    let view = this.#pending.length === 0 ? data : Buffer.concat([this.#pending, data]);
    if (!this.#open) {
      const end = view.indexOf(HEAD_END);
      if (end >= 0) {
        const head = view.toString("latin1", 0, end);
        if (!/^HTTP\/1\.1 101 /.test(head)) return this.#end(head.split("\r\n", 1)[0]);
        this.#open = true;
        view = view.subarray(end + HEAD_END.length);
        this.#events.onOpen();
      }
    }
    let at = 0;
    while (this.#open && !this.#ended) {
      const frame = readFrame(view, at);
      if (frame === null) break;
      at = frame.end;
      this.#events.onMessage(view.subarray(frame.start, frame.end));
    }
    this.#pending = view.subarray(at);
  }
}

/** A message as the frame that carries it, to be sent any number of times. */
export function messageFrame(payload: Buffer): Buffer {
  return writeFrame(BINARY, payload, randomBytes(4));
}
