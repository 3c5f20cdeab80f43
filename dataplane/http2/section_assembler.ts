import { Buffer } from "node:buffer";
import { ConnectionError, ErrorCode, Flag, protocolError, read31 } from "./frame.ts";

/** A complete encoded field section. */
export interface EncodedSection {
  readonly stream: number;
  /** Whether it ends the peer's direction of the stream. */
  readonly ended: boolean;
  /** Whether it made its stream depend on itself, which is an error of the stream (section 5.3.1). */
  readonly selfDependent: boolean;
  readonly view: Buffer;
  readonly start: number;
  readonly end: number;
}

/** Joins HEADERS with the CONTINUATION frames that belong to it (RFC 9113 section 4.3). */
export class SectionAssembler {
  readonly #maxBytes: number;
  readonly #maxFrames: number;
  #open: Omit<EncodedSection, "view" | "start" | "end"> | null = null;
  #fragments: Buffer[] = [];
  #bytes = 0;

  /**
   * @param maxBytes encoded bytes of one section
   * @param maxFrames frames of one section
   */
  constructor(maxBytes: number, maxFrames: number) {
    this.#maxBytes = maxBytes;
    this.#maxFrames = maxFrames;
  }

  /** Stream whose section is incomplete, 0 for none: nothing else may come before its end. */
  get stream(): number {
    return this.#open === null ? 0 : this.#open.stream;
  }

  /**
   * Takes a HEADERS frame; null while the section is incomplete.
   * @throws {ConnectionError} when it is malformed
   */
  headers(flags: number, stream: number, payload: Buffer): EncodedSection | null {
    if (stream === 0) throw protocolError("HEADERS on stream 0");
    let start = 0;
    let end = payload.length;
    if ((flags & Flag.Padded) !== 0) {
      if (end < 1) throw new ConnectionError(ErrorCode.FrameSizeError, "size of HEADERS");
      end -= payload[0];
      start = 1;
    }
    let selfDependent = false;
    if ((flags & Flag.Priority) !== 0) {
      if (payload.length < start + 5) {
        throw new ConnectionError(ErrorCode.FrameSizeError, "size of HEADERS");
      }
      selfDependent = read31(payload, start) === stream;
      start += 5;
    }
    if (start > end) {
      throw protocolError("padding longer than the frame");
    }
    const ended = (flags & Flag.EndStream) !== 0;
    if ((flags & Flag.EndHeaders) !== 0) {
      return { stream, ended, selfDependent, view: payload, start, end };
    }
    this.#open = { stream, ended, selfDependent };
    this.#fragments = [Buffer.from(payload.subarray(start, end))];
    this.#bytes = end - start;
    return null;
  }

  /**
   * Takes a CONTINUATION frame of the stream; null while the section is incomplete.
   * @throws {ConnectionError} when none is expected or the section is too large
   */
  continuation(flags: number, payload: Buffer): EncodedSection | null {
    const open = this.#open;
    if (open === null) {
      throw protocolError("CONTINUATION without HEADERS");
    }
    this.#bytes += payload.length;
    this.#fragments.push(Buffer.from(payload));
    if (this.#bytes > this.#maxBytes || this.#fragments.length > this.#maxFrames) {
      throw new ConnectionError(ErrorCode.EnhanceYourCalm, "field section too large");
    }
    if ((flags & Flag.EndHeaders) === 0) return null;
    const view = Buffer.concat(this.#fragments);
    this.#open = null;
    this.#fragments = [];
    return { ...open, view, start: 0, end: view.length };
  }
}
