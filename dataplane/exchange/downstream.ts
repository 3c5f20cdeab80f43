import type { Buffer } from "node:buffer";
import type { ResponseHead } from "../http1/response_head.ts";

/** The client's side of one exchange, whichever protocol it speaks. */
export interface Downstream {
  /** Client address, "address:port". */
  readonly client: string;
  /** Field lines that tell the backend who the client is. */
  readonly peerFields: Uint8Array;
  /** Listener that TLS selected, null without TLS. */
  readonly tlsListener: string | null;
  /** Passes on an interim head (1xx). */
  sendInterim(head: ResponseHead): void;
  /** Passes on a head with the body bytes at hand; returns false when the client must drain first. */
  sendHead(head: ResponseHead, body: Buffer | null, ended: boolean, more: boolean): boolean;
  sendBody(body: Buffer | null, ended: boolean, more: boolean): boolean;
  /** Answers without a backend. Returns the bytes of the answer. */
  sendLocal(status: number, reason: string): number;
  /** Cuts the answer so that the client can tell. */
  cut(): void;
  /** Stops and restarts the flow of request bytes. */
  pauseRequest(): void;
  resumeRequest(): void;
  /** The exchange is over; the connection may go on with the next. */
  exchangeDone(): void;
}
