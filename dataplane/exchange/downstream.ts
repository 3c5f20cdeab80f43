import type { Buffer } from "node:buffer";
import type { LocalAnswer } from "../message/local_answer.ts";
import type { ResponseHead } from "../message/response_head.ts";
import type { Contained } from "../loop/containment.ts";
import type { Peer } from "./peer.ts";

/** The client's side of one exchange, whichever protocol it speaks. */
export interface Downstream extends Contained {
  /** Who the client is; the same for all exchanges of a connection. */
  readonly peer: Peer;
  /** Passes on an interim head (1xx). */
  sendInterim(head: ResponseHead): void;
  /** Passes on a head with the body bytes at hand; returns false when the client must drain first. */
  sendHead(head: ResponseHead, body: Buffer | null, ended: boolean, more: boolean): boolean;
  sendBody(body: Buffer | null, ended: boolean, more: boolean): boolean;
  /** Ends the answer with trailer lines. */
  sendTrailers(lines: Buffer): void;
  /** Passes on the 101 of a backend; what is sent from here on is the other protocol's. */
  sendUpgrade(head: ResponseHead, rest: Buffer | null): boolean;
  /** Answers without a backend. Returns the bytes of the answer. */
  sendLocal(answer: LocalAnswer): number;
  /** Cuts the answer so that the client can tell. `byClient`: for what the client did. */
  cut(byClient?: boolean): void;
  /** Stops and restarts the flow of request bytes. */
  pauseRequest(): void;
  resumeRequest(): void;
  /** The exchange is over; the connection may go on with the next. */
  exchangeDone(): void;
}
