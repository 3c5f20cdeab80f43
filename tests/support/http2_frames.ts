import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import net from "node:net";
import { TLSSocket } from "node:tls";
import {
  Flag,
  FrameType,
  MAX_WINDOW,
  read31,
  read32,
  Setting,
} from "../../dataplane/http2/frame.ts";
import { PREFACE } from "../../dataplane/http2/preface.ts";
import type { BackendTransport } from "../../dataplane/upstream/backend_transport.ts";
import type { Backend } from "../../proto/gen/novaedge/v1/config.ts";
import { Harness, type RouteOptions } from "./exchange_harness.ts";
import type { FakeConnection } from "./fake_transport.ts";
import { type Field, frame, frameReader, literal, section, SectionReader } from "./http2_wire.ts";

const EMPTY = Buffer.alloc(0);

/** HTTP/2 by prior knowledge. */
const HTTP2: BackendTransport = {
  protocol: "http2",
  tls: null,
  proxyProtocol: 0,
  networks: null,
  key: "http2",
};

/** Four bytes, as RST_STREAM and WINDOW_UPDATE have. */
export function four(value: number): Buffer {
  const out = Buffer.alloc(4);
  out.writeUInt32BE(value);
  return out;
}

/** A SETTINGS frame. */
export function settingsFrame(values: readonly (readonly [Setting | number, number])[]): Buffer {
  const payload = Buffer.alloc(values.length * 6);
  values.forEach(([setting, value], i) => {
    payload.writeUInt16BE(setting, i * 6);
    payload.writeUInt32BE(value, i * 6 + 2);
  });
  return frame(FrameType.Settings, 0, 0, payload);
}

export function resetFrame(stream: number, code: number): Buffer {
  return frame(FrameType.RstStream, 0, stream, four(code));
}

export function windowFrame(stream: number, increment: number): Buffer {
  return frame(FrameType.WindowUpdate, 0, stream, four(increment));
}

export function pingFrame(ack = false, payload = "12345678"): Buffer {
  return frame(FrameType.Ping, ack ? Flag.Ack : 0, 0, Buffer.from(payload, "latin1"));
}

export function goAwayFrame(lastStream: number, code: number): Buffer {
  return frame(FrameType.GoAway, 0, 0, Buffer.concat([four(lastStream), four(code)]));
}

export function headersFrame(stream: number, fields: readonly Field[], ended: boolean): Buffer {
  const flags = Flag.EndHeaders | (ended ? Flag.EndStream : 0);
  return frame(FrameType.Headers, flags, stream, section(fields));
}

/** A HEADERS frame without END_HEADERS. */
export function openHeadersFrame(stream: number, fields: readonly Field[]): Buffer {
  return frame(FrameType.Headers, 0, stream, section(fields));
}

export function dataFrame(stream: number, content: string | Uint8Array, ended: boolean): Buffer {
  const bytes = typeof content === "string" ? Buffer.from(content, "latin1") : content;
  return frame(FrameType.Data, ended ? Flag.EndStream : 0, stream, bytes);
}

/** A DATA frame with padding. */
export function paddedFrame(
  stream: number,
  content: string,
  padding: number,
  ended: boolean,
): Buffer {
  return frame(
    FrameType.Data,
    Flag.Padded | (ended ? Flag.EndStream : 0),
    stream,
    Buffer.concat([Buffer.from([padding]), Buffer.from(content, "latin1"), Buffer.alloc(padding)]),
  );
}

/** The pseudo-header fields of a request. */
export function pseudo(method: string, path = "/", authority = "h"): Field[] {
  return [[":method", method], [":scheme", "http"], [":authority", authority], [":path", path]];
}

/** What came on one stream. */
export class ReceivedStream {
  /** Sections in order; the last is the trailers where `trailers` is not null. */
  readonly sections: Map<string, string>[] = [];
  body = "";
  ended = false;
  /** Codes of RST_STREAM. */
  readonly resets: number[] = [];

  /** The last section with `:status`. */
  get status(): number {
    const statuses = this.sections.map((fields) => Number(fields.get(":status") ?? 0));
    return statuses.findLast((status) => status > 0) ?? 0;
  }

  /** Whether the stream is over for its receiver. */
  get over(): boolean {
    return this.ended || this.resets.length > 0;
  }
}

