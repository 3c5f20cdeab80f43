import type { FieldEdit } from "../message/field_edit.ts";
import type { ClientShare } from "../loop/client_shares.ts";
import type { Refusal } from "../observe/refusal.ts";
import type { RouteRequest } from "../router/compiled.ts";

/** Claims of a token that was verified. */
export type Claims = Readonly<Record<string, unknown>>;

/** Who asked, and by which address: what the connection shows, or what a trusted peer says of it. */
export interface RequestOrigin {
  /** Address of the client. */
  readonly client: string;
  readonly scheme: "http" | "https";
  /** As the client wrote it, with its port if it wrote one. */
  readonly host: string;
  /** Port that the client connected to, by what it wrote. */
  readonly port: number;
  /** The port of the listener, or that of the proxy which the client connected to. */
  readonly listenerPort: number;
}

/** A request as policies see it, and what they may do to it. */
export interface PolicyRequest extends RouteRequest {
  readonly host: string;
  /** The target that backends see: canonical path and query. */
  target(): string;
  /** Takes a parameter out of the query that backends see. */
  dropParameter(name: string): void;
  origin(): RequestOrigin;
  /** Bytes of the body, 0 when the head does not say. */
  readonly contentLength: number;
  /** What its client holds of what all share. */
  readonly share: ClientShare;
  /** Claims of its token, null until one was verified. */
  claims: Claims | null;
  /** Address of the other end of the connection. */
  peerAddress(): string;
  /** Whether the other end may speak for clients. */
  peerTrusted(): boolean;
  /** Name in lower case and value of each field that is forwarded. */
  fields(): Iterable<readonly [string, string]>;
  /** Changes the fields that the backend gets, behind the changes before. */
  changeRequest(edit: FieldEdit): void;
  /** Changes the fields of the answer, whoever gives it. */
  changeAnswer(edit: FieldEdit): void;
  /** The body must not be longer. */
  limitBody(bytes: number): void;
  /** The backend may go without a byte as long, unless the rule says otherwise. */
  limitIdle(milliseconds: number): void;
}

/** Null lets the request pass. */
export type Verdict = Refusal | null | Promise<Refusal | null>;

/** One thing that requests must meet. */
export interface RequestCheck {
  check(request: PolicyRequest): Verdict;
}

/** Something that adds to every answer, our own included. */
export interface AnswerChange {
  prepare(request: PolicyRequest): void;
}
