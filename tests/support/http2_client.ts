import { Buffer } from "node:buffer";
import net from "node:net";
import tls from "node:tls";
import { Flag, FrameType, read32 } from "../../dataplane/http2/frame.ts";
import { PREFACE } from "../../dataplane/http2/preface.ts";
import { type Field, frame, frameReader, section, SectionReader } from "./http2_wire.ts";

/** Milliseconds after which an answer that does not come fails the test instead of hanging it. */
const GUARD = 8_000;
const EMPTY = Buffer.alloc(0);

/** How a stream ended. */
export interface Http2Answer {
  /** 0 when no final head came. */
  readonly status: number;
  readonly fields: ReadonlyMap<string, string>;
  readonly trailers: ReadonlyMap<string, string>;
  readonly body: string;
  /** Whether END_STREAM came: the message is complete as its framing says. */
  readonly complete: boolean;
  /** Code of RST_STREAM, -1 without. */
  readonly reset: number;
  /** Code of the connection's GOAWAY, -1 without. */
  readonly goAway: number;
  /** Whether the connection ended before the stream. */
  readonly gone: boolean;
}

class Reply {
  status = 0;
  fields = new Map<string, string>();
  trailers = new Map<string, string>();
  body = "";
  complete = false;
  reset = -1;
  waiting: (() => void)[] = [];

  get over(): boolean {
    return this.complete || this.reset >= 0;
  }
}

/** A minimal HTTP/2 client that sends whatever it is told to, valid or not. */
export class Http2Client {
  readonly socket: net.Socket;
  ended = false;
  goAway = -1;
  #next = 1;
  readonly #replies = new Map<number, Reply>();
  readonly #sections = new SectionReader();
  #block: { stream: number; flags: number; bytes: Buffer } | null = null;
  #reader = frameReader((received) => this.#receive(received));