/** One end of HTTP/2 over a fake connection: sends what it is told and keeps what comes back. */
export class FramePeer {
  readonly streams = new Map<number, ReceivedStream>();
  readonly goAways: { last: number; code: number }[] = [];
  /** Acknowledgements that came. */
  readonly acks = { settings: 0, ping: 0 };
  /** Payloads of PING that came without ACK. */
  readonly pings: string[] = [];
  /** What the other end announced. */
  readonly settings = new Map<number, number>();
  /** Window increments that came, by stream. */
  readonly updates = new Map<number, number>();
  bytes = 0;
  readonly #sections = new SectionReader();
  #block: { stream: number; ended: boolean; bytes: Buffer } | null = null;
  #skip: number;
  readonly #reader = frameReader((received) => this.#receive(received));

  constructor(
    readonly edge: Harness,
    readonly connection: FakeConnection,
    side: "client" | "backend",
  ) {
    this.#skip = side === "backend" ? PREFACE.length : 0;
  }

  /** Sends frames in one read. */
  send(...frames: Uint8Array[]): void {
    this.connection.receive(Buffer.concat(frames));
    this.read();
  }

  /** Takes in what was written until now. */
  read(): void {
    this.edge.turnEnd.run();
    let bytes = Buffer.from(this.connection.take(), "latin1");
    this.bytes += bytes.length;
    const skipped = Math.min(this.#skip, bytes.length);
    this.#skip -= skipped;
    bytes = bytes.subarray(skipped);
    if (bytes.length > 0) this.#reader.receive(bytes);
  }

  headers(stream: number, fields: readonly Field[], ended: boolean): void {
    this.send(headersFrame(stream, fields, ended));
  }

  data(stream: number, content: string | Uint8Array, ended: boolean): void {
    this.send(dataFrame(stream, content, ended));
  }

  get(stream: number, path = "/", ...more: Field[]): void {
    this.headers(stream, [...pseudo("GET", path), ...more], true);
  }

  post(stream: number, path = "/", ...more: Field[]): void {
    this.headers(stream, [...pseudo("POST", path), ...more], false);
  }

  reset(stream: number, code: number): void {
    this.send(resetFrame(stream, code));
  }

  grant(stream: number, increment: number): void {
    this.send(windowFrame(stream, increment));
  }

  /** What came on a stream. */
  on(stream: number): ReceivedStream {
    this.read();
    let received = this.streams.get(stream);
    if (received === undefined) this.streams.set(stream, received = new ReceivedStream());
    return received;
  }

  /** The code of the last GOAWAY, -1 for none. */
  get goAway(): number {
    this.read();
    return this.goAways.at(-1)?.code ?? -1;
  }

  /** Checks that the connection ends with this code and lets it go, as the transport would. */
  endsWith(code: number): void {
    assert.equal(this.goAway, code);
    assert.ok(this.connection.ended || this.connection.closed, "the connection stays open");
    this.connection.gone();
  }

  #receive({ type, flags, stream, payload }: {
    type: number;
    flags: number;
    stream: number;
    payload: Buffer;
  }): void {
    if (type === FrameType.Settings) {
      if ((flags & Flag.Ack) !== 0) this.acks.settings++;
      for (let at = 0; at < payload.length; at += 6) {
        this.settings.set(payload.readUInt16BE(at), payload.readUInt32BE(at + 2));
      }
    } else if (type === FrameType.Ping) {
      if ((flags & Flag.Ack) !== 0) this.acks.ping++;
      else this.pings.push(payload.toString("latin1"));
    } else if (type === FrameType.GoAway) {
      this.goAways.push({ last: read31(payload, 0), code: read32(payload, 4) });
    } else if (type === FrameType.WindowUpdate) {
      this.updates.set(stream, (this.updates.get(stream) ?? 0) + read31(payload, 0));
    } else if (type === FrameType.RstStream) this.#of(stream).resets.push(read32(payload, 0));
    else if (type === FrameType.Data) {
      const received = this.#of(stream);
      received.body += payload.toString("latin1");
      if ((flags & Flag.EndStream) !== 0) received.ended = true;
    } else if (type === FrameType.Headers || type === FrameType.Continuation) {
      const ended = type === FrameType.Headers
        ? (flags & Flag.EndStream) !== 0
        : this.#block!.ended;
      const before = this.#block?.bytes ?? EMPTY;
      this.#block = { stream, ended, bytes: Buffer.concat([before, payload]) };
      if ((flags & Flag.EndHeaders) === 0) return;
      const received = this.#of(stream);
      received.sections.push(new Map(this.#sections.read(this.#block.bytes)));
      if (ended) received.ended = true;
      this.#block = null;
    }
  }

  #of(stream: number): ReceivedStream {
    let received = this.streams.get(stream);
    if (received === undefined) this.streams.set(stream, received = new ReceivedStream());
    return received;
  }
}

