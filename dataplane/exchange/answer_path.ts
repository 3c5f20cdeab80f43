import { Buffer } from "node:buffer";
import { turn } from "../loop/turn.ts";
import type { Contained } from "../loop/containment.ts";
import type { CompressionTurns } from "./compression_turns.ts";
import type { ClientShare } from "../loop/client_shares.ts";
import type { ResponseHead } from "../message/response_head.ts";
import type { Coding, Compression } from "../router/compression.ts";
import { compresses } from "./compression.ts";
import { Compressor, type CompressorOwner } from "./compressor.ts";
import type { Downstream } from "./downstream.ts";
import { UNBOUND } from "./unbound.ts";

/** Who hears of what becomes of an answer that takes its time. */
export interface AnswerOwner extends Contained {
  /** Where responses are compressed in turn. */
  readonly turns: CompressionTurns;
  /** The client's part of what may be kept. */
  readonly share: ClientShare;
  /** All of it was sent. */
  onAnswerEnd(): void;
  /** More of it may come. */
  onAnswerDrain(): void;
  onAnswerError(): void;
}

/** The way of a backend's answer to the client: as it is, or compressed. */
export class AnswerPath implements CompressorOwner {
  readonly #owner: AnswerOwner;
  #downstream: Downstream = UNBOUND;
  #compression: Compression | null = null;
  #coding: Coding | null = null;
  #compressor: Compressor | null = null;
  /** Trailers that wait for the end of what is compressed. */
  #trailers: Buffer | null = null;
  /** Bytes that may be taken although the client does not take them, and those that were. */
  #mostAhead = 0;
  #ahead = 0;
  /** Body bytes sent. */
  bytes = 0;

  constructor(owner: AnswerOwner) {
    this.#owner = owner;
  }

  /** Whether the end is still to come although all was taken. */
  get pending(): boolean {
    return this.#compressor !== null;
  }

  begin(downstream: Downstream): void {
    this.#downstream = downstream;
    this.#compression = null;
    this.#coding = null;
    this.#mostAhead = 0;
    this.bytes = 0;
  }

  /** Takes as many bytes from the backend before a slow client slows it down. */
  takeAhead(bytes: number): void {
    this.#mostAhead = bytes;
  }

  /** @param coding what the client takes, null for none */
  compressWith(compression: Compression, coding: Coding | null): void {
    this.#compression = compression;
    this.#coding = coding;
  }

  /** Sends the head with the body bytes at hand; false to ask for nothing more until the client drains. */
  head(head: ResponseHead, body: Buffer | null, ended: boolean, more: boolean): boolean {
    const compression = this.#compression;
    const { share, turns } = this.#owner;
    const coding = compression !== null && turns.admits(share) ? this.#coding : null;
    if (compression !== null && compresses(head, compression, coding)) {
      const compressor = new Compressor(coding!, compression.level, this, { share, turns });
      this.#compressor = compressor;
      this.#downstream.sendHead(head, null, false, false);
      // The client may be gone by now.
      return this.#compressor !== compressor || this.#feed(compressor, body, ended);
    }
    if (body !== null) this.bytes += body.length;
    return this.#goesOn(this.#downstream.sendHead(head, body, ended, more), body);
  }

  body(body: Buffer | null, ended: boolean, more: boolean): boolean {
    if (this.#compressor !== null) return this.#feed(this.#compressor, body, ended);
    if (body !== null) this.bytes += body.length;
    return this.#goesOn(this.#downstream.sendBody(body, ended, more), body);
  }

  trailers(lines: Buffer): void {
    if (this.#compressor === null) {
      this.#downstream.sendTrailers(lines);
      return;
    }
    this.#trailers = Buffer.from(lines);
    this.#compressor.end();
  }

  /** The client takes bytes again; false when the backend is to be told. */
  drained(): boolean {
    this.#forgetAhead();
    if (this.#compressor === null) return false;
    this.#compressor.resume();
    return true;
  }

  /** The answer is over, complete or not. */
  end(): void {
    this.#downstream = UNBOUND;
    this.#forgetAhead();
    this.#compressor?.destroy();
    this.#compressor = null;
    this.#trailers = null;
  }

  onCompressed(bytes: Buffer | null, ended: boolean): boolean {
    if (bytes !== null) this.bytes += bytes.length;
    const compressor = this.#compressor;
    let flowing = true;
    turn.open++;
    if (ended && this.#trailers !== null) this.#downstream.sendTrailers(this.#trailers);
    else flowing = this.#downstream.sendBody(bytes, ended, false);
    // The exchange may be over, and this object another's.
    if (ended && this.#compressor === compressor) this.#owner.onAnswerEnd();
    turn.open--;
    return flowing;
  }

  onFault(): void {
    this.#owner.onFault();
  }

  onCompressorDrain(): void {
    this.#owner.onAnswerDrain();
  }

  onCompressorError(): void {
    this.#owner.onAnswerError();
  }

  /** Whether the backend may go on: the client takes bytes, or there is room for more. */
  #goesOn(flowing: boolean, body: Buffer | null): boolean {
    if (flowing || this.#mostAhead === 0) return flowing;
    if (body !== null) {
      this.#ahead += body.length;
      this.#owner.share.buffered += body.length;
    }
    return this.#ahead < this.#mostAhead && this.#owner.share.admits(0);
  }

  #forgetAhead(): void {
    if (this.#ahead === 0) return;
    this.#owner.share.buffered -= this.#ahead;
    this.#ahead = 0;
  }

  #feed(compressor: Compressor, body: Buffer | null, ended: boolean): boolean {
    const flowing = body === null || compressor.write(body);
    if (ended) compressor.end();
    return flowing;
  }
}
