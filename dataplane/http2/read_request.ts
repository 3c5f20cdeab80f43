import { CLASS, SP, TARGET, TOKEN } from "../message/bytes.ts";
import { FieldId } from "../message/field_id.ts";
import { validHost } from "../message/host_syntax.ts";
import { methodName, type RequestHead, Version } from "../message/request_head.ts";
import { Pseudo } from "./field_entry.ts";
import type { FieldSection } from "./field_section.ts";
import { readLength } from "./read_length.ts";

/** What a section is: a request, one to refuse with a status, or one that breaks the protocol. */
export type RequestReading = "request" | "refused" | "malformed";

/** Fields that belong to a connection of HTTP/1.1 and must not stand here (RFC 9113 section 8.2.2). */
const FORBIDDEN = (1 << FieldId.Connection) | (1 << FieldId.KeepAlive) |
  (1 << FieldId.ProxyConnection) | (1 << FieldId.TransferEncoding) | (1 << FieldId.Upgrade) |
  (1 << FieldId.Http2Settings);
const SLASH = 47;
const STAR = 42;

/**
 * Turns a decoded section into a request head in the common form (RFC 9113 section 8.3.1): the authority
 * becomes Host, cookies become one field, an extended CONNECT becomes the upgrade that it stands for.
 * @param ended no content follows
 */
export function readRequest(
  section: FieldSection,
  head: RequestHead,
  ended: boolean,
): RequestReading {
  head.clear();
  head.version = Version.Http2;
  const { framing } = head;
  framing.close = framing.keepAlive = framing.upgrade = false;
  if (section.tooLarge) return tooLarge(section, head);
  if (section.malformed !== "" || !readPseudo(section, head)) return "malformed";
  if (!checkFields(section, head)) return "malformed";
  framing.contentLength = readLength(head.block);
  if (framing.contentLength < -1) return "malformed";
  if (ended && framing.contentLength > 0) return "malformed";
  if (section.tooLarge) return tooLarge(section, head);
  const tunnel = framing.upgrade;
  // What follows an extended CONNECT is not content and has no length.
  if (tunnel && framing.contentLength >= 0) return "malformed";
  framing.unsized = !ended && framing.contentLength < 0 && !tunnel;
  const protocol = section.value(Pseudo.Protocol).toLowerCase();
  if (!head.readFields()) return "refused";
  if (tunnel) {
    head.upgrade = protocol;
    dropKey(head);
  }
  return "request";
}

function tooLarge({ tooMany, grpc }: FieldSection, head: RequestHead): "refused" {
  head.grpc = grpc;
  head.refuse(tooMany ? "too_many_headers" : "head_too_large");
  return "refused";
}

/** Method, target and host out of the pseudo-header fields. */
function readPseudo(section: FieldSection, head: RequestHead): boolean {
  const { buffer } = section;
  const connect = section.value(Pseudo.Method) === "CONNECT";
  const extended = section.has(Pseudo.Protocol);
  if (!section.has(Pseudo.Method) || section.has(Pseudo.Status)) return false;
  head.method = methodName(buffer, section.start(Pseudo.Method), section.end(Pseudo.Method));
  if (!isToken(section, Pseudo.Method)) return false;
  if (extended && !connect) return false;
  if (section.has(Pseudo.Authority)) {
    const start = section.start(Pseudo.Authority);
    const end = section.end(Pseudo.Authority);
    if (end > start && !validHost(buffer, start, end)) return false;
  }
  if (connect && !extended) {
    if (section.has(Pseudo.Scheme) || section.has(Pseudo.Path)) return false;
    head.targetStart = section.start(Pseudo.Authority);
    head.targetEnd = section.end(Pseudo.Authority);
    return head.targetStart >= 0;
  }
  const scheme = section.value(Pseudo.Scheme);
  if (scheme !== "http" && scheme !== "https") return false;
  head.targetStart = section.start(Pseudo.Path);
  head.targetEnd = section.end(Pseudo.Path);
  if (head.targetStart < 0 || head.targetStart === head.targetEnd) return false;
  for (let at = head.targetStart; at < head.targetEnd; at++) {
    if ((CLASS[buffer[at]] & TARGET) === 0 || buffer[at] === SP) return false;
  }
  if (extended) {
    if (!isToken(section, Pseudo.Protocol)) return false;
    head.method = "GET";
    head.framing.upgrade = true;
  }
  const first = buffer[head.targetStart];
  if (first === SLASH) return true;
  return first === STAR && head.targetEnd - head.targetStart === 1 && head.method === "OPTIONS";
}

/** Whether a pseudo-header field's value is a token. */
function isToken(section: FieldSection, pseudo: Pseudo): boolean {
  const start = section.start(pseudo);
  const end = section.end(pseudo);
  for (let at = start; at < end; at++) if ((CLASS[section.buffer[at]] & TOKEN) === 0) return false;
  return end > start;
}

/** Checks regular fields, joins cookies and lets the authority stand as Host. */
function checkFields(section: FieldSection, head: RequestHead): boolean {
  const { block } = head;
  const { buffer } = section;
  const authority = section.value(Pseudo.Authority);
  let host: string | null = null;
  for (let i = 0; i < block.count; i++) {
    const id = block.id(i);
    if ((FORBIDDEN & (1 << id)) !== 0) return false;
    if (id === FieldId.Te && block.value(i).toLowerCase() !== "trailers") return false;
    if (id === FieldId.Host) {
      if (host !== null || !validHost(buffer, block.valueStart(i), block.valueEnd(i))) return false;
      host = block.value(i);
    }
  }
  if (host === null) {
    if (authority === "") return false;
    section.append("host", authority, FieldId.Host);
  } else if (authority !== "" && authority.toLowerCase() !== host.toLowerCase()) return false;
  section.joinCookies();
  return true;
}

/** The handshake's key has no place here (RFC 8441 section 5); the backend gets one of our own. */
function dropKey({ block }: RequestHead): void {
  for (let i = 0; i < block.count; i++) {
    if (block.name(i) === "sec-websocket-key") block.remove(i);
  }
}
