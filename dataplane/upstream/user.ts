import type { Buffer } from "node:buffer";
import type { ResponseHead } from "../http1/response_head.ts";
import type { UpstreamConnection } from "./upstream_connection.ts";

/** Why an exchange with a backend failed. */
export type UpstreamFailure =
  | "connect_failed"
  | "connect_timeout"
  | "upstream_reset"
  | "upstream_protocol"
  | "response_timeout"
  | "upstream_stalled"
  | "pending_timeout";

/** Who uses a connection to a backend: one exchange at a time. */
export interface UpstreamUser {
  /** The method of the request, which decides whether the answer has a body. */
  readonly method: string;
  /** The pool gives the connection; the user sends its request now. */
  onConnection(connection: UpstreamConnection): void;
  /** An interim head (1xx but 101); views are valid during the call. */
  onInterim(head: ResponseHead): void;
  /**
   * The head, with the body bytes that came with it. `more` says that another call follows in the same
   * turn, so that small writes can be joined.
   */
  onResponse(head: ResponseHead, body: Buffer | null, ended: boolean, more: boolean): void;
  onResponseBody(body: Buffer | null, ended: boolean, more: boolean): void;
  /** The connection takes request bytes again. */
  onUpstreamDrain(): void;
  /** No answer, or the rest of it, will come. `answered`: bytes of an answer had arrived. */
  onUpstreamFailure(failure: UpstreamFailure, answered: boolean): void;
}
