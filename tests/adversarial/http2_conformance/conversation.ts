import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import net from "node:net";
import tls from "node:tls";
import { Flag, FrameType, read32 } from "../../../dataplane/http2/frame.ts";
import { PREFACE } from "../../../dataplane/http2/preface.ts";
import { pingFrame, ReceivedStream, settingsFrame } from "../../support/http2_frames.ts";
import {
  type Field,
  frame,
  frameReader,
  type ReceivedFrame,
  SectionReader,
} from "../../support/http2_wire.ts";
import type { RecordingBackend } from "../../support/recording_backend.ts";

/** Milliseconds after which what does not come fails the test instead of hanging it. */
const GUARD = 8_000;
const HOST = "h.example.com";
const EMPTY = Buffer.alloc(0);

/** Where a conversation takes place. */
export interface Listener {
  readonly name: string;
  readonly port: number;
  readonly secure: boolean;
  readonly backend: RecordingBackend;
  /** Targets of requests that the backend must never have heard of. */
  readonly hidden: string[];
}

/**
 * One connection on which nothing is sent but what a test sends, and on which everything that comes back is
 * kept in order.
 */
export class Conversation {
  readonly frames: ReceivedFrame[] = [];
  /** What the edge has announced. */
  readonly settings = new Map<number, number>();
  /** Every byte that came, as Latin-1. */
  text = "";
  ended = false;
  /** How the connection broke, "" when it lives or was ended in order. */
  broken = "";
  readonly listener: Listener;
  readonly #path: string;
  readonly #socket: net.Socket;
  readonly #streams = new Map<number, ReceivedStream>();
  readonly #sections = new SectionReader();
  readonly #waiting = new Set<() => void>();
  #block: { stream: number; ended: boolean; bytes: Buffer } | null = null;
  #pings = 0;

