/** Why a request got the answer it got; the bounded label of logs and metrics. */
export const REASONS = [
  "ok",
  "bad_request_line",
  "not_http",
  "bad_header",
  "bad_framing",
  "bad_host",
  "bad_connection",
  "bad_version",
  "bad_path",
  "bad_chunk",
  "too_many_headers",
  "head_too_large",
  "target_too_long",
  "expectation",
  "head_timeout",
  "body_timeout",
  "client_gone",
  "client_stalled",
  "body_too_large",
  "overload",
  "redirect",
  "connect_unsupported",
  "trace_refused",
  "misdirected",
  "no_listener",
  "no_route",
  "listener_closed",
  "route_closed",
  "backend_missing",
  "backend_closed",
  "no_endpoints",
  "pending_overflow",
  "pending_timeout",
  "connect_failed",
  "connect_timeout",
  "upstream_tls",
  "upstream_refused",
  "upstream_reset",
  "upstream_protocol",
  "response_timeout",
  "upstream_stalled",
  "request_timeout",
  "tunnel_ended",
] as const;

export type Reason = (typeof REASONS)[number];

/** Position of each reason in `REASONS`. */
export const REASON_INDEX = Object.fromEntries(REASONS.map((reason, i) => [reason, i])) as Readonly<
  Record<Reason, number>
>;
