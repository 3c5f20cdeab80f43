import type { Buffer } from "node:buffer";
import { ascii, copy, put } from "../message/bytes.ts";
import { copyFields, fieldsLength } from "../message/copy_fields.ts";
import { FieldId, HOP_BY_HOP, SET_BY_US } from "../message/field_id.ts";
import type { RequestHead } from "../message/request_head.ts";
import { commit, reserve, reservedAt } from "../message/slab.ts";

/** Room for what is added around copied bytes: version, framing, request id and names. */
const OVERHEAD = 320;
const VERSION = ascii(" HTTP/1.1\r\n");
const SLASH = 47;
const QUESTION = 63;

/** What the request gets on its way to the backend. */
export interface RequestAdditions {
  /** Method that the backend sees, usually the client's. */
  readonly method: string;
  /** Canonical path when it differs from the one sent, else null. */
  readonly path: string | null;
  /** Field lines that tell who the client is, CRLF included. */
  readonly peerFields: Uint8Array;
  /** Value of X-Forwarded-Host, "" when `peerFields` has it. */
  readonly forwardedHost: string;
  /** Host for a request that came without one (HTTP/1.0). */
  readonly defaultHost: string;
  /** Generated X-Request-Id, or "" to keep the client's. */
  readonly requestId: string;
  /** Token to upgrade to, "" for none. */
  readonly upgrade: string;
  /** Sec-WebSocket-Key for a handshake that came without one, else "". */
  readonly webSocketKey: string;
}

/**
 * Writes the head that goes to a backend, in HTTP/1.1 form. It is also the form in which a request
 * waits for its connection: a connection that speaks another version takes the parts from it.
 */
export function writeRequest(head: RequestHead, additions: RequestAdditions): Buffer {
  const { buffer, block, framing } = head;
  const { method, path, peerFields, forwardedHost, requestId, defaultHost, upgrade } = additions;
  const size = fieldsLength(block) + (head.targetEnd - head.targetStart) +
    (path?.length ?? 0) * 3 + (head.host.length + defaultHost.length) + forwardedHost.length +
    method.length + peerFields.length + requestId.length + upgrade.length * 2 + OVERHEAD;
  const out = reserve(size);
  let at = put(method, out, reservedAt());
  out[at++] = 32;
  if (path !== null) at = put(path, out, at);
  else if (head.targetStart === head.targetEnd) out[at++] = SLASH;
  else {
    if (buffer[head.targetStart] === QUESTION) out[at++] = SLASH;
    at = copy(buffer, head.targetStart, head.targetEnd, out, at);
  }
  at = copy(VERSION, 0, VERSION.length, out, at);
  const dropped = HOP_BY_HOP | SET_BY_US | (framing.unsized ? 0 : 1 << FieldId.Trailer);
  at = copyFields(block, dropped | (head.absolute ? 1 << FieldId.Host : 0), out, at);
  if (head.absolute || head.host === "") at = putField("host: ", head.host || defaultHost, out, at);
  if (framing.unsized) at = put("transfer-encoding: chunked\r\n", out, at);
  at = copy(peerFields, 0, peerFields.length, out, at);
  if (forwardedHost !== "") at = putField("x-forwarded-host: ", forwardedHost, out, at);
  if (requestId !== "") at = putField("x-request-id: ", requestId, out, at);
  if (upgrade !== "") {
    at = put("connection: upgrade\r\n", out, at);
    at = putField("upgrade: ", upgrade, out, at);
    if (additions.webSocketKey !== "") {
      at = putField("sec-websocket-key: ", additions.webSocketKey, out, at);
    }
  } else if (head.takesTrailers) at = put("connection: te\r\nte: trailers\r\n", out, at);
  out[at++] = 13;
  out[at++] = 10;
  return commit(out, at);
}

function putField(name: string, value: string, out: Buffer, at: number): number {
  return put("\r\n", out, put(value, out, put(name, out, at)));
}
