import type { UpstreamFailure, UpstreamStream } from "../upstream/upstream_stream.ts";

/** Methods that may be sent again although the backend may have seen them. */
const RESENDABLE = new Set(["GET", "HEAD", "OPTIONS"]);

/** Status for a request that failed at the backend and is not sent again. */
export const FAILURE_STATUS: Readonly<Record<UpstreamFailure, number>> = {
  connect_failed: 502,
  connect_timeout: 504,
  upstream_tls: 502,
  upstream_refused: 502,
  upstream_reset: 502,
  upstream_protocol: 502,
  response_timeout: 504,
  upstream_stalled: 504,
  pending_timeout: 503,
};

/**
 * Without retry configuration a request goes out again on a fresh connection only if not a byte of it was
 * written, if the backend proved that it did not process it, or if it is a safe method without a body whose
 * reused connection closed before any byte of an answer.
 * @param stream on which it was sent, null when it was not
 * @param kept whether all of its body could be sent again
 */
export function mayResend(
  failure: UpstreamFailure,
  stream: UpstreamStream | null,
  method: string,
  hasBody: boolean,
  kept: boolean,
): boolean {
  if (stream === null) {
    return failure === "connect_failed" || failure === "connect_timeout" ||
      failure === "upstream_tls";
  }
  if (failure === "upstream_refused") return kept;
  return failure === "upstream_reset" && stream.reused && !hasBody && RESENDABLE.has(method);
}
