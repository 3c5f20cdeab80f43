/**
 * A gRPC backend over bare sockets: HTTP/2 in cleartext, and no more of it than the bench needs, so that
 * the proxies are what is measured. Fields of requests are not decoded: every call is an echo of its
 * message, as often as the message says. Answers stay far below a stream's first window, so only the
 * connection's is kept. Usage: grpc_backend.ts PORT.
 */
import { Buffer } from "node:buffer";
import { createServer, type Socket } from "node:net";
import {
  DEFAULT_WINDOW,
  Flag,
  FRAME_HEADER,
  FrameType,
  MAX_WINDOW,
  put32,
  putFrameHeader,
  read31,
  Setting,
} from "../../dataplane/http2/frame.ts";
import { PREFACE } from "../../dataplane/http2/preface.ts";
import { copiesOf } from "./grpc_message.ts";

/** Streams that proxies may have open on a connection. */
const STREAMS = 1000;
/** Received bytes after which the connection's window is opened again. */
const REOPEN = 1 << 28;
const NOTHING = Buffer.alloc(0);

/** ":status: 200" of the static table, then a field without indexing. */
const HEAD = Buffer.concat([Buffer.from([0x88]), literal("content-type", "application/grpc")]);
const TRAILERS = literal("grpc-status", "0");

function literal(name: string, value: string): Buffer {
  return Buffer.concat([
    Buffer.from([0, name.length]),
    Buffer.from(name, "latin1"),
    Buffer.from([value.length]),
    Buffer.from(value, "latin1"),
  ]);
}

function frame(type: FrameType, flags: number, stream: number, payload: Buffer): Buffer {
  const out = Buffer.allocUnsafe(FRAME_HEADER + payload.length);
  putFrameHeader(out, 0, payload.length, type, flags, stream);
  payload.copy(out, FRAME_HEADER);
  return out;
}

function windowUpdate(increment: number): Buffer {
  const payload = Buffer.alloc(4);
  put32(increment, payload, 0);
  return frame(FrameType.WindowUpdate, 0, 0, payload);
}

function settings(): Buffer {
  const payload = Buffer.alloc(6);
  payload.writeUInt16BE(Setting.MaxConcurrentStreams, 0);
  payload.writeUInt32BE(STREAMS, 2);
  return frame(FrameType.Settings, 0, 0, payload);
}

/** An answer that waits for the connection's window. */
interface Waiting {
  readonly bytes: Buffer;
  /** Bytes of it that count against the window. */
  readonly cost: number;
}

class Connection {
  readonly #socket: Socket;
  readonly #messages = new Map<number, Buffer>();
  readonly #waiting: Waiting[] = [];
  #out: Buffer[] = [settings(), windowUpdate(MAX_WINDOW - DEFAULT_WINDOW)];
  #pending: Buffer = NOTHING;
  #greeted = false;
  #window = DEFAULT_WINDOW;
  #received = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on("error", () => socket.destroy());
    socket.on("data", (data: Buffer) => this.#receive(data));
  }

  #receive(data: Buffer): void {
    const view = this.#pending.length === 0 ? data : Buffer.concat([this.#pending, data]);
    let at = 0;
    if (!this.#greeted) {
      if (view.length < PREFACE.length) {
        this.#pending = view;
        return;
      }
      at = PREFACE.length;
      this.#greeted = true;
    }
    while (view.length - at >= FRAME_HEADER) {
      const end = at + FRAME_HEADER + view.readUIntBE(at, 3);
      if (end > view.length) break;
      const payload = view.subarray(at + FRAME_HEADER, end);
      this.#onFrame(view[at + 3], view[at + 4], read31(view, at + 5), payload);
      at = end;
    }
    this.#pending = at === view.length ? NOTHING : view.subarray(at);
    if (this.#out.length > 0) this.#socket.write(Buffer.concat(this.#out));
    this.#out = [];
  }

  #onFrame(type: number, flags: number, stream: number, payload: Buffer): void {
    const acknowledgement = (flags & Flag.Ack) !== 0;
    switch (type) {
      case FrameType.Data:
        this.#onData(stream, payload, (flags & Flag.EndStream) !== 0);
        break;
      case FrameType.Settings:
        if (!acknowledgement) this.#out.push(frame(FrameType.Settings, Flag.Ack, 0, NOTHING));
        break;
      case FrameType.Ping:
        if (!acknowledgement) this.#out.push(frame(FrameType.Ping, Flag.Ack, 0, payload));
        break;
      case FrameType.RstStream:
        this.#messages.delete(stream);
        break;
      case FrameType.WindowUpdate:
        if (stream === 0) this.#window += read31(payload, 0);
        while (this.#waiting.length > 0 && this.#waiting[0].cost <= this.#window) {
          this.#answer(this.#waiting.shift()!);
        }
    }
  }

  #onData(stream: number, payload: Buffer, ended: boolean): void {
    this.#received += payload.length;
    if (this.#received >= REOPEN) {
      this.#out.push(windowUpdate(this.#received));
      this.#received = 0;
    }
    const before = this.#messages.get(stream);
    const message = before === undefined ? payload : Buffer.concat([before, payload]);
    if (!ended) {
      this.#messages.set(stream, Buffer.from(message));
      return;
    }
    this.#messages.delete(stream);
    const copies = copiesOf(message);
    const data = frame(FrameType.Data, 0, stream, message);
    const parts = [frame(FrameType.Headers, Flag.EndHeaders, stream, HEAD)];
    for (let i = 0; i < copies; i++) parts.push(data);
    parts.push(frame(FrameType.Headers, Flag.EndHeaders | Flag.EndStream, stream, TRAILERS));
    const answer = { bytes: Buffer.concat(parts), cost: copies * message.length };
    if (this.#waiting.length > 0 || answer.cost > this.#window) this.#waiting.push(answer);
    else this.#answer(answer);
  }

  #answer({ bytes, cost }: Waiting): void {
    this.#window -= cost;
    this.#out.push(bytes);
  }
}

createServer((socket) => new Connection(socket))
  .listen({ host: "127.0.0.1", port: Number(Deno.args[0]), backlog: 511 });
