import type { Buffer } from "node:buffer";
import { CLASS, CR, FIELD_VALUE, LF, SP } from "./bytes.ts";
import { type Framing, readConnection, readFraming } from "./framing.ts";
import { HeaderBlock } from "./header_block.ts";

/** How the end of a response body is found (RFC 9112 section 6.3). */
export const enum BodyKind {
  None,
  Length,
  Chunked,
  UntilClose,
}

/** One response head (RFC 9112 section 4), parsed in place. Valid until the next `parse`. */
export class ResponseHead {
  status = 0;
  /** Bounds of " 200 OK" and its CRLF: the status line after the version. */
  statusStart = 0;
  statusEnd = 0;
  body: BodyKind = BodyKind.None;
  /** Whether the connection may serve another request after this one. */
  reusable = false;
  /** Reason the head was refused. */
  error = "";
  readonly framing: Framing = { contentLength: -1, chunked: false, close: false, keepAlive: false };
  readonly block: HeaderBlock;

  constructor(maxFields: number) {
    this.block = new HeaderBlock(maxFields);
  }

  get buffer(): Buffer {
    return this.block.buffer;
  }

  /**
   * Parses the answer to a request of `method`. Returns the position after the head, -1 when more bytes
   * are needed, -2 when it is not a valid head.
   */
  parse(buffer: Buffer, start: number, end: number, method: string): number {
    this.error = "";
    if (end - start < 13) {
      return end > start && buffer[start] !== 72 ? this.#refuse("start_line") : -1;
    }
    const minor = buffer[start + 7] - 48;
    if (!isVersion(buffer, start) || (minor !== 0 && minor !== 1) || buffer[start + 8] !== SP) {
      return this.#refuse("start_line");
    }
    this.status = (buffer[start + 9] - 48) * 100 + (buffer[start + 10] - 48) * 10 +
      (buffer[start + 11] - 48);
    for (let i = 9; i < 12; i++) {
      if (buffer[start + i] < 48 || buffer[start + i] > 57) return this.#refuse("status");
    }
    if (this.status < 100 || this.status > 599) return this.#refuse("status");
    let at = start + 12;
    if (buffer[at] !== SP && buffer[at] !== CR) return this.#refuse("status");
    while (at < end && (CLASS[buffer[at]] & FIELD_VALUE) !== 0) at++;
    if (at + 2 > end) return -1;
    if (buffer[at] !== CR || buffer[at + 1] !== LF) return this.#refuse("start_line");
    this.statusStart = start + 8;
    this.statusEnd = at + 2;
    const bodyStart = this.block.parse(buffer, at + 2, end);
    if (bodyStart === -1) return -1;
    if (bodyStart < 0) return this.#refuse("header");
    const { framing } = this;
    if (readFraming(this.block, framing) !== null) return this.#refuse("framing");
    if (framing.chunked && minor === 0) return this.#refuse("framing");
    if (readConnection(this.block, framing) !== null) return this.#refuse("connection");
    this.#frame(method, minor);
    return bodyStart;
  }

  #refuse(error: string): number {
    this.error = error;
    return -2;
  }

  #frame(method: string, minor: number): void {
    const { framing, status } = this;
    if (method === "HEAD" || status < 200 || status === 204 || status === 304) {
      this.body = BodyKind.None;
    } else if (framing.chunked) this.body = BodyKind.Chunked;
    else if (framing.contentLength === 0) this.body = BodyKind.None;
    else if (framing.contentLength > 0) this.body = BodyKind.Length;
    else this.body = BodyKind.UntilClose;
    this.reusable = !framing.close && (minor === 1 || framing.keepAlive) &&
      this.body !== BodyKind.UntilClose;
  }
}

function isVersion(buffer: Buffer, at: number): boolean {
  return buffer[at] === 72 && buffer[at + 1] === 84 && buffer[at + 2] === 84 &&
    buffer[at + 3] === 80 && buffer[at + 4] === 47 && buffer[at + 5] === 49 &&
    buffer[at + 6] === 46;
}
