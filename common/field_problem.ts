const TOKEN = /^[A-Za-z0-9!#$%&'*+\-.^_`|~]+$/;
/** Control characters but HTAB, and white space at an end (RFC 9110 section 5.5). */
const NO_VALUE = /(?!\t)\p{Cc}|^[ \t]|[ \t]$/u;

/** Fields of framing and of the hop, which are the gateway's own business. */
const OF_THE_CONNECTION = new Set([
  "connection",
  "content-length",
  "http2-settings",
  "keep-alive",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** Why a configuration must not remove, add or set a header field like this; null when it may. */
export function fieldProblem(name: string, value = ""): string | null {
  if (!TOKEN.test(name)) return `not a field name: "${name}"`;
  if (OF_THE_CONNECTION.has(name.toLowerCase())) {
    return `${name} belongs to the connection and cannot be changed`;
  }
  return NO_VALUE.test(value) ? `the value of ${name} has characters that no field may have` : null;
}
