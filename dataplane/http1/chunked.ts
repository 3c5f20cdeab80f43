import { Buffer } from "node:buffer";
import { CLASS, CR, FIELD_VALUE, LF } from "../message/bytes.ts";
import { readTrailers } from "../message/trailers.ts";

/** Longest accepted chunk-size line, extensions included, and longest trailer section, in bytes. */
const MAX_SIZE_LINE = 256;
const MAX_TRAILER = 8192;

const enum State {
  Size,
  SizeDigits,
  Extension,
  SizeLf,
  Data,
  DataCr,
  DataLf,
  TrailerStart,
  TrailerLine,
  TrailerLf,
  EndLf,
  Done,
}

/**
 * Decoder of the chunked coding (RFC 9112 section 7.1), fed with bytes. Each `read` consumes up to one
 * run of chunk data.
 */
export class ChunkedDecoder {
  #state = State.Size;
  #left = 0;
  #line = 0;
  #section: number[] = [];
  /** Trailer lines that may be passed on, once `done`; null without any. */
  trailers: Buffer | null = null;
  /** Bounds of the data found by the last `read`; empty when it found none. */
  dataStart = 0;
  dataEnd = 0;

  get done(): boolean {
    return this.#state === State.Done;
  }

  reset(): void {
    this.#state = State.Size;
    this.#left = 0;
    this.#line = 0;
    this.trailers = null;
    if (this.#section.length > 0) this.#section = [];
  }

  /** Reads from `at`; returns the position it stopped at, or -1 for malformed bytes. */
  read(view: Buffer, at: number): number {
    this.dataStart = this.dataEnd = 0;
    const end = view.length;
    while (at < end) {
      const byte = view[at];
      switch (this.#state) {
        case State.Size:
        case State.SizeDigits: {
          const digit = hexDigit(byte);
          if (digit >= 0) {
            if (this.#left > 0xffffffffff) return -1;
            this.#left = this.#left * 16 + digit;
            this.#state = State.SizeDigits;
            if (++this.#line > MAX_SIZE_LINE) return -1;
          } else if (this.#state === State.Size) return -1;
          else if (byte === CR) this.#state = State.SizeLf;
          else if (byte === 59) this.#state = State.Extension;
          else return -1;
          at++;
          break;
        }
        case State.Extension:
          if (byte === CR) this.#state = State.SizeLf;
          else if ((CLASS[byte] & FIELD_VALUE) === 0 || ++this.#line > MAX_SIZE_LINE) return -1;
          at++;
          break;
        case State.SizeLf:
          if (byte !== LF) return -1;
          this.#line = 0;
          this.#state = this.#left === 0 ? State.TrailerStart : State.Data;
          at++;
          break;
        case State.Data: {
          const length = Math.min(this.#left, end - at);
          this.dataStart = at;
          this.dataEnd = at + length;
          this.#left -= length;
          if (this.#left === 0) this.#state = State.DataCr;
          return at + length;
        }
        case State.DataCr:
          if (byte !== CR) return -1;
          this.#state = State.DataLf;
          at++;
          break;
        case State.DataLf:
          if (byte !== LF) return -1;
          this.#state = State.Size;
          at++;
          break;
        case State.TrailerStart:
          if (byte === CR) this.#state = State.EndLf;
          else if ((CLASS[byte] & FIELD_VALUE) !== 0) {
            this.#section.push(byte);
            this.#state = State.TrailerLine;
          } else return -1;
          at++;
          break;
        case State.TrailerLine:
          if (byte === CR) this.#state = State.TrailerLf;
          else if ((CLASS[byte] & FIELD_VALUE) === 0) return -1;
          if (++this.#line > MAX_TRAILER) return -1;
          this.#section.push(byte);
          at++;
          break;
        case State.TrailerLf:
          if (byte !== LF) return -1;
          this.#section.push(byte);
          this.#state = State.TrailerStart;
          at++;
          break;
        case State.EndLf:
          if (byte !== LF || !this.#readTrailers()) return -1;
          this.#state = State.Done;
          return at + 1;
        case State.Done:
          return at;
      }
    }
    return at;
  }

  #readTrailers(): boolean {
    if (this.#section.length === 0) return true;
    const lines = readTrailers(Buffer.from(this.#section));
    this.#section = [];
    if (lines === null) return false;
    if (lines.length > 0) this.trailers = lines;
    return true;
  }
}

function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const lower = byte | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}
