import { Buffer } from "node:buffer";
import { LF, SP } from "../message/bytes.ts";
import { fieldsLength } from "../message/copy_fields.ts";
import { FieldId, HOP_BY_HOP } from "../message/field_id.ts";
import { HeaderBlock } from "../message/header_block.ts";
import { lengthLine, type LocalAnswer } from "../message/local_answer.ts";
import type { ResponseHead } from "../message/response_head.ts";
import type { HpackEncoder } from "./hpack_encoder.ts";

/** Bytes that a field may need beyond its line. */
const PER_FIELD = 12;
/** Bytes of pseudo-header fields and table size updates beyond their values. */
const EXTRA = 64;

/** Most fields that are added to an answer. */
const ADDED_FIELDS = 128;
const CRLF = Buffer.from("\r\n");

const AUTHORITY = 1;
const METHOD = 2;
const METHOD_GET = 2;
const METHOD_POST = 3;
const PATH = 4;
const PATH_ROOT = 4;
const SCHEME_HTTP = 6;
const SCHEME_HTTPS = 7;
const STATUS = 8;
/** Statuses with an index of their own. */
const STATUS_INDEX: Readonly<Record<number, number>> = {
  200: 8,
  204: 9,
  206: 10,
  304: 11,
  400: 12,
  404: 13,
  500: 14,
};

const DROPPED = HOP_BY_HOP | (1 << FieldId.Trailer);
const REQUEST_DROPPED = (HOP_BY_HOP & ~(1 << FieldId.Te)) | (1 << FieldId.Host);

/** Upper bound of the bytes of a block's fields in encoded form. */
export function encodedBound(block: HeaderBlock): number {
  return fieldsLength(block) + block.count * PER_FIELD + EXTRA;
}

function encodeFields(encoder: HpackEncoder, block: HeaderBlock, dropped: number): void {
  const { buffer } = block;
  for (let i = 0; i < block.count; i++) {
    const id = block.id(i);
    if ((dropped & (1 << id)) !== 0) continue;
    encoder.field(
      buffer,
      block.nameStart(i),
      block.nameEnd(i),
      block.valueStart(i),
      block.valueEnd(i),
      id,
    );
  }
}

function encodeStatus(encoder: HpackEncoder, status: number): void {
  const index = STATUS_INDEX[status];
  if (index !== undefined) encoder.indexed(index);
  else {
    const digits = Buffer.from(String(status), "latin1");
    encoder.named(STATUS, digits, 0, digits.length);
  }
}

/** Upper bound of the bytes of a head in encoded form. */
export function encodedHeadBound({ block, added }: ResponseHead): number {
  return encodedBound(block) + (added === null ? 0 : added.length + ADDED_FIELDS * PER_FIELD);
}

/** Encodes a backend's head for a client. */
export function encodeResponse(
  encoder: HpackEncoder,
  head: ResponseHead,
  status: number,
  out: Buffer,
  at: number,
): number {
  encoder.begin(out, at);
  encodeStatus(encoder, status);
  const unsized = status < 200 || status === 204 ? 1 << FieldId.ContentLength : 0;
  const dropped = head.unsized ? HOP_BY_HOP : DROPPED;
  encodeFields(encoder, head.block, dropped | unsized);
  if (head.added !== null) encodeFields(encoder, parsedLines(head.added), DROPPED);
  return encoder.end();
}

const addedFields = new HeaderBlock(ADDED_FIELDS);

/** Field lines without the empty one that ends a section, taken apart; valid until the next call. */
function parsedLines(lines: Uint8Array): HeaderBlock {
  const section = Buffer.concat([lines, CRLF]);
  addedFields.parse(section, 0, section.length);
  return addedFields;
}

/** Encodes trailer lines that were parsed into `block`. */
export function encodeTrailers(
  encoder: HpackEncoder,
  block: HeaderBlock,
  out: Buffer,
  at: number,
): number {
  encoder.begin(out, at);
  encodeFields(encoder, block, DROPPED);
  return encoder.end();
}

/** The fields of an answer of our own, as lines. */
export function localLines(answer: LocalAnswer, date: string, grpc: boolean): Buffer {
  const { fields } = answer;
  let lines = `date: ${date}\r\n`;
  for (const [name, value] of fields) lines += `${name}: ${value}\r\n`;
  if (!grpc) lines += lengthLine(answer);
  return Buffer.from(`${lines}\r\n`, "latin1");
}

/** Encodes an answer of our own whose fields were parsed into `block`. */
export function encodeLocal(
  encoder: HpackEncoder,
  status: number,
  block: HeaderBlock,
  out: Buffer,
  at: number,
): number {
  encoder.begin(out, at);
  encodeStatus(encoder, status);
  encodeFields(encoder, block, DROPPED);
  return encoder.end();
}

/** A request head in HTTP/1.1 form, as `writeRequest` makes it, taken apart for encoding. */
export interface RequestParts {
  readonly methodEnd: number;
  readonly targetStart: number;
  readonly targetEnd: number;
}

/** Finds the parts of a request head of our own making and its fields. */
export function requestParts(head: Buffer, block: HeaderBlock): RequestParts {
  const methodEnd = head.indexOf(SP);
  const targetStart = methodEnd + 1;
  const targetEnd = head.indexOf(SP, targetStart);
  block.parse(head, head.indexOf(LF, targetEnd) + 1, head.length);
  return { methodEnd, targetStart, targetEnd };
}

/** Encodes a request for a backend. */
export function encodeRequest(
  encoder: HpackEncoder,
  head: Buffer,
  parts: RequestParts,
  block: HeaderBlock,
  secure: boolean,
  out: Buffer,
  at: number,
): number {
  const { methodEnd, targetStart, targetEnd } = parts;
  encoder.begin(out, at);
  if (methodEnd === 3 && head[0] === 71) encoder.indexed(METHOD_GET);
  else if (methodEnd === 4 && head[0] === 80 && head[1] === 79) encoder.indexed(METHOD_POST);
  else encoder.named(METHOD, head, 0, methodEnd);
  encoder.indexed(secure ? SCHEME_HTTPS : SCHEME_HTTP);
  for (let i = 0; i < block.count; i++) {
    if (block.id(i) !== FieldId.Host) continue;
    encoder.named(AUTHORITY, head, block.valueStart(i), block.valueEnd(i));
    break;
  }
  if (targetEnd - targetStart === 1 && head[targetStart] === 47) encoder.indexed(PATH_ROOT);
  else encoder.named(PATH, head, targetStart, targetEnd);
  encodeFields(encoder, block, REQUEST_DROPPED);
  return encoder.end();
}
