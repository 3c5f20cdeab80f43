import type { Buffer } from "node:buffer";
import { CLASS, CR, FIELD_VALUE, LF, SP } from "../message/bytes.ts";
import { type FramingError, readConnection, readFraming } from "../message/framing.ts";
import { HeadError } from "../message/header_block.ts";
import { BodyKind, hasNoContent, type ResponseHead } from "../message/response_head.ts";
import { INCOMPLETE, REFUSED } from "./parse_request.ts";

/** Bytes of "HTTP/1.1 200" and what must follow it. */
const SHORTEST = 13;

/**
 * Parses the head (RFC 9112 section 4) of the answer to a request of `method`. Returns the position
 * after it, `INCOMPLETE`, or `REFUSED` with the reason in `head.error`.
 */
export function parseResponse(
  head: ResponseHead,
  buffer: Buffer,
  start: number,
  end: number,
  method: string,
): number {
  head.error = "";
  if (end - start < SHORTEST) {
    return end > start && buffer[start] !== 72 ? refuse(head, NO_STATUS_LINE) : INCOMPLETE;
  }
  const minor = buffer[start + 7] - 48;
  if (!isVersion(buffer, start) || (minor !== 0 && minor !== 1) || buffer[start + 8] !== SP) {
    return refuse(head, NO_STATUS_LINE);
  }
  for (let i = 9; i < 12; i++) {
    if (buffer[start + i] < 48 || buffer[start + i] > 57) return refuse(head, NO_STATUS);
  }
  head.status = (buffer[start + 9] - 48) * 100 + (buffer[start + 10] - 48) * 10 +
    (buffer[start + 11] - 48);
  if (head.status < 100 || head.status > 599) return refuse(head, NO_STATUS);
  let at = start + 12;
  if (buffer[at] !== SP && buffer[at] !== CR) return refuse(head, NO_STATUS);
  while (at < end && (CLASS[buffer[at]] & FIELD_VALUE) !== 0) at++;
  if (at + 2 > end) return INCOMPLETE;
  if (buffer[at] !== CR || buffer[at + 1] !== LF) return refuse(head, "status line without CRLF");
  head.added = null;
  head.statusStart = start + 8;
  head.statusEnd = at + 2;
  const bodyStart = head.block.parse(buffer, at + 2, end);
  if (bodyStart === INCOMPLETE) return INCOMPLETE;
  if (bodyStart < 0) return refuse(head, fieldsProblem(bodyStart, head));
  const { framing } = head;
  const framed = readFraming(head.block, framing);
  if (framed !== null) return refuse(head, FRAMING[framed]);
  if (framing.unsized && minor === 0) return refuse(head, "chunked in HTTP/1.0");
  const connection = readConnection(head.block, framing);
  if (connection !== null) return refuse(head, FRAMING[connection]);
  head.body = bodyKind(head, method);
  head.reusable = !framing.close && (minor === 1 || framing.keepAlive) &&
    head.body !== BodyKind.UntilClose;
  return bodyStart;
}

/** Characters of a field's name in a reason. */
const LONGEST_NAME = 40;
const NO_STATUS_LINE = "no status line of HTTP/1";
const NO_STATUS = "no status between 100 and 599";

const FRAMING: Readonly<Record<FramingError, string>> = {
  content_length: "Content-Length that is no number, or is there twice",
  transfer_encoding: "Transfer-Encoding other than chunked",
  length_and_encoding: "Content-Length beside Transfer-Encoding",
  connection_names_protected_field: "Connection names a field that must pass",
  connection_tokens: "too many names in Connection",
};

function fieldsProblem(error: HeadError, { block }: ResponseHead): string {
  const place = block.count === 0
    ? "the status line"
    : `field ${block.name(block.count - 1).slice(0, LONGEST_NAME)}`;
  switch (error) {
    case HeadError.TooManyFields:
      return "too many fields";
    case HeadError.ObsFold:
      return `folded line behind ${place}`;
    case HeadError.BareLineBreak:
      return `CR or LF alone behind ${place}`;
    case HeadError.BadValue:
      return `field value with a control character behind ${place}`;
    default:
      return `field name that is none behind ${place}`;
  }
}

function refuse(head: ResponseHead, error: string): number {
  head.error = error;
  return REFUSED;
}

function bodyKind({ framing, status }: ResponseHead, method: string): BodyKind {
  if (hasNoContent(method, status)) return BodyKind.None;
  if (framing.unsized) return BodyKind.Framed;
  if (framing.contentLength === 0) return BodyKind.None;
  return framing.contentLength > 0 ? BodyKind.Length : BodyKind.UntilClose;
}

function isVersion(buffer: Buffer, at: number): boolean {
  return buffer[at] === 72 && buffer[at + 1] === 84 && buffer[at + 2] === 84 &&
    buffer[at + 3] === 80 && buffer[at + 4] === 47 && buffer[at + 5] === 49 &&
    buffer[at + 6] === 46;
}
