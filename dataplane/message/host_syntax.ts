import { CLASS, COLON, HOST } from "./bytes.ts";

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
