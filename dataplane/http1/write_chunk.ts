import { Buffer } from "node:buffer";
import { copy, put, putHex } from "../message/bytes.ts";
import { commit, reserve, reservedAt } from "../message/slab.ts";

const LAST_CHUNK = "0\r\n";
/** Data above this size is not worth a copy: what stands around it is written beside it. */
export const LARGE_CHUNK = 16 * 1024;
/** Bytes behind the data of a chunk. */
export const CHUNK_END = Buffer.from("\r\n", "latin1");
/** The same, and the last chunk without trailers. */
export const BODY_END = Buffer.from("\r\n0\r\n\r\n", "latin1");

/**
 * One piece of a chunked body (RFC 9112 section 7.1), with the last chunk behind it when `ended`; `data`
 * may be empty.
 * @param trailers field lines that follow the last chunk
 */
export function writeChunk(
  data: Buffer | null,
  ended: boolean,
  trailers: Buffer | null = null,
): Buffer {
  const length = data === null ? 0 : data.length;
  const out = reserve(length + (trailers === null ? 0 : trailers.length) + 32);
  let at = reservedAt();
  if (length > 0) {
    at = putHex(length, out, at);
    out[at++] = 13;
    out[at++] = 10;
    at = copy(data!, 0, length, out, at);
    out[at++] = 13;
    out[at++] = 10;
  }
  if (ended) {
    at = put(LAST_CHUNK, out, at);
    if (trailers !== null) at = copy(trailers, 0, trailers.length, out, at);
    at = put("\r\n", out, at);
  }
  return commit(out, at);
}

/** What precedes the data of a chunk. */
export function chunkStart(length: number): Buffer {
  const out = reserve(16);
  const at = putHex(length, out, reservedAt());
  out[at] = 13;
  out[at + 1] = 10;
  return commit(out, at + 2);
}
