import type { Buffer } from "node:buffer";
import type { ResponseHead } from "../message/response_head.ts";
import type { ClientShare } from "../loop/client_shares.ts";
import type { Contained } from "../loop/containment.ts";
import type { ProxyEndpoint } from "../net/proxy_protocol.ts";

/** Why an exchange with a backend failed. */
export type UpstreamFailure =
  | "connect_failed"
  | "connect_timeout"
  | "upstream_tls"
  /** The backend proved that it did not process the request. */
  | "upstream_refused"
  | "upstream_reset"
  | "upstream_protocol"
  | "response_timeout"
  | "upstream_stalled"
  | "pending_timeout";

/** Who uses a stream: one exchange. */
export interface UpstreamUser extends Contained {
  /** The client whose request it is, null for requests of the gateway's own. */
  readonly share: ClientShare | null;
  /** Whether the client, and not the backend, keeps the exchange from ending. */
  readonly stalled: boolean;
  /** Ends the exchange because others wait for what its client holds. */
  evict(): void;
  /** The method of the request as sent, which decides whether the answer has a body. */
  readonly upstreamMethod: string;
  /**
   * Whether the backend reads the content of a request whatever its method: after a GET whose content it
   * leaves unread, it would take that for the next request.
   */
  readonly contentExpected: boolean;
  /** Token that the request asks to upgrade to, "" for none. */
  readonly upgrade: string;
  /** Milliseconds that the backend may go without a byte, 0 for the standard. */
  readonly idleTimeout: number;
  /** Milliseconds from the end of the request until the response begins, Infinity without a limit. */
  readonly responseTimeout: number;
  /** The client and what it connected to, for a PROXY header. */
  proxySource(): ProxyEndpoint;
  proxyDestination(): ProxyEndpoint;
  /** The pool gives a stream; the user sends its request now. */
  onStream(stream: UpstreamStream): void;
  /** An interim head (1xx but 101); views are valid during the call. */
  onInterim(head: ResponseHead): void;
  /**
   * The head, with the body bytes that came with it. `more` says that another call follows in the same
   * turn, so that small writes can be joined.
   */
  onResponse(head: ResponseHead, body: Buffer | null, ended: boolean, more: boolean): void;
  onResponseBody(body: Buffer | null, ended: boolean, more: boolean): void;
  /** The answer ends, with trailer lines. */
  onResponseTrailers(lines: Buffer): void;
  /** The 101 that was asked for, with what came behind it: bytes flow freely from here on. */
  onUpgraded(head: ResponseHead, rest: Buffer | null): void;
  /** The stream takes request bytes again. */
  onUpstreamDrain(): void;
  /** No answer, or the rest of it, will come. `answered`: bytes of an answer had arrived. */
  onUpstreamFailure(failure: UpstreamFailure, answered: boolean, detail: string): void;
}

/** One exchange with a backend, whichever protocol version its connection speaks. */
export interface UpstreamStream {
  /** Whether the connection had served before. */
  readonly reused: boolean;
  /**
   * Sends a request.
   * @param head as `writeRequest` makes it
   * @param body first bytes of the body, valid during the call
   * @param unsized the body has no Content-Length
   * @param ended nothing of the body follows
   * @returns false to ask for `onUpstreamDrain` before more
   */
  send(head: Buffer, body: Buffer | null, unsized: boolean, ended: boolean): boolean;
  sendBody(body: Buffer | null, ended: boolean): boolean;
  /** Ends the request with trailer lines. */
  sendTrailers(lines: Buffer): void;
  /** Stops and restarts the flow of response bytes. */
  pause(): void;
  resume(): void;
  /** The user does not want the rest; it is not called again. */
  abandon(): void;
}
