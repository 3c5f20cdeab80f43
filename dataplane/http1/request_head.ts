import { Buffer } from "node:buffer";
import { CLASS, COLON, CR, HOST, LF, SP, TARGET, text, TOKEN } from "./bytes.ts";
import { FieldId, shadowsProtected } from "./field_id.ts";
import { type Framing, readConnection, readFraming } from "./framing.ts";
import { HeaderBlock, HeadError } from "./header_block.ts";

/** Why a request head is refused; each has a status in `REFUSAL_STATUS`. */
export type HeadRefusal =
  | "bad_request_line"
  | "bad_header"
  | "bad_framing"
  | "bad_host"
  | "bad_connection"
  | "bad_version"
  | "too_many_headers"
  | "expectation";

/** Status that answers each refusal. */
export const REFUSAL_STATUS: Readonly<Record<HeadRefusal, number>> = {
  bad_request_line: 400,
  bad_header: 400,
  bad_framing: 400,
  bad_host: 400,
  bad_connection: 400,
  bad_version: 505,
  too_many_headers: 431,
  expectation: 417,
};

const METHODS = ["GET", "POST", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"];
const METHOD_BYTES = METHODS.map((name) => Buffer.from(name));
const VERSION = Buffer.from("HTTP/1.");
const HTTP_SCHEME = /^https?:\/\/([^/?#@]+)(?=[/?]|$)/i;
const CONTINUE = "100-continue";
const OPEN_BRACKET = 91;
const CLOSE_BRACKET = 93;
/** Longest method name, in bytes; the longest registered one has 17. */
const MAX_METHOD = 32;

/**
 * One request head (RFC 9112 sections 3 and 5), parsed in place. Valid until the next `parse`.
 */
export class RequestHead {
  method = "";
  /** Bounds of path and query in `buffer`, in origin form; equal for an absolute target without a path. */
  targetStart = 0;
  targetEnd = 0;
  /** Host as sent, port included; "" for HTTP/1.0 without one. */
  host = "";
  /** 0 or 1: the minor version of HTTP/1. */
  minor = 1;
  expectContinue = false;
  /** Whether the target was in absolute form, whose authority replaces the Host field. */
  absolute = false;
  /** Index of X-Request-Id in `block`, -1 without. */
  requestIdIndex = -1;
  refusal: HeadRefusal | null = null;
  readonly framing: Framing = { contentLength: -1, chunked: false, close: false, keepAlive: false };
  readonly block: HeaderBlock;

  constructor(maxFields: number) {
    this.block = new HeaderBlock(maxFields);
  }

  get buffer(): Buffer {
    return this.block.buffer;
  }

  /** Whether the target has a query, even an empty one. */
  get hasQuery(): boolean {
    const question = this.buffer.indexOf(63, this.targetStart);
    return question >= 0 && question < this.targetEnd;
  }

  /** Whether a body follows. */
  get hasBody(): boolean {
    return this.framing.chunked || this.framing.contentLength > 0;
  }

  /**
   * Parses [start, end). Returns the position after the head, -1 when more bytes are needed, or -2 when
   * the head is refused, with the reason in `refusal`.
   */
  parse(buffer: Buffer, start: number, end: number): number {
    this.refusal = null;
    this.block.buffer = buffer;
    this.block.count = 0;
    const fieldsStart = this.#requestLine(buffer, start, end);
    if (fieldsStart < 0) {
      return fieldsStart === HeadError.Incomplete ? -1 : this.#refuse("bad_request_line");
    }
    if (fieldsStart === 0) return this.#refuse("bad_version");
    const bodyStart = this.block.parse(buffer, fieldsStart, end);
    if (bodyStart === HeadError.Incomplete) return -1;
    if (bodyStart === HeadError.TooManyFields) return this.#refuse("too_many_headers");
    if (bodyStart < 0) return this.#refuse("bad_header");
    return this.#meaning() ? bodyStart : -2;
  }

  #refuse(refusal: HeadRefusal): number {
    this.refusal = refusal;
    return -2;
  }

  /** Position after the request line; 0 for a version that is not served. */
  #requestLine(buffer: Buffer, start: number, end: number): number {
    let at = start;
    while (at < end && (CLASS[buffer[at]] & TOKEN) !== 0) at++;
    if (at - start > MAX_METHOD) return HeadError.BadStartLine;
    if (at >= end) return HeadError.Incomplete;
    if (buffer[at] !== SP || at === start) return HeadError.BadStartLine;
    this.method = methodName(buffer, start, at);
    const targetStart = ++at;
    while (at < end && (CLASS[buffer[at]] & TARGET) !== 0) at++;
    if (at >= end) return HeadError.Incomplete;
    if (buffer[at] !== SP || at === targetStart) return HeadError.BadStartLine;
    this.targetStart = targetStart;
    this.targetEnd = at++;
    for (let i = 0; i < VERSION.length; i++, at++) {
      if (at >= end) return HeadError.Incomplete;
      if (buffer[at] !== VERSION[i]) return i > 4 ? 0 : HeadError.BadStartLine;
    }
    if (at + 3 > end) return HeadError.Incomplete;
    this.minor = buffer[at] - 48;
    if (buffer[at + 1] !== CR || buffer[at + 2] !== LF) return HeadError.BadStartLine;
    return this.minor === 0 || this.minor === 1 ? at + 3 : 0;
  }

  /** Checks what the fields mean together. */
  #meaning(): boolean {
    const { block, framing } = this;
    this.host = "";
    this.expectContinue = false;
    this.absolute = false;
    this.requestIdIndex = -1;
    let hosts = 0;
    for (let i = 0; i < block.count; i++) {
      switch (block.id(i)) {
        case FieldId.Host:
          hosts++;
          if (!validHost(block.buffer, block.valueStart(i), block.valueEnd(i))) {
            return this.#no("bad_host");
          }
          this.host = block.value(i);
          break;
        case FieldId.Expect:
          if (block.value(i).toLowerCase() !== CONTINUE) return this.#no("expectation");
          this.expectContinue = this.minor === 1;
          break;
        case FieldId.RequestId:
          this.requestIdIndex = i;
          break;
        case FieldId.Other: {
          const { buffer } = block;
          const end = block.nameEnd(i);
          for (let at = block.nameStart(i); at < end; at++) {
            if (buffer[at] === 95) {
              if (shadowsProtected(buffer, block.nameStart(i), end)) return this.#no("bad_header");
              break;
            }
          }
          break;
        }
      }
    }
    if (hosts > 1 || (hosts === 0 && this.minor === 1)) return this.#no("bad_host");
    if (readFraming(block, framing) !== null) return this.#no("bad_framing");
    if (framing.chunked && this.minor === 0) return this.#no("bad_framing");
    if (readConnection(block, framing) !== null) return this.#no("bad_connection");
    const id = this.requestIdIndex;
    if (id >= 0 && block.id(id) !== FieldId.RequestId) this.requestIdIndex = -1;
    return this.#target();
  }

  #no(refusal: HeadRefusal): false {
    this.refusal = refusal;
    return false;
  }

  /** Accepts the target forms of RFC 9112 section 3.2. */
  #target(): boolean {
    const first = this.buffer[this.targetStart];
    if (first === 47) return true;
    if (this.method === "CONNECT") return true;
    const target = text(this.buffer, this.targetStart, this.targetEnd);
    if (target === "*") return this.method === "OPTIONS" || this.#no("bad_request_line");
    const absolute = HTTP_SCHEME.exec(target);
    if (absolute === null) return this.#no("bad_request_line");
    const authority = this.targetStart + absolute[0].length - absolute[1].length;
    if (!validHost(this.buffer, authority, authority + absolute[1].length)) {
      return this.#no("bad_host");
    }
    if (this.host !== "" && absolute[1].toLowerCase() !== this.host.toLowerCase()) {
      return this.#no("bad_host");
    }
    this.host = absolute[1];
    this.absolute = true;
    this.targetStart += absolute[0].length;
    return true;
  }
}

function methodName(buffer: Buffer, start: number, end: number): string {
  for (let m = 0; m < METHOD_BYTES.length; m++) {
    const name = METHOD_BYTES[m];
    if (name.length !== end - start) continue;
    let i = 0;
    while (i < name.length && name[i] === buffer[start + i]) i++;
    if (i === name.length) return METHODS[m];
  }
  return text(buffer, start, end);
}

/** Whether bytes [start, end) are a host with an optional port (RFC 3986 section 3.2). */
function validHost(buffer: Buffer, start: number, end: number): boolean {
  if (start === end) return false;
  const literal = buffer[start] === OPEN_BRACKET;
  let at = start;
  let closed = !literal;
  for (; at < end; at++) {
    const byte = buffer[at];
    if ((CLASS[byte] & HOST) === 0) return false;
    if (byte === CLOSE_BRACKET) {
      if (closed) return false;
      closed = true;
      at++;
      break;
    }
    if (byte === OPEN_BRACKET && at > start) return false;
    if (byte === COLON && !literal) break;
  }
  if (!closed || at === start) return false;
  if (at === end) return true;
  if (buffer[at] !== COLON) return false;
  for (at++; at < end; at++) if (buffer[at] < 48 || buffer[at] > 57) return false;
  return true;
}
