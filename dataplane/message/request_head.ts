import { Buffer } from "node:buffer";
import { ascii, equalsIgnoreCase, text } from "./bytes.ts";
import { FieldId, shadowsProtected } from "./field_id.ts";
import { type Framing, noFraming } from "./framing.ts";
import { HeaderBlock } from "./header_block.ts";
import { validHost, withinHostLimits } from "./host_syntax.ts";
import { TextCache } from "./text_cache.ts";

/** Why a request head is refused; each has a status in `REFUSAL_STATUS`. */
export type HeadRefusal =
  | "bad_request_line"
  /** Not even the form of a request line: the peer speaks another protocol. */
  | "not_http"
  | "bad_header"
  | "bad_framing"
  | "bad_host"
  | "bad_connection"
  | "bad_version"
  | "too_many_headers"
  | "head_too_large"
  | "expectation";

/** Status that answers each refusal. */
export const REFUSAL_STATUS: Readonly<Record<HeadRefusal, number>> = {
  bad_request_line: 400,
  not_http: 400,
  bad_header: 400,
  bad_framing: 400,
  bad_host: 400,
  bad_connection: 400,
  bad_version: 505,
  too_many_headers: 431,
  head_too_large: 431,
  expectation: 417,
};

/** The protocol version a head came by. */
export const enum Version {
  Http10 = 0,
  Http11 = 1,
  Http2 = 2,
}

const METHODS = ["GET", "POST", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"];
const METHOD_BYTES = METHODS.map((name) => Buffer.from(name));
const CONTINUE = ascii("100-continue");
const WEBSOCKET = "websocket";
const TRAILERS = ascii("trailers");
const GRPC = ascii("application/grpc");
const UNDERSCORE = 95;
const SEMICOLON = 59;
const PLUS = 43;

const hosts = new TextCache(12, (host) => host);

/**
 * One request head, whichever protocol it came by: a target in origin form and field lines in HTTP/1.1
 * form, as offsets into `buffer`. One object serves a whole codec; it is valid until the next parse.
 */
export class RequestHead {
  method = "";
  version = Version.Http11;
  /** Bounds of path and query in `buffer`; equal for an absolute target without a path. */
  targetStart = 0;
  targetEnd = 0;
  /** Host as sent, port included; "" for HTTP/1.0 without one. */
  host = "";
  /** Whether the target was in absolute form, whose authority replaces the Host field. */
  absolute = false;
  expectContinue = false;
  /** Token that the client wants to upgrade to, lower case; "" for none. */
  upgrade = "";
  /** Whether the client takes trailers (`TE: trailers`). */
  takesTrailers = false;
  /** Whether the content is gRPC, whose errors have a form of their own. */
  grpc = false;
  /** Index of X-Request-Id in `block`, -1 without. */
  requestIdIndex = -1;
  /** Index of grpc-timeout in `block`, -1 without. */
  grpcTimeoutIndex = -1;
  /** Indexes of User-Agent and Referer, -1 without. */
  userAgentIndex = -1;
  refererIndex = -1;
  refusal: HeadRefusal | null = null;
  readonly framing: Framing = noFraming();
  readonly block: HeaderBlock;

  constructor(maxFields: number) {
    this.block = new HeaderBlock(maxFields);
  }

  get buffer(): Buffer {
    return this.block.buffer;
  }

  /** Whether a body follows. */
  get hasBody(): boolean {
    return this.framing.unsized || this.framing.contentLength > 0;
  }

  /** Forgets what the head before said; field lines are the block's own business. */
  clear(): void {
    this.refusal = null;
    this.host = "";
    this.absolute = false;
    this.expectContinue = false;
    this.upgrade = "";
    this.takesTrailers = false;
    this.grpc = false;
    this.requestIdIndex = -1;
    this.grpcTimeoutIndex = -1;
    this.userAgentIndex = -1;
    this.refererIndex = -1;
  }

  /** Records why the head is refused; returns false for use in conditions. */
  refuse(refusal: HeadRefusal): false {
    this.refusal = refusal;
    return false;
  }

  /**
   * Reads the fields that mean the same in every version and checks them; false with `refusal` set when
   * the head cannot be served. Framing and Connection must have been read before.
   */
  readFields(): boolean {
    const { block } = this;
    const { buffer } = block;
    let hostFields = 0;
    let upgrades = 0;
    for (let i = 0; i < block.count; i++) {
      switch (block.id(i)) {
        case FieldId.Host:
          hostFields++;
          if (
            !validHost(buffer, block.valueStart(i), block.valueEnd(i)) ||
            !withinHostLimits(buffer, block.valueStart(i), block.valueEnd(i))
          ) return this.refuse("bad_host");
          this.host = hosts.get(buffer, block.valueStart(i), block.valueEnd(i));
          break;
        case FieldId.Expect:
          if (!equalsIgnoreCase(buffer, block.valueStart(i), block.valueEnd(i), CONTINUE)) {
            return this.refuse("expectation");
          }
          this.expectContinue = this.version !== Version.Http10;
          break;
        case FieldId.RequestId:
          this.requestIdIndex = i;
          break;
        case FieldId.GrpcTimeout:
          this.grpcTimeoutIndex = i;
          break;
        case FieldId.UserAgent:
          this.userAgentIndex = i;
          break;
        case FieldId.Referer:
          this.refererIndex = i;
          break;
        case FieldId.Te:
          this.takesTrailers = this.takesTrailers ||
            equalsIgnoreCase(buffer, block.valueStart(i), block.valueEnd(i), TRAILERS);
          break;
        case FieldId.Upgrade:
          upgrades++;
          this.upgrade = block.value(i).toLowerCase();
          break;
        case FieldId.ContentType:
          this.grpc = isGrpc(buffer, block.valueStart(i), block.valueEnd(i));
          break;
        case FieldId.Other:
          if (this.#shadows(buffer, block.nameStart(i), block.nameEnd(i))) {
            return this.refuse("bad_header");
          }
          break;
      }
    }
    if (hostFields > 1 || (hostFields === 0 && this.version === Version.Http11)) {
      return this.refuse("bad_host");
    }
    // An upgrade of a request with content would leave two readings of where the content ends.
    const mayUpgrade = this.framing.upgrade && upgrades === 1 && !this.hasBody &&
      // A WebSocket handshake is a GET (RFC 6455 section 4.1); kubectl and docker upgrade a POST.
      (this.method === "GET" || this.upgrade !== WEBSOCKET) && this.version === Version.Http11;
    if (!mayUpgrade) this.upgrade = "";
    return true;
  }

  /** Whether a name is a protected one for backends that read `_` as `-`. */
  #shadows(buffer: Buffer, start: number, end: number): boolean {
    for (let at = start; at < end; at++) {
      if (buffer[at] === UNDERSCORE) return shadowsProtected(buffer, start, end);
    }
    return false;
  }
}

/** Whether a content type is one of gRPC's. */
export function isGrpc(buffer: Uint8Array, start: number, end: number): boolean {
  const stop = start + GRPC.length;
  if (end < stop || !equalsIgnoreCase(buffer, start, stop, GRPC)) return false;
  return end === stop || buffer[stop] === PLUS || buffer[stop] === SEMICOLON;
}

/** The method at [start, end), without a new string for the common ones. */
export function methodName(buffer: Buffer, start: number, end: number): string {
  for (let m = 0; m < METHOD_BYTES.length; m++) {
    const name = METHOD_BYTES[m];
    if (name.length !== end - start) continue;
    let i = 0;
    while (i < name.length && name[i] === buffer[start + i]) i++;
    if (i === name.length) return METHODS[m];
  }
  return text(buffer, start, end);
}
