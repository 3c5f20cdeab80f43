import { ascii, equalsIgnoreCase, HTAB, SP, text } from "./bytes.ts";
import { FieldId, fieldId, NEVER_NOMINATED } from "./field_id.ts";
import type { HeaderBlock } from "./header_block.ts";

const CLOSE = ascii("close");
const KEEP_ALIVE = ascii("keep-alive");
const UPGRADE = ascii("upgrade");
const CHUNKED = ascii("chunked");
const COMMA = 44;
/**
 * Tokens of all Connection fields of one message: each is compared with every field. Clients send two
 * or three.
 */
export const MAX_CONNECTION_TOKENS = 32;

/** Results of `readFraming` and `readConnection` that refuse the message. */
export type FramingError =
  | "content_length"
  | "transfer_encoding"
  | "length_and_encoding"
  | "connection_names_protected_field"
  | "connection_tokens";

/** Body length and connection wishes of one message (RFC 9112 sections 6 and 9). */
export interface Framing {
  /** Bytes of the body, -1 without Content-Length. */
  contentLength: number;
  /** A body whose end the framing itself tells: chunks, or frames of a stream without Content-Length. */
  unsized: boolean;
  close: boolean;
  keepAlive: boolean;
  /** Whether Connection names Upgrade. */
  upgrade: boolean;
}

/** A message without body or wishes. */
export function noFraming(): Framing {
  return { contentLength: -1, unsized: false, close: false, keepAlive: false, upgrade: false };
}

/** Reads Content-Length and Transfer-Encoding; anything that two parsers could read differently is refused. */
export function readFraming(block: HeaderBlock, framing: Framing): FramingError | null {
  framing.contentLength = -1;
  framing.unsized = false;
  for (let i = 0; i < block.count; i++) {
    const id = block.id(i);
    if (id === FieldId.ContentLength) {
      if (framing.contentLength >= 0) return "content_length";
      framing.contentLength = decimal(block, i);
      if (framing.contentLength < 0) return "content_length";
    } else if (id === FieldId.TransferEncoding) {
      const only = !framing.unsized &&
        equalsIgnoreCase(block.buffer, block.valueStart(i), block.valueEnd(i), CHUNKED);
      if (!only) return "transfer_encoding";
      framing.unsized = true;
    }
  }
  return framing.unsized && framing.contentLength >= 0 ? "length_and_encoding" : null;
}

/** A value of digits only, at most 15 of them so that it is exact; -1 otherwise. */
export function decimal(block: HeaderBlock, index: number): number {
  const start = block.valueStart(index);
  const end = block.valueEnd(index);
  if (end === start || end - start > 15) return -1;
  let value = 0;
  for (let i = start; i < end; i++) {
    const digit = block.buffer[i] - 48;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}

/** Reads all Connection fields, marks what they name, and refuses those that name a protected field. */
export function readConnection(block: HeaderBlock, framing: Framing): FramingError | null {
  framing.close = false;
  framing.keepAlive = false;
  framing.upgrade = false;
  let tokens = 0;
  for (let i = 0; i < block.count; i++) {
    if (block.id(i) !== FieldId.Connection) continue;
    const { buffer } = block;
    const end = block.valueEnd(i);
    let at = block.valueStart(i);
    while (at < end) {
      while (at < end && (buffer[at] === SP || buffer[at] === HTAB || buffer[at] === COMMA)) at++;
      const start = at;
      while (at < end && buffer[at] !== COMMA) at++;
      let stop = at;
      while (stop > start && (buffer[stop - 1] === SP || buffer[stop - 1] === HTAB)) stop--;
      if (stop === start) continue;
      if (++tokens > MAX_CONNECTION_TOKENS) return "connection_tokens";
      if (equalsIgnoreCase(buffer, start, stop, CLOSE)) framing.close = true;
      else if (equalsIgnoreCase(buffer, start, stop, KEEP_ALIVE)) framing.keepAlive = true;
      else if (equalsIgnoreCase(buffer, start, stop, UPGRADE)) framing.upgrade = true;
      else if (!nominate(block, start, stop)) return "connection_names_protected_field";
    }
  }
  return null;
}

function nominate(block: HeaderBlock, start: number, end: number): boolean {
  const { buffer } = block;
  const id = fieldId(buffer, start, end);
  if ((NEVER_NOMINATED & (1 << id)) !== 0) return false;
  const lower = ascii(text(buffer, start, end).toLowerCase());
  for (let i = 0; i < block.count; i++) {
    if (block.id(i) === FieldId.Te || block.id(i) === FieldId.Connection) continue;
    if (equalsIgnoreCase(buffer, block.nameStart(i), block.nameEnd(i), lower)) {
      block.setId(i, FieldId.Nominated);
    }
  }
  return true;
}