  private constructor(socket: net.Socket) {
    this.socket = socket;
    socket.on("data", (chunk: Buffer) => this.#reader.receive(chunk));
    const end = () => {
      this.ended = true;
      for (const reply of this.#replies.values()) wake(reply.waiting);
    };
    socket.on("end", end);
    socket.on("close", end);
    socket.on("error", end);
    socket.write(Buffer.concat([PREFACE, frame(FrameType.Settings, 0, 0, EMPTY)]));
  }

  /** Opens a connection: cleartext with prior knowledge, or TLS with ALPN. */
  static open(
    port: number,
    options: { tls?: tls.ConnectionOptions } = {},
  ): Promise<Http2Client> {
    return new Promise((resolve, reject) => {
      const socket = options.tls === undefined
        ? net.connect({ port, host: "127.0.0.1", noDelay: true })
        : tls.connect({
          port,
          host: "127.0.0.1",
          ALPNProtocols: ["h2"],
          rejectUnauthorized: false,
          ...options.tls,
        });
      socket.once("error", reject);
      socket.once(options.tls === undefined ? "connect" : "secureConnect", () => {
        socket.removeListener("error", reject);
        resolve(new Http2Client(socket));
      });
    });
  }

  /** Sends bytes as they are. */
  write(...bytes: Uint8Array[]): void {
    if (!this.ended) this.socket.write(Buffer.concat(bytes));
  }

  /** The id of a new stream. */
  stream(): number {
    const id = this.#next;
    this.#next += 2;
    this.#replies.set(id, new Reply());
    return id;
  }

  /** Sends a field section, in as many frames as it needs. */
  headers(stream: number, block: Buffer, ended: boolean): void {
    const parts: Buffer[] = [];
    for (let at = 0; at === 0 || at < block.length; at += 16_384) {
      const last = at + 16_384 >= block.length;
      parts.push(frame(
        at === 0 ? FrameType.Headers : FrameType.Continuation,
        (last ? Flag.EndHeaders : 0) | (at === 0 && ended ? Flag.EndStream : 0),
        stream,
        block.subarray(at, at + 16_384),
      ));
    }
    this.write(...parts);
  }

  data(stream: number, content: string, ended: boolean): void {
    this.write(
      frame(FrameType.Data, ended ? Flag.EndStream : 0, stream, Buffer.from(content, "latin1")),
    );
  }

  /** Opens a stream with these fields; content follows unless `ended`. */
  request(fields: readonly Field[], ended = true): number {
    const id = this.stream();
    this.headers(id, section(fields), ended);
    return id;
  }

  /** A plain GET. */
  get(path: string, ...more: Field[]): Promise<Http2Answer> {
    return this.answer(this.request([...pseudo("GET", path), ...more]));
  }

  /** Waits until the stream is over, or its connection. */
  async answer(stream: number): Promise<Http2Answer> {
    const reply = this.#replies.get(stream)!;
    await this.#until(reply.waiting, () => reply.over || this.ended, `stream ${stream} to end`);
    const { status, fields, trailers, body, complete, reset } = reply;
    const gone = !reply.over;
    return { status, fields, trailers, body, complete, reset, goAway: this.goAway, gone };
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }

  async #until(waiting: (() => void)[], holds: () => boolean, what: string): Promise<void> {
    while (!holds()) {
      const guard = setTimeout(() => waiting.forEach((resolve) => resolve()), GUARD);
      const start = performance.now();
      await new Promise<void>((resolve) => waiting.push(resolve));
      clearTimeout(guard);
      if (!holds() && performance.now() - start >= GUARD) throw new Error(`waited for ${what}`);
    }
  }

  #receive({ type, flags, stream, payload }: {
    type: number;
    flags: number;
    stream: number;
    payload: Buffer;
  }): void {
    const reply = this.#replies.get(stream);
    if (type === FrameType.Settings && (flags & Flag.Ack) === 0) {
      this.write(frame(FrameType.Settings, Flag.Ack, 0, EMPTY));
    } else if (type === FrameType.Ping && (flags & Flag.Ack) === 0) {
      this.write(frame(FrameType.Ping, Flag.Ack, 0, payload));
    } else if (type === FrameType.GoAway) this.goAway = read32(payload, 4);
    else if (type === FrameType.RstStream && reply !== undefined) {
      // A reset behind the end of the answer says that the rest of the request is not wanted.
      if (!reply.complete) reply.reset = read32(payload, 0);
      wake(reply.waiting);
    } else if (type === FrameType.Data && reply !== undefined) {
      reply.body += payload.toString("latin1");
      if (payload.length > 0) {
        const update = Buffer.alloc(4);
        update.writeUInt32BE(payload.length);
        this.write(
          frame(FrameType.WindowUpdate, 0, 0, update),
          frame(FrameType.WindowUpdate, 0, stream, update),
        );
      }
      if ((flags & Flag.EndStream) !== 0) reply.complete = true;
      wake(reply.waiting);
    } else if (type === FrameType.Headers || type === FrameType.Continuation) {
      const before = this.#block?.bytes ?? EMPTY;
      this.#block = {
        stream,
        flags: flags | (this.#block?.flags ?? 0),
        bytes: Buffer.concat([before, payload]),
      };
      if ((flags & Flag.EndHeaders) !== 0) this.#section();
    }
  }

  #section(): void {
    const { stream, flags, bytes } = this.#block!;
    this.#block = null;
    const fields = new Map(this.#sections.read(bytes));
    const reply = this.#replies.get(stream);
    if (reply === undefined) return;
    const status = Number(fields.get(":status") ?? 0);
    if (status >= 200) {
      reply.status = status;
      reply.fields = fields;
    } else if (status === 0) reply.trailers = fields;
    if ((flags & Flag.EndStream) !== 0) reply.complete = true;
    wake(reply.waiting);
  }
}

function wake(waiting: (() => void)[]): void {
  for (const resolve of waiting.splice(0)) resolve();
}

/** The pseudo-header fields of a plain request. */
export function pseudo(method: string, path: string, authority = "a"): Field[] {
  return [[":method", method], [":scheme", "http"], [":authority", authority], [":path", path]];
}
