import { CLASS, COLON, HOST } from "./bytes.ts";

/** Longest name and label of a host, in bytes (RFC 1035 section 2.3.4). */
export const LONGEST_HOST = 255;
export const LONGEST_LABEL = 63;
/** A colon and five digits; no port has leading zeros beyond them. */
const LONGEST_PORT = 6;
const DOT = 46;

const OPEN_BRACKET = 91;
const CLOSE_BRACKET = 93;

/** Whether bytes [start, end) are a host with an optional port (RFC 3986 section 3.2). */
export function validHost(buffer: Uint8Array, start: number, end: number): boolean {
  if (start === end) return false;
  const literal = buffer[start] === OPEN_BRACKET;
  let at = start;
  let closed = !literal;
  for (; at < end; at++) {
    const byte = buffer[at];
    if ((CLASS[byte] & HOST) === 0) return false;
    if (byte === CLOSE_BRACKET) {
      if (closed) return false;
      closed = true;
      at++;
      break;
    }
    if (byte === OPEN_BRACKET && at > start) return false;
    if (byte === COLON && !literal) break;
  }
  if (!closed || at === start) return false;
  if (at === end) return true;
  if (buffer[at] !== COLON) return false;
  for (at++; at < end; at++) if (buffer[at] < 48 || buffer[at] > 57) return false;
  return true;
}

/**
 * Whether the name in a valid host is no longer than names can be: what is looked up label by label must
 * not be as long as a field may be. The port does not count.
 */
export function withinHostLimits(buffer: Uint8Array, start: number, end: number): boolean {
  // Port and brackets are short: most hosts need no closer look.
  if (end - start <= LONGEST_LABEL) return true;
  let label = 0;
  let at = start;
  const literal = buffer[start] === OPEN_BRACKET;
  for (; at < end; at++) {
    const byte = buffer[at];
    if (byte === COLON && !literal) break;
    if (at - start >= LONGEST_HOST) return false;
    label = byte === DOT ? 0 : label + 1;
    if (label > LONGEST_LABEL) return false;
  }
  return end - at <= LONGEST_PORT;
}
