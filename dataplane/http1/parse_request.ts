import { Buffer } from "node:buffer";
import { CLASS, COLON, CR, LF, SP, TARGET, text, TOKEN } from "../message/bytes.ts";
import { FieldId } from "../message/field_id.ts";
import { readConnection, readFraming } from "../message/framing.ts";
import { HeadError } from "../message/header_block.ts";
import { validHost, withinHostLimits } from "../message/host_syntax.ts";
import {
  type HeadRefusal,
  methodName,
  type RequestHead,
  Version,
} from "../message/request_head.ts";

/** More bytes are needed. */
export const INCOMPLETE = -1;
/** The head is refused; `head.refusal` says why. */
export const REFUSED = -2;

const VERSION = Buffer.from("HTTP/1.");
const HTTP_SCHEME = /^https?:\/\/([^/?#@]+)(?=[/?]|$)/i;
/** Longest method name, in bytes; the longest registered one has 17. */
const MAX_METHOD = 32;
const SLASH = 47;
const STAR = 42;
/** Result of `requestLine` for bytes of another protocol. */
const NOT_HTTP = -100;

/**
 * Parses a request head (RFC 9112 sections 3 and 5) in place from [start, end). Returns the position
 * after it, `INCOMPLETE` or `REFUSED`.
 */
export function parseRequest(
  head: RequestHead,
  buffer: Buffer,
  start: number,
  end: number,
): number {
  const { block, framing } = head;
  head.clear();
  block.buffer = buffer;
  block.count = 0;
  const fieldsStart = requestLine(head, buffer, start, end);
  if (fieldsStart === NOT_HTTP) return refuse(head, "not_http");
  if (fieldsStart < 0) {
    return fieldsStart === HeadError.Incomplete ? INCOMPLETE : refuse(head, "bad_request_line");
  }
  if (fieldsStart === 0) return refuse(head, "bad_version");
  const bodyStart = block.parse(buffer, fieldsStart, end);
  if (bodyStart === HeadError.Incomplete) return INCOMPLETE;
  if (bodyStart === HeadError.TooManyFields) return refuse(head, "too_many_headers");
  if (bodyStart < 0) return refuse(head, "bad_header");
  if (readFraming(block, framing) !== null) return refuse(head, "bad_framing");
  if (framing.unsized && head.version === Version.Http10) return refuse(head, "bad_framing");
  if (readConnection(block, framing) !== null) return refuse(head, "bad_connection");
  if (!head.readFields()) return REFUSED;
  const id = head.requestIdIndex;
  if (id >= 0 && block.id(id) !== FieldId.RequestId) head.requestIdIndex = -1;
  return readTarget(head) ? bodyStart : REFUSED;
}

function refuse(head: RequestHead, refusal: HeadRefusal): number {
  head.refuse(refusal);
  return REFUSED;
}

/** Position after the request line; 0 for a version that is not served. */
function requestLine(head: RequestHead, buffer: Buffer, start: number, end: number): number {
  let at = start;
  while (at < end && (CLASS[buffer[at]] & TOKEN) !== 0) at++;
  if (at - start > MAX_METHOD) return HeadError.BadStartLine;
  if (at >= end) return HeadError.Incomplete;
  if (buffer[at] !== SP || at === start) return HeadError.BadStartLine;
  head.method = methodName(buffer, start, at);
  const targetStart = ++at;
  while (at < end && (CLASS[buffer[at]] & TARGET) !== 0) at++;
  if (at >= end) return HeadError.Incomplete;
  if (buffer[at] !== SP || at === targetStart) return HeadError.BadStartLine;
  head.targetStart = targetStart;
  head.targetEnd = at++;
  for (let i = 0; i < VERSION.length; i++, at++) {
    if (at >= end) return HeadError.Incomplete;
    if (buffer[at] !== VERSION[i]) {
      if (i > 4) return 0;
      return isTarget(buffer, targetStart, head.targetEnd) ? HeadError.BadStartLine : NOT_HTTP;
    }
  }
  if (at + 3 > end) return HeadError.Incomplete;
  const minor = buffer[at] - 48;
  head.version = minor === 0 ? Version.Http10 : Version.Http11;
  if (buffer[at + 1] !== CR || buffer[at + 2] !== LF) return HeadError.BadStartLine;
  return minor === 0 || minor === 1 ? at + 3 : 0;
}

/** Whether a word could be meant as a request target: a path, an asterisk or something with a scheme. */
function isTarget(buffer: Buffer, start: number, end: number): boolean {
  return buffer[start] === SLASH || buffer[start] === STAR ||
    buffer.subarray(start, end).includes(COLON);
}

/** Accepts the target forms of RFC 9112 section 3.2. */
function readTarget(head: RequestHead): boolean {
  const { buffer, targetStart } = head;
  if (buffer[targetStart] === SLASH || head.method === "CONNECT") return true;
  const target = text(buffer, targetStart, head.targetEnd);
  if (target === "*") return head.method === "OPTIONS" || head.refuse("bad_request_line");
  const absolute = HTTP_SCHEME.exec(target);
  if (absolute === null) return head.refuse("bad_request_line");
  const authority = targetStart + absolute[0].length - absolute[1].length;
  const end = authority + absolute[1].length;
  if (!validHost(buffer, authority, end) || !withinHostLimits(buffer, authority, end)) {
    return head.refuse("bad_host");
  }
  if (head.host !== "" && absolute[1].toLowerCase() !== head.host.toLowerCase()) {
    return head.refuse("bad_host");
  }
  head.host = absolute[1];
  head.absolute = true;
  head.targetStart += absolute[0].length;
  return true;
}
