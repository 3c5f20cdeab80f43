import { Buffer } from "node:buffer";

/** What a client of HTTP/2 sends first (RFC 9113 section 3.4). */
export const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

/** How the bytes from `at` compare with the preface; one byte of a POST is not a partial preface. */
export function prefaceMatch(view: Uint8Array, at: number): "complete" | "partial" | "none" {
  const length = Math.min(PREFACE.length, view.length - at);
  for (let i = 0; i < length; i++) if (view[at + i] !== PREFACE[i]) return "none";
  return length === PREFACE.length ? "complete" : length > 0 ? "partial" : "none";
}
