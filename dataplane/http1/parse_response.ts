import type { Buffer } from "node:buffer";
import { CLASS, CR, FIELD_VALUE, LF, SP } from "../message/bytes.ts";
import { readConnection, readFraming } from "../message/framing.ts";
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
    return end > start && buffer[start] !== 72 ? refuse(head, "start_line") : INCOMPLETE;
  }
  const minor = buffer[start + 7] - 48;
  if (!isVersion(buffer, start) || (minor !== 0 && minor !== 1) || buffer[start + 8] !== SP) {
    return refuse(head, "start_line");
  }
  for (let i = 9; i < 12; i++) {
    if (buffer[start + i] < 48 || buffer[start + i] > 57) return refuse(head, "status");
  }
  head.status = (buffer[start + 9] - 48) * 100 + (buffer[start + 10] - 48) * 10 +
    (buffer[start + 11] - 48);
  if (head.status < 100 || head.status > 599) return refuse(head, "status");
  let at = start + 12;
  if (buffer[at] !== SP && buffer[at] !== CR) return refuse(head, "status");
  while (at < end && (CLASS[buffer[at]] & FIELD_VALUE) !== 0) at++;
  if (at + 2 > end) return INCOMPLETE;
  if (buffer[at] !== CR || buffer[at + 1] !== LF) return refuse(head, "start_line");
  head.added = null;
  head.statusStart = start + 8;
  head.statusEnd = at + 2;
  const bodyStart = head.block.parse(buffer, at + 2, end);
  if (bodyStart === INCOMPLETE) return INCOMPLETE;
  if (bodyStart < 0) return refuse(head, "header");
  const { framing } = head;
  if (readFraming(head.block, framing) !== null) return refuse(head, "framing");
  if (framing.unsized && minor === 0) return refuse(head, "framing");
  if (readConnection(head.block, framing) !== null) return refuse(head, "connection");
  head.body = bodyKind(head, method);
  head.reusable = !framing.close && (minor === 1 || framing.keepAlive) &&
    head.body !== BodyKind.UntilClose;
  return bodyStart;
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
