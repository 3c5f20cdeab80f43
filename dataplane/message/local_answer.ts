import { latin1 } from "./bytes.ts";
import type { FieldEdit } from "./field_edit.ts";

/** An answer that the gateway gives itself, before it takes the form of a protocol version. */
export interface LocalAnswer {
  readonly status: number;
  /** Why; the text of the body where there is no other. */
  readonly reason: string;
  /** Text of the body, Latin-1. */
  readonly body?: string;
  /** Names in lower case with their values, beside date and content-length. */
  readonly fields: readonly (readonly [string, string])[];
  /** Whether its fields are another server's, so that changes may remove some. */
  readonly passedOn?: boolean;
}

const PLAIN: LocalAnswer["fields"] = [["content-type", "text/plain"]];
const RETRY: LocalAnswer["fields"] = [["content-type", "text/plain"], ["retry-after", "1"]];
const ALLOW: LocalAnswer["fields"] = [
  ["content-type", "text/plain"],
  ["allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"],
];

/** The answer for a refused or failed request. */
export function refusalAnswer(status: number, reason: string): LocalAnswer {
  return { status, reason, fields: status === 503 ? RETRY : status === 405 ? ALLOW : PLAIN };
}

/** The same answer with its fields changed. */
export function withFields(answer: LocalAnswer, edits: readonly FieldEdit[]): LocalAnswer {
  if (edits.length === 0) return answer;
  let given = answer.fields;
  let added: [string, string][] = [];
  for (const { removed, lines } of edits) {
    if (answer.passedOn === true) given = given.filter(([name]) => !removed.has(name));
    added = added.filter(([name]) => !removed.has(name));
    for (const line of latin1(lines).split("\r\n")) {
      const colon = line.indexOf(":");
      if (colon > 0) added.push([line.slice(0, colon), line.slice(colon + 1).trim()]);
    }
  }
  return { ...answer, fields: [...given, ...added] };
}

/** A redirect to another place. */
export function redirectAnswer(status: number, reason: string, location: string): LocalAnswer {
  return { status, reason, fields: [["content-type", "text/plain"], ["location", location]] };
}

/** gRPC status codes that the gateway itself answers with. */
const GRPC_STATUS: Readonly<Record<number, number>> = {
  400: 13, // INTERNAL
  401: 16, // UNAUTHENTICATED
  403: 7, // PERMISSION_DENIED
  404: 12, // UNIMPLEMENTED
  408: 1, // CANCELLED
  429: 14,
  431: 8, // RESOURCE_EXHAUSTED
  502: 14,
  503: 14, // UNAVAILABLE
  504: 4, // DEADLINE_EXCEEDED
};

/**
 * The same answer for a gRPC client: HTTP 200 with the status in the fields of an answer that consists
 * of trailers only (gRPC over HTTP/2, "Responses"). A backend that is missing is a matter of
 * configuration that may pass: UNAVAILABLE.
 */
export function grpcAnswer({ status, reason }: LocalAnswer): LocalAnswer {
  const code = GRPC_STATUS[status] ?? (status >= 500 ? 14 : 2);
  return {
    status: 200,
    reason: "",
    fields: [
      ["content-type", "application/grpc"],
      ["grpc-status", String(code)],
      ["grpc-message", reason],
    ],
  };
}

/** The line that tells the length of the body; none with a status that has no body (RFC 9110 section 8.6). */
export function lengthLine(answer: LocalAnswer): string {
  const { status } = answer;
  return status === 204 || status === 304 ? "" : `content-length: ${bodyOf(answer).length}\r\n`;
}

/** Text of the body, Latin-1. */
export function bodyOf({ status, reason, body }: LocalAnswer): string {
  if (body !== undefined) return body;
  return reason === "" ? "" : `${status} ${reason}\n`;
}
