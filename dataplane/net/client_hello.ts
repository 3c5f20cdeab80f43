import { Buffer } from "node:buffer";
import { LIMIT } from "../config/defaults.ts";

/** What the first bytes of a TLS connection say. */
export type ClientHello =
  /** `wanted`: bytes, from the first on, without which it stays incomplete. */
  | { readonly kind: "incomplete"; readonly wanted: number }
  /** Not the beginning of a handshake. */
  | { readonly kind: "invalid" }
  /** `serverName`: lower case, "" without SNI (RFC 6066 section 3). */
  | { readonly kind: "hello"; readonly serverName: string };

const INVALID: ClientHello = { kind: "invalid" };
const HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const SERVER_NAME = 0;
const HOST_NAME = 0;
const RECORD_HEADER = 5;
const MESSAGE_HEADER = 4;
/** Largest plaintext of a record (RFC 8446 section 5.1), and largest hello that we wait for. */
const MAX_RECORD = 16_384;
const MAX_HELLO = 65_536;
const NAME = /^[a-z0-9_](?:[a-z0-9_.-]{0,252}[a-z0-9_])?\.?$/;

/**
 * Reads the server name out of the first bytes, whichever records they are cut into. Linear in the
 * bytes: the records are joined once, when the message is complete.
 */
export function parseClientHello(view: Buffer): ClientHello {
  const pieces: Buffer[] = [];
  let total = 0;
  let at = 0;
  /** Bytes of the message, 0 until its header is there. */
  let wanted = 0;
  for (;;) {
    if (at < view.length && view[at] !== HANDSHAKE) return INVALID;
    if (at + 1 < view.length && view[at + 1] !== 3) return INVALID;
    if (view.length < at + RECORD_HEADER) return incomplete(at + RECORD_HEADER + 1);
    const length = view.readUInt16BE(at + 3);
    if (length === 0 || length > MAX_RECORD) return INVALID;
    const start = at + RECORD_HEADER;
    const end = Math.min(view.length, start + length);
    if (pieces.length === 0 && start < end && view[start] !== CLIENT_HELLO) return INVALID;
    if (end < start + length) return incomplete(start + length);
    if (pieces.length === LIMIT.helloRecords) return INVALID;
    pieces.push(view.subarray(start, end));
    total += length;
    at = end;
    if (total < MESSAGE_HEADER) continue;
    if (wanted === 0) wanted = MESSAGE_HEADER + joined(pieces).readUIntBE(1, 3);
    if (wanted > MAX_HELLO) return INVALID;
    if (total < wanted) continue;
    const bytes = joined(pieces);
    const name = serverName(bytes.subarray(MESSAGE_HEADER, wanted));
    return name === null ? INVALID : { kind: "hello", serverName: name };
  }
}

function incomplete(wanted: number): ClientHello {
  return { kind: "incomplete", wanted };
}

function joined(pieces: readonly Buffer[]): Buffer {
  return pieces.length === 1 ? pieces[0] : Buffer.concat(pieces);
}

/** The name in a hello's body (RFC 8446 section 4.1.2); "" without one, null when it is malformed. */
function serverName(hello: Buffer): string | null {
  // Version and random come first, then three vectors.
  let at = skipVector(hello, 34, 1);
  at = skipVector(hello, at, 2);
  at = skipVector(hello, at, 1);
  if (at < 0) return null;
  if (at === hello.length) return "";
  if (at + 2 > hello.length || at + 2 + hello.readUInt16BE(at) !== hello.length) return null;
  at += 2;
  while (at < hello.length) {
    if (at + 4 > hello.length) return null;
    const type = hello.readUInt16BE(at);
    const end = skipVector(hello, at + 2, 2);
    if (end < 0) return null;
    if (type === SERVER_NAME) return nameIn(hello.subarray(at + 4, end));
    at = end;
  }
  return "";
}

/** Position behind a vector whose length has `size` bytes, -1 when it does not fit. */
function skipVector(hello: Buffer, at: number, size: 1 | 2): number {
  if (at < 0 || at + size > hello.length) return -1;
  const end = at + size + hello.readUIntBE(at, size);
  return end > hello.length ? -1 : end;
}

/** The host name in a server_name extension. */
function nameIn(list: Buffer): string | null {
  if (list.length < 5 || 2 + list.readUInt16BE(0) !== list.length) return null;
  if (list[2] !== HOST_NAME || 5 + list.readUInt16BE(3) > list.length) return null;
  const name = list.toString("latin1", 5, 5 + list.readUInt16BE(3)).toLowerCase();
  return NAME.test(name) ? name.replace(/\.$/, "") : null;
}