  private constructor(listener: Listener, path: string, socket: net.Socket) {
    this.listener = listener;
    this.#path = path;
    this.#socket = socket;
    const reader = frameReader((received) => this.#receive(received));
    socket.on("data", (chunk: Buffer) => {
      this.text += chunk.toString("latin1");
      try {
        reader.receive(chunk);
      } catch (error) {
        this.broken = `what came is not HTTP/2: ${error}`;
      }
      this.#wake();
    });
    const over = () => {
      this.ended = true;
      this.#wake();
    };
    socket.on("end", over);
    socket.on("close", over);
    socket.on("error", (error) => {
      if (!this.ended) this.broken = String(error);
      over();
    });
  }

  /**
   * Connects: in the clear with prior knowledge, or by TLS with ALPN. Nothing is sent yet.
   * @param path of the requests on this connection; nobody else's begin with it
   */
  static open(listener: Listener, path: string): Promise<Conversation> {
    const { port, secure } = listener;
    return new Promise((resolve, reject) => {
      const socket = secure
        ? tls.connect({
          port,
          host: "127.0.0.1",
          servername: HOST,
          ALPNProtocols: ["h2"],
          rejectUnauthorized: false,
        })
        : net.connect({ port, host: "127.0.0.1" });
      // The preface must not wait until the last message of the handshake is acknowledged.
      socket.setNoDelay(true);
      socket.once("error", reject);
      socket.once(secure ? "secureConnect" : "connect", () => {
        socket.removeListener("error", reject);
        if (secure) assert.equal((socket as tls.TLSSocket).alpnProtocol, "h2");
        resolve(new Conversation(listener, path, socket));
      });
    });
  }

  /** Exchanges preface and SETTINGS. */
  async greet(): Promise<void> {
    this.send(PREFACE, settingsFrame([]));
    await this.greeted();
    this.send(frame(FrameType.Settings, Flag.Ack, 0, EMPTY));
  }

  /** The edge has sent its SETTINGS, before anything else, and has acknowledged ours. */
  async greeted(): Promise<void> {
    await this.until("SETTINGS to be acknowledged", () => this.settingsAcks >= 1);
    const [{ type, flags, stream }] = this.frames;
    assert.deepEqual({ type, flags, stream }, { type: FrameType.Settings, flags: 0, stream: 0 });
  }

  /** How many of our SETTINGS were acknowledged. */
  get settingsAcks(): number {
    return this.of(FrameType.Settings).filter(({ flags }) => flags === Flag.Ack).length;
  }

  /** Frames of one type. */
  of(type: FrameType): ReceivedFrame[] {
    return this.frames.filter((received) => received.type === type);
  }

  /** What came on a stream. */
  on(stream: number): ReceivedStream {
    let received = this.#streams.get(stream);
    if (received === undefined) this.#streams.set(stream, received = new ReceivedStream());
    return received;
  }

  /** What a request on this stream asks for, and what the backend answers it with. */
  target(stream: number): string {
    return `${this.#path}?${stream}`;
  }

  /** Fields of a plain request. */
  fields(stream: number, method: string): Field[] {
    return [
      [":method", method],
      [":scheme", this.listener.secure ? "https" : "http"],
      [":authority", HOST],
      [":path", this.target(stream)],
    ];
  }

  /** Sends bytes as they are, in one write. */
  send(...bytes: Uint8Array[]): void {
    if (!this.ended) this.#socket.write(Buffer.concat(bytes));
  }

  /** Makes a round trip: what was sent before has been handled, and what it causes at once is here. */
  async ping(): Promise<void> {
    const payload = String(++this.#pings).padStart(8, "0");
    this.send(pingFrame(false, payload));
    await this.pinged(payload);
  }

  /** Waits for the answer to a PING. */
  async pinged(payload: string): Promise<void> {
    const answers = () =>
      this.of(FrameType.Ping).filter((received) => received.payload.toString("latin1") === payload);
    await this.until(`PING ${payload} to be answered`, () => answers().length > 0);
    assert.deepEqual(answers().map(({ flags, stream }) => [flags, stream]), [[Flag.Ack, 0]]);
  }

  /** Waits until something holds; the end of the connection is the end of waiting. */
  async until(what: string, holds: () => boolean): Promise<void> {
    let expired = false;
    const guard = setTimeout(() => {
      expired = true;
      this.#wake();
    }, GUARD);
    try {
      while (!holds()) {
        if (this.ended || expired) assert.fail(`waited for ${what}; ${this.story}`);
        await new Promise<void>((resolve) => this.#waiting.add(resolve));
      }
    } finally {
      clearTimeout(guard);
    }
  }

  /** What came so far, for a failed test to tell. */
  get story(): string {
    const frames = this.frames.map(({ type, flags, stream, payload }) => {
      const bytes = payload.subarray(0, 16).toString("hex");
      return `type ${type} flags ${flags} stream ${stream} [${payload.length}] ${bytes}`;
    });
    const end = this.broken !== "" ? this.broken : this.ended ? "the end" : "no end";
    return `what came:\n${[...frames, end].join("\n")}`;
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }

  #receive(received: ReceivedFrame): void {
    this.frames.push(received);
    const { type, flags, stream, payload } = received;
    if (type === FrameType.Settings) {
      for (let at = 0; at < payload.length; at += 6) {
        this.settings.set(payload.readUInt16BE(at), payload.readUInt32BE(at + 2));
      }
    } else if (type === FrameType.RstStream) this.on(stream).resets.push(read32(payload, 0));
    else if (type === FrameType.Data) {
      this.on(stream).body += payload.toString("latin1");
      if ((flags & Flag.EndStream) !== 0) this.on(stream).ended = true;
    } else if (type === FrameType.Headers || type === FrameType.Continuation) {
      const ended = this.#block?.ended ?? (flags & Flag.EndStream) !== 0;
      const bytes = Buffer.concat([this.#block?.bytes ?? EMPTY, payload]);
      this.#block = { stream, ended, bytes };
      if ((flags & Flag.EndHeaders) === 0) return;
      this.#block = null;
      this.on(stream).sections.push(new Map(this.#sections.read(bytes)));
      if (ended) this.on(stream).ended = true;
    }
  }
}
