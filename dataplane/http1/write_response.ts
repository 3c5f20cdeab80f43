import type { Buffer } from "node:buffer";
import { copy, put } from "./bytes.ts";
import { FieldId, HOP_BY_HOP } from "./field_id.ts";
import type { ResponseHead } from "./response_head.ts";
import { commit, reserve } from "./slab.ts";
import { copyFields } from "./write_request.ts";

/** Texts of the statuses we answer with ourselves. */
const STATUS_TEXT: Readonly<Record<number, string>> = {
  400: "Bad Request",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  414: "URI Too Long",
  417: "Expectation Failed",
  421: "Misdirected Request",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  501: "Not Implemented",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
  505: "HTTP Version Not Supported",
};

/** Bodies up to this size are copied behind the head, to leave in one write. */
export const COALESCE_LIMIT = 4 * 1024;

/** How the connection goes on after a response. */
export type AfterResponse = "keep" | "close" | "keep_1_0";

const CONNECTION: Readonly<Record<AfterResponse, string>> = {
  keep: "",
  close: "connection: close\r\n",
  keep_1_0: "connection: keep-alive\r\n",
};

/** Writes a backend's head for an HTTP/1 client, with `body` behind it. */
export function writeResponse(
  head: ResponseHead,
  chunked: boolean,
  after: AfterResponse,
  body: Buffer | null,
): Buffer {
  const { block } = head;
  const last = block.count === 0 ? head.statusEnd : block.lineEnd(block.count - 1);
  const bodyLength = body === null ? 0 : body.length;
  const out = reserve(last - head.statusStart + bodyLength + 128);
  const unsized = head.status < 200 || head.status === 204 ? 1 << FieldId.ContentLength : 0;
  let at = put("HTTP/1.1", out, 0);
  at = copy(head.buffer, head.statusStart, head.statusEnd, out, at);
  at = copyFields(block, HOP_BY_HOP | unsized | (1 << FieldId.Trailer), out, at);
  if (chunked) at = put("transfer-encoding: chunked\r\n", out, at);
  at = put(CONNECTION[after], out, at);
  out[at++] = 13;
  out[at++] = 10;
  if (body !== null) at = copy(body, 0, bodyLength, out, at);
  return commit(out, at);
}

/** Writes an answer of our own: a short text body that names the reason. */
export function writeLocal(
  status: number,
  reason: string,
  date: string,
  after: AfterResponse,
  head: boolean,
): Buffer {
  const body = `${status} ${reason}\n`;
  const retry = status === 503 ? "retry-after: 1\r\n" : "";
  const allow = status === 405 ? "allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n" : "";
  const text = `HTTP/1.1 ${status} ${STATUS_TEXT[status] ?? "Error"}\r\ndate: ${date}\r\n` +
    `content-type: text/plain\r\ncontent-length: ${body.length}\r\n${retry}${allow}` +
    `${CONNECTION[after]}\r\n${head ? "" : body}`;
  const out = reserve(text.length);
  return commit(out, put(text, out, 0));
}
