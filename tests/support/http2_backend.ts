import { Buffer } from "node:buffer";
import net from "node:net";
import { Flag, FrameType } from "../../dataplane/http2/frame.ts";
import { PREFACE } from "../../dataplane/http2/preface.ts";
import { type Field, frame, frameReader, section, SectionReader } from "./http2_wire.ts";

const EMPTY = Buffer.alloc(0);

/** One connection of the gateway to a hand-made HTTP/2 backend, which may break any rule. */
export class Http2BackendConnection {
  readonly #sections = new SectionReader();

  constructor(readonly socket: net.Socket) {}

  write(...bytes: Uint8Array[]): void {
    if (!this.socket.destroyed) this.socket.write(Buffer.concat(bytes));
  }

  frame(type: FrameType, flags: number, stream: number, payload: Uint8Array = EMPTY): void {
    this.write(frame(type, flags, stream, payload));
  }

  headers(stream: number, fields: readonly Field[], ended: boolean): void {
    const flags = Flag.EndHeaders | (ended ? Flag.EndStream : 0);
    this.frame(FrameType.Headers, flags, stream, section(fields));
  }

  data(stream: number, content: string, ended: boolean): void {
    const flags = ended ? Flag.EndStream : 0;
    this.frame(FrameType.Data, flags, stream, Buffer.from(content, "latin1"));
  }

  /** Four bytes, as RST_STREAM and WINDOW_UPDATE have. */
  number(type: FrameType, stream: number, value: number): void {
    const payload = Buffer.alloc(4);
    payload.writeUInt32BE(value);
    this.frame(type, 0, stream, payload);
  }

  goAway(lastStream: number, code: number): void {
    const payload = Buffer.alloc(8);
    payload.writeUInt32BE(lastStream);
    payload.writeUInt32BE(code, 4);
    this.frame(FrameType.GoAway, 0, 0, payload);
  }

  read(block: Buffer): Field[] {
    return this.#sections.read(block);
  }
}

/** What a request was, once its head is complete. */
export interface Http2Request {
  readonly stream: number;
  readonly fields: ReadonlyMap<string, string>;
  /** Number of the request on its connection, and of the connection. */
  readonly nth: number;
  readonly connection: number;
}

/** A backend that speaks HTTP/2 by prior knowledge, frame by frame. */
export class Http2Backend {
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();
  #accepted = 0;

  /**
   * @param onRequest a request's head has come
   * @param greet what is sent first
   */
  constructor(
    onRequest: (connection: Http2BackendConnection, request: Http2Request) => void,
    greet: (connection: Http2BackendConnection) => void = (connection) =>
      connection.frame(FrameType.Settings, 0, 0),
  ) {
    this.#server = net.createServer((socket) => {
      this.#sockets.add(socket);
      socket.setNoDelay(true);
      socket.on("error", () => {});
      socket.on("close", () => this.#sockets.delete(socket));
      const connection = new Http2BackendConnection(socket);
      const number = ++this.#accepted;
      let nth = 0;
      let preface = PREFACE.length;
      const reader = frameReader(({ type, flags, stream, payload }) => {
        if (type === FrameType.Settings && (flags & Flag.Ack) === 0) {
          connection.frame(FrameType.Settings, Flag.Ack, 0);
        } else if (type === FrameType.Headers) {
          const fields = new Map(connection.read(payload));
          if (!fields.has(":method")) return;
          onRequest(connection, { stream, fields, nth: ++nth, connection: number });
        }
      });
      socket.on("data", (chunk: Buffer) => {
        const skipped = Math.min(preface, chunk.length);
        preface -= skipped;
        reader.receive(chunk.subarray(skipped));
      });
      greet(connection);
    });
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port;
  }

  get connections(): number {
    return this.#accepted;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
