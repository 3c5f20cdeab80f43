import { FieldId } from "../message/field_id.ts";
import { BodyKind, hasNoContent, type ResponseHead } from "../message/response_head.ts";
import { STATUS_TEXT } from "../message/status_text.ts";
import { Pseudo } from "./field_entry.ts";
import type { FieldSection } from "./field_section.ts";
import { readLength } from "./read_length.ts";

const FORBIDDEN = (1 << FieldId.Connection) | (1 << FieldId.KeepAlive) |
  (1 << FieldId.ProxyConnection) | (1 << FieldId.TransferEncoding) | (1 << FieldId.Upgrade);

/**
 * Turns a decoded section into a response head in the common form (RFC 9113 section 8.3.2); false when it
 * breaks the protocol, with the reason in `head.error`.
 * @param method of the request
 * @param ended no content follows
 */
export function readResponse(
  section: FieldSection,
  head: ResponseHead,
  method: string,
  ended: boolean,
): boolean {
  const { block, framing } = head;
  const bad = (error: string) => {
    head.error = error;
    return false;
  };
  if (section.malformed !== "") return bad(`malformed ${section.malformed}`);
  if (section.tooLarge) return bad(section.tooMany ? "too many fields" : "head too large");
  if (!section.has(Pseudo.Status)) return bad("no :status");
  for (let pseudo = Pseudo.Method; pseudo <= Pseudo.Protocol; pseudo++) {
    if (pseudo !== Pseudo.Status && section.has(pseudo)) return bad("pseudo-header of a request");
  }
  const status = section.value(Pseudo.Status);
  if (!/^[1-5]\d\d$/.test(status)) return bad("no status between 100 and 599");
  head.status = Number(status);
  // There is no 101 here (section 8.6).
  if (head.status === 101) return bad("101");
  for (let i = 0; i < block.count; i++) {
    if ((FORBIDDEN & (1 << block.id(i))) !== 0) return bad(`field ${block.name(i)} of HTTP/1.1`);
  }
  framing.close = framing.keepAlive = framing.upgrade = false;
  framing.contentLength = readLength(block);
  if (framing.contentLength < -1) return bad("content-length that is no number");
  const noContent = hasNoContent(method, head.status);
  if (ended && framing.contentLength > 0 && !noContent) {
    return bad("no content behind content-length");
  }
  framing.unsized = !ended && framing.contentLength < 0;
  head.body = ended || noContent
    ? BodyKind.None
    : framing.contentLength >= 0
    ? BodyKind.Length
    : BodyKind.Framed;
  head.reusable = true;
  writeStatusLine(section, head);
  return true;
}

/** The status line, for a client that speaks HTTP/1.1. */
function writeStatusLine(section: FieldSection, head: ResponseHead): void {
  const { buffer } = section;
  head.added = null;
  head.statusStart = section.at;
  section.at += buffer.write(
    ` ${head.status} ${STATUS_TEXT[head.status] ?? ""}\r\n`,
    section.at,
    "latin1",
  );
  head.statusEnd = section.at;
}
