import { Buffer } from "node:buffer";
import { copyFields, fieldsLength } from "./copy_fields.ts";
import { NEVER_IN_TRAILERS, shadowsProtected } from "./field_id.ts";
import { HeaderBlock } from "./header_block.ts";

/** Field lines that one trailer section may have. */
const MAX_TRAILERS = 128;

const block = new HeaderBlock(MAX_TRAILERS);

/**
 * The field lines of a trailer section that may be passed on, CRLF included, as bytes of their own.
 * @param section field lines without the empty line that ends them
 * @returns null when the section is malformed
 */
export function readTrailers(section: Buffer): Buffer | null {
  const bytes = Buffer.concat([section, Buffer.from("\r\n")]);
  return block.parse(bytes, 0, bytes.length) === bytes.length ? trailerLines(block) : null;
}

/** The field lines of `fields` that may be passed on as trailers. */
export function trailerLines(fields: HeaderBlock): Buffer {
  for (let i = 0; i < fields.count; i++) {
    // Names that a backend reads as protected ones once it takes `_` for `-`.
    if (shadowsProtected(fields.buffer, fields.nameStart(i), fields.nameEnd(i))) fields.remove(i);
  }
  const out = Buffer.allocUnsafeSlow(fieldsLength(fields));
  return out.subarray(0, copyFields(fields, NEVER_IN_TRAILERS, out, 0));
}

/** Parses lines made by `trailerLines` for a codec that needs their parts; valid until the next call. */
export function trailerBlock(lines: Buffer): HeaderBlock {
  const bytes = Buffer.concat([lines, Buffer.from("\r\n")]);
  block.parse(bytes, 0, bytes.length);
  return block;
}
