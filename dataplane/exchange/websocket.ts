import { Buffer } from "node:buffer";
import { createHash, randomBytes } from "node:crypto";
import type { ResponseHead } from "../message/response_head.ts";

/** The fixed string of the opening handshake (RFC 6455 section 1.3). */
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** A Sec-WebSocket-Key for a client whose protocol has none (RFC 8441 section 5.1). */
export function webSocketKey(): string {
  return randomBytes(16).toString("base64");
}

/** Whether a 101 answers the handshake of `key`. */
export function acceptsWebSocket({ block }: ResponseHead, key: string): boolean {
  const expected = createHash("sha1").update(Buffer.from(key + GUID)).digest("base64");
  return block.get("sec-websocket-accept") === expected;
}
