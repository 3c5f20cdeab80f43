import type { Buffer } from "node:buffer";
import { copy, put, putHex } from "./bytes.ts";
import { FieldId, HOP_BY_HOP, SET_BY_US } from "./field_id.ts";
import type { HeaderBlock } from "./header_block.ts";
import type { RequestHead } from "./request_head.ts";
import { commit, reserve } from "./slab.ts";

const LAST_CHUNK = "0\r\n\r\n";
/** Room for what is added around copied bytes: version, framing, request id and names. */
const OVERHEAD = 256;

/** What the request gets on its way to the backend. */
export interface RequestAdditions {
  /** Canonical path when it differs from the one sent, else null. */
  readonly path: string | null;
  /** Field lines that are the same for every request of the connection, CRLF included. */
  readonly peerFields: Uint8Array;
  /** Host for a request that came without one (HTTP/1.0). */
  readonly defaultHost: string;
  /** Generated X-Request-Id, or "" to keep the client's. */
  readonly requestId: string;
}

/** Copies the field lines whose id is not in `dropped`, in runs; returns the position after them. */
export function copyFields(block: HeaderBlock, dropped: number, out: Buffer, at: number): number {
  const { buffer, count } = block;
  let runStart = -1;
  let runEnd = -1;
  for (let i = 0; i < count; i++) {
    if ((dropped & (1 << block.id(i))) !== 0) {
      if (runStart >= 0) at = copy(buffer, runStart, runEnd, out, at);
      runStart = -1;
    } else {
      if (runStart < 0) runStart = block.nameStart(i);
      runEnd = block.lineEnd(i);
    }
  }
  return runStart >= 0 ? copy(buffer, runStart, runEnd, out, at) : at;
}

/**
 * Writes the head that goes to an HTTP/1.1 backend, followed by `body` (already in chunked form where
 * the request is chunked).
 */
export function writeRequest(
  head: RequestHead,
  additions: RequestAdditions,
  body: Buffer | null,
): Buffer {
  const { buffer, block, method, framing } = head;
  const { path, peerFields, requestId, defaultHost } = additions;
  const bodyLength = body === null ? 0 : body.length;
  const last = block.count === 0 ? head.targetEnd : block.lineEnd(block.count - 1);
  const size = (last - head.targetStart) + (path?.length ?? 0) * 3 +
    (head.host.length + defaultHost.length) * 2 +
    method.length +
    peerFields.length + bodyLength + OVERHEAD;
  const out = reserve(size);
  let at = put(method, out, 0);
  out[at++] = 32;
  if (path !== null) at = put(path, out, at);
  else if (head.targetStart === head.targetEnd) at = put("/", out, at);
  else {
    if (buffer[head.targetStart] === 63) out[at++] = 47;
    at = copy(buffer, head.targetStart, head.targetEnd, out, at);
  }
  at = put(" HTTP/1.1\r\n", out, at);
  const dropped = HOP_BY_HOP | SET_BY_US | (1 << FieldId.Trailer);
  at = copyFields(block, dropped | (head.absolute ? 1 << FieldId.Host : 0), out, at);
  if (head.absolute || head.host === "") {
    at = put("host: ", out, at);
    at = put(head.host || defaultHost, out, at);
    at = put("\r\n", out, at);
  }
  if (framing.chunked) at = put("transfer-encoding: chunked\r\n", out, at);
  at = copy(peerFields, 0, peerFields.length, out, at);
  if (head.host !== "") {
    at = put("x-forwarded-host: ", out, at);
    at = put(head.host, out, at);
    at = put("\r\n", out, at);
  }
  if (requestId !== "") {
    at = put("x-request-id: ", out, at);
    at = put(requestId, out, at);
    at = put("\r\n", out, at);
  }
  out[at++] = 13;
  out[at++] = 10;
  if (body !== null) at = copy(body, 0, body.length, out, at);
  return commit(out, at);
}

/** One piece of a chunked body, with the last chunk behind it when `ended`; `data` may be empty. */
export function writeChunk(data: Buffer | null, ended: boolean): Buffer {
  const length = data === null ? 0 : data.length;
  const out = reserve(length + 32);
  let at = 0;
  if (length > 0) {
    at = putHex(length, out, at);
    out[at++] = 13;
    out[at++] = 10;
    at = copy(data!, 0, length, out, at);
    out[at++] = 13;
    out[at++] = 10;
  }
  if (ended) at = put(LAST_CHUNK, out, at);
  return commit(out, at);
}