/** A client, with what can be asked of the server's side of its connection. */
export class FrameClient extends FramePeer {
  /** Asks the server to end the connection after its work. */
  readonly drain: () => void;

  constructor(edge: Harness) {
    const connection = edge.http2Client();
    super(edge, connection, "client");
    this.drain = () => {
      connection.server.drain();
      this.read();
    };
  }
}

/** A client whose preface and SETTINGS have been exchanged. */
export function frameClient(
  edge: Harness,
  settings: readonly (readonly [Setting | number, number])[] = [],
): FrameClient {
  const peer = new FrameClient(edge);
  peer.send(PREFACE, settingsFrame(settings));
  return peer;
}

/** A client that never grants a byte on any stream. */
export function stalledClient(edge: Harness): FrameClient {
  return frameClient(edge, [[Setting.InitialWindowSize, 0]]);
}

/** A client whose windows never end. */
export function wideClient(edge: Harness): FrameClient {
  const peer = frameClient(edge, [[Setting.InitialWindowSize, MAX_WINDOW]]);
  peer.grant(0, MAX_WINDOW - 65_535);
  return peer;
}

/** Backend connection number `index`, which speaks HTTP/2 and has announced its settings. */
export function frameBackend(
  edge: Harness,
  index: number,
  settings: readonly (readonly [Setting | number, number])[] | null = [],
): FramePeer {
  const peer = new FramePeer(edge, edge.upstream(index), "backend");
  peer.read();
  if (settings !== null) peer.send(settingsFrame(settings));
  return peer;
}

/** A section that lists one large field of the dynamic table many times. */
export function repeatedReferences(size: number, times: number): Buffer {
  const value = "v".repeat(size);
  const text = (bytes: string) => literal("", bytes).subarray(2);
  const first = Buffer.concat([Buffer.from([0x40]), text("n"), text(value)]);
  return Buffer.concat([first, Buffer.alloc(times, 0x80 | 62)]);
}

/** A worker whose backend speaks HTTP/2. */
export function http2Edge(backend: Partial<Backend> = {}, options: RouteOptions = {}): Harness {
  const edge = new Harness();
  edge.backend("b", backend, HTTP2);
  edge.route("/", options);
  return edge;
}

/** Checks that nothing is left of what was going on: no open stream, connection or kept byte. */
export function assertClean(edge: Harness, connections: number): void {
  assert.equal(edge.overload.buffered, 0);
  assert.equal(edge.closed, connections);
  for (const { endpoints } of edge.backends.values()) {
    for (const { load, label } of endpoints) assert.equal(load.active, 0, `requests at ${label}`);
  }
}

/** A socket that sends frames, valid or not, and keeps what it needs to know of what comes back. */
export class FrameSocket {
  /** Code of the last GOAWAY, -1 for none. */
  goAway = -1;
  ended = false;
  /** Resolves when the other side has ended the connection. */
  readonly end: Promise<void>;
  /** Resolves when the connection is made, its handshake included. */
  readonly connected: Promise<void>;
  readonly #counts = new Map<FrameType, number>();
  readonly #waiting = new Set<() => void>();

  constructor(readonly socket: net.Socket) {
    const reader = frameReader(({ type, payload }) => {
      if (type === FrameType.GoAway) this.goAway = read32(payload, 4);
      this.#counts.set(type, (this.#counts.get(type) ?? 0) + 1);
      this.#wake();
    });
    socket.on("data", (chunk: Buffer) => reader.receive(chunk));
    this.connected = new Promise((resolve) => {
      socket.once(socket instanceof TLSSocket ? "secureConnect" : "connect", () => resolve());
    });
    this.end = new Promise((resolve) => {
      const over = () => {
        this.ended = true;
        this.#wake();
        resolve();
      };
      for (const event of ["end", "close", "error"]) socket.on(event, over);
    });
  }

  /** A connection in the clear that has sent preface and SETTINGS. */
  static async open(port: number): Promise<FrameSocket> {
    const socket = net.connect({ port, host: "127.0.0.1", noDelay: true });
    const opened = new FrameSocket(socket);
    await opened.connected;
    opened.write(PREFACE, settingsFrame([]));
    return opened;
  }

  write(...frames: Uint8Array[]): void {
    if (!this.ended) this.socket.write(Buffer.concat(frames));
  }

  /** Waits for this many frames of a type, or for the end. */
  async received(type: FrameType, count = 1): Promise<void> {
    while (!this.ended && (this.#counts.get(type) ?? 0) < count) {
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}
