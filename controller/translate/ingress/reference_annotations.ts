/** How annotations of `novaedge.io/` are read: as those of ingress-nginx that say the same. */
const SAME: Readonly<Record<string, string>> = {
  "rewrite-target": "rewrite-target",
  "use-regex": "use-regex",
  "ssl-redirect": "ssl-redirect",
  "force-ssl-redirect": "force-ssl-redirect",
  "backend-protocol": "backend-protocol",
  "proxy-connect-timeout": "proxy-connect-timeout",
  "proxy-read-timeout": "proxy-read-timeout",
  "proxy-send-timeout": "proxy-send-timeout",
  "proxy-body-size": "proxy-body-size",
  "whitelist-source-range": "whitelist-source-range",
  "upstream-hash-by": "upstream-hash-by",
  "rate-limit-rps": "limit-rps",
  "cors": "enable-cors",
  "cors-allow-origins": "cors-allow-origin",
  "cors-allow-methods": "cors-allow-methods",
  "cors-allow-headers": "cors-allow-headers",
  "cors-allow-credentials": "cors-allow-credentials",
  "cors-expose-headers": "cors-expose-headers",
  "cors-max-age": "cors-max-age",
  "session-affinity": "affinity",
  "session-affinity-cookie-name": "session-cookie-name",
  "session-affinity-cookie-ttl": "session-cookie-max-age",
  "canary-weight": "canary-weight",
  "canary-header": "canary-by-header",
  "canary-header-value": "canary-by-header-value",
};
const PREFIX = "novaedge.io/";
const DURATION = /^(\d{1,6})(s|m|h)$/;
const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 };

/** Names of annotations of `novaedge.io/` that are read, for documentation. */
export const REFERENCE_NAMES: readonly string[] = Object.keys(SAME);

/** An annotation of `novaedge.io/` as one of ingress-nginx says it; null for any other. */
export function referenceAnnotation(
  key: string,
  value: string,
): { readonly name: string; readonly value: string } | null {
  if (!key.startsWith(PREFIX)) return null;
  const own = key.slice(PREFIX.length);
  const name = Object.hasOwn(SAME, own) ? SAME[own] : own;
  // Times are durations there and seconds here.
  const duration = /timeout$|ttl$|max-age$/.test(own) ? DURATION.exec(value.trim()) : null;
  return {
    name,
    value: duration === null ? value : String(Number(duration[1]) * SECONDS[duration[2]]),
  };
}
