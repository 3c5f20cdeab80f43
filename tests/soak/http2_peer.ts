import { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import {
  DEFAULT_FRAME_SIZE,
  DEFAULT_WINDOW,
  Flag,
  FrameType,
  read31,
  read32,
  Setting,
} from "../../dataplane/http2/frame.ts";
import {
  type Field,
  frame,
  frameReader,
  type ReceivedFrame,
  section,
  SectionReader,
} from "../support/http2_wire.ts";
import { contentOf } from "./content.ts";

const NOTHING = Buffer.alloc(0);

/** Content that leaves as windows allow. */
export interface Outgoing {
  readonly id: number;
  readonly length: number;
  /** Without END_STREAM behind it: the stream is about to be reset. */
  readonly open: boolean;
  /** Everything was handed to the socket. */
  onSent(): void;
}

interface Sending extends Outgoing {
  at: number;
}

/** One side of an HTTP/2 connection that keeps to the protocol: frames, windows, sections. */
export abstract class Http2Peer {
  protected over = false;
  readonly #sections = new SectionReader();
  readonly #sending = new Map<number, Sending>();
  readonly #windows = new Map<number, number>();
  #connectionWindow = DEFAULT_WINDOW;
  #initialWindow = DEFAULT_WINDOW;
  #block: { stream: number; flags: number; bytes: Buffer } | null = null;

  constructor(protected readonly socket: Socket, skip: number, settings: Buffer) {
    const reader = frameReader((received) => {
      if (!this.over) this.#receive(received);
    });
    let preface = skip;
    socket.on("data", (data: Buffer) => {
      const skipped = Math.min(preface, data.length);
      preface -= skipped;
      if (skipped < data.length) reader.receive(data.subarray(skipped));
    });
    socket.on("drain", () => this.#pump());
    const end = () => this.end();
    for (const event of ["end", "error", "close"]) socket.on(event, end);
    this.#write(settings);
  }

  protected abstract onFields(stream: number, fields: Map<string, string>, ended: boolean): void;
  protected abstract onContent(stream: number, view: Buffer, ended: boolean): void;
  protected abstract onReset(stream: number, code: number): void;
  protected abstract onGoAway(code: number): void;
  protected abstract onOver(): void;

  /** The connection is over. */
  end(): void {
    if (this.over) return;
    this.over = true;
    this.#sending.clear();
    this.socket.destroy();
    this.onOver();
  }

  protected sendFields(stream: number, fields: readonly Field[], ended: boolean): void {
    const flags = Flag.EndHeaders | (ended ? Flag.EndStream : 0);
    if (!ended) this.#windows.set(stream, this.#initialWindow);
    this.#write(frame(FrameType.Headers, flags, stream, section(fields)));
  }

  protected sendContent(stream: number, content: Outgoing): void {
    this.#sending.set(stream, { ...content, at: 0 });
    this.#pump();
  }

  protected sendReset(stream: number, code: number): void {
    const payload = Buffer.alloc(4);
    payload.writeUInt32BE(code);
    this.forget(stream);
    this.#write(frame(FrameType.RstStream, 0, stream, payload));
  }

  /** Nothing more is sent on a stream. */
  protected forget(stream: number): void {
    this.#sending.delete(stream);
    this.#windows.delete(stream);
  }

  /** Sends a frame for each stream in turn, until windows or the socket are full. */
  #pump(): void {
    for (let progress = true; progress && !this.over;) {
      progress = false;
      for (const [stream, sending] of this.#sending) {
        if (this.socket.writableNeedDrain) return;
        if (this.#sendPiece(stream, sending)) progress = true;
      }
    }
  }

  #sendPiece(stream: number, sending: Sending): boolean {
    const left = sending.length - sending.at;
    const window = Math.min(this.#connectionWindow, this.#windows.get(stream) ?? 0);
    if (left > 0 && window <= 0) return false;
    const piece = left === 0
      ? NOTHING
      : contentOf(sending.id, sending.at, Math.min(left, window, DEFAULT_FRAME_SIZE));
    sending.at += piece.length;
    this.#connectionWindow -= piece.length;
    this.#windows.set(stream, (this.#windows.get(stream) ?? 0) - piece.length);
    const last = sending.at === sending.length;
    if (piece.length > 0 || !sending.open) {
      const flags = last && !sending.open ? Flag.EndStream : 0;
      this.#write(frame(FrameType.Data, flags, stream, piece));
    }
    if (last) {
      this.forget(stream);
      sending.onSent();
    }
    return true;
  }

  #write(bytes: Buffer): void {
    if (!this.over) this.socket.write(bytes);
  }

  #receive({ type, flags, stream, payload }: ReceivedFrame): void {
    switch (type) {
      case FrameType.Settings:
        if ((flags & Flag.Ack) === 0) this.#onSettings(payload);
        break;
      case FrameType.Ping:
        if ((flags & Flag.Ack) === 0) this.#write(frame(FrameType.Ping, Flag.Ack, 0, payload));
        break;
      case FrameType.WindowUpdate:
        this.#onWindow(stream, read31(payload, 0));
        break;
      case FrameType.GoAway:
        this.onGoAway(read32(payload, 4));
        break;
      case FrameType.RstStream:
        this.forget(stream);
        this.onReset(stream, read32(payload, 0));
        break;
      case FrameType.Data: {
        const ended = (flags & Flag.EndStream) !== 0;
        if (payload.length > 0) this.#giveBack(payload.length, stream, ended);
        this.onContent(stream, payload, ended);
        break;
      }
      case FrameType.Headers:
      case FrameType.Continuation:
        this.#onBlock(stream, flags, payload);
    }
  }

  #giveBack(bytes: number, stream: number, ended: boolean): void {
    const increment = Buffer.alloc(4);
    increment.writeUInt32BE(bytes);
    this.#write(frame(FrameType.WindowUpdate, 0, 0, increment));
    if (!ended) this.#write(frame(FrameType.WindowUpdate, 0, stream, increment));
  }

  #onSettings(payload: Buffer): void {
    for (let at = 0; at < payload.length; at += 6) {
      if (payload.readUInt16BE(at) !== Setting.InitialWindowSize) continue;
      const initial = payload.readUInt32BE(at + 2);
      for (const [stream, window] of this.#windows) {
        this.#windows.set(stream, window + initial - this.#initialWindow);
      }
      this.#initialWindow = initial;
    }
    this.#write(frame(FrameType.Settings, Flag.Ack, 0, NOTHING));
    this.#pump();
  }

  #onWindow(stream: number, increment: number): void {
    if (stream === 0) this.#connectionWindow += increment;
    else {
      const window = this.#windows.get(stream);
      if (window === undefined) return;
      this.#windows.set(stream, window + increment);
    }
    this.#pump();
  }

  #onBlock(stream: number, flags: number, payload: Buffer): void {
    const before = this.#block?.bytes ?? NOTHING;
    this.#block = {
      stream,
      flags: flags | (this.#block?.flags ?? 0),
      bytes: Buffer.concat([before, payload]),
    };
    if ((flags & Flag.EndHeaders) === 0) return;
    const block = this.#block;
    this.#block = null;
    const fields = new Map(this.#sections.read(block.bytes));
    this.onFields(stream, fields, (block.flags & Flag.EndStream) !== 0);
  }
}

/** A SETTINGS frame that sets the window of streams. */
export function windowSettings(window: number): Buffer {
  const payload = Buffer.alloc(6);
  payload.writeUInt16BE(Setting.InitialWindowSize, 0);
  payload.writeUInt32BE(window, 2);
  return frame(FrameType.Settings, 0, 0, payload);
}
