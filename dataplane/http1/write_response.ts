import type { Buffer } from "node:buffer";
import { ascii, copy, put } from "../message/bytes.ts";
import { copyFields, fieldsLength } from "../message/copy_fields.ts";
import { FieldId, HOP_BY_HOP } from "../message/field_id.ts";
import { bodyOf, lengthLine, type LocalAnswer } from "../message/local_answer.ts";
import type { ResponseHead } from "../message/response_head.ts";
import { commit, reserve, reservedAt } from "../message/slab.ts";
import { STATUS_TEXT } from "../message/status_text.ts";

/** Bodies up to this size are copied behind the head, to leave in one write. */
export const COALESCE_LIMIT = 4 * 1024;

const VERSION = ascii("HTTP/1.1");

/** How the connection goes on after a response. */
export type AfterResponse = "keep" | "close" | "keep_1_0" | "upgrade";

const CONNECTION: Readonly<Record<AfterResponse, string>> = {
  keep: "",
  close: "connection: close\r\n",
  keep_1_0: "connection: keep-alive\r\n",
  upgrade: "connection: upgrade\r\n",
};

/** Upgrade is kept where the answer is the 101 that makes it. */
const HOP_BY_HOP_BUT_UPGRADE = HOP_BY_HOP & ~(1 << FieldId.Upgrade);

/** Writes a backend's head for an HTTP/1 client, with `body` behind it. */
export function writeResponse(
  head: ResponseHead,
  chunked: boolean,
  after: AfterResponse,
  body: Buffer | null,
): Buffer {
  const { block, added } = head;
  const addedLength = added === null ? 0 : added.length;
  const bodyLength = body === null ? 0 : body.length;
  const out = reserve(
    head.statusEnd - head.statusStart + fieldsLength(block) + addedLength + bodyLength + 128,
  );
  const unsized = head.status < 200 || head.status === 204 ? 1 << FieldId.ContentLength : 0;
  const hop = after === "upgrade" ? HOP_BY_HOP_BUT_UPGRADE : HOP_BY_HOP;
  let at = copy(VERSION, 0, VERSION.length, out, reservedAt());
  at = copy(head.buffer, head.statusStart, head.statusEnd, out, at);
  // Servers read trailers that were announced; only a chunked body can be followed by any.
  const trailer = chunked ? 0 : 1 << FieldId.Trailer;
  at = copyFields(block, hop | unsized | trailer, out, at);
  if (added !== null) at = copy(added, 0, addedLength, out, at);
  if (chunked) at = put("transfer-encoding: chunked\r\n", out, at);
  at = put(CONNECTION[after], out, at);
  out[at++] = 13;
  out[at++] = 10;
  if (body !== null) at = copy(body, 0, bodyLength, out, at);
  return commit(out, at);
}

/**
 * Writes an answer of our own.
 * @param date value of the Date field
 * @param headOnly the request was HEAD: no body follows
 */
export function writeLocal(
  answer: LocalAnswer,
  date: string,
  after: AfterResponse,
  headOnly: boolean,
): Buffer {
  const { status, fields } = answer;
  const body = bodyOf(answer);
  let lines = "";
  for (const [name, value] of fields) lines += `${name}: ${value}\r\n`;
  const text = `HTTP/1.1 ${status} ${STATUS_TEXT[status] ?? ""}\r\ndate: ${date}\r\n${lines}` +
    `${lengthLine(answer)}${CONNECTION[after]}\r\n${headOnly ? "" : body}`;
  const out = reserve(text.length);
  return commit(out, put(text, out, reservedAt()));
}
