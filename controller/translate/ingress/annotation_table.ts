/** How an annotation of ingress-nginx is met. */
export interface AnnotationSupport {
  readonly name: string;
  /** "yes"; "other way", which `note` names; "no". */
  readonly support: "yes" | "other way" | "no";
  /** Whether an Ingress that has it would be more open without it: it is closed then. */
  readonly restricts: boolean;
  readonly note: string;
  /** Values with which it asks for nothing. */
  readonly neutral?: RegExp;
}

/** Prefix of the annotations. */
export const PREFIX = "nginx.ingress.kubernetes.io/";

const yes = (name: string, note = ""): AnnotationSupport => ({
  name,
  support: "yes",
  restricts: false,
  note,
});
const other = (name: string, note: string): AnnotationSupport => ({
  name,
  support: "other way",
  restricts: false,
  note,
});
const no = (name: string, note = ""): AnnotationSupport => ({
  name,
  support: "no",
  restricts: false,
  note,
});
/** Not served, and what it restricts must not be open. */
const closed = (name: string, note = "", neutral?: RegExp): AnnotationSupport => ({
  ...no(name, note),
  restricts: true,
  ...(neutral === undefined ? {} : { neutral }),
});
const OFF = /^(false|off|0)$/i;

/** The annotations that people use, each with what becomes of it; docs/ingress.md shows them. */
export const ANNOTATIONS: readonly AnnotationSupport[] = [
  yes("app-root"),
  yes("rewrite-target", "with groups of the path: $1 to $9"),
  yes("use-regex"),
  yes("ssl-redirect", "on by default for hosts with TLS, 308"),
  yes("force-ssl-redirect"),
  yes("permanent-redirect"),
  yes("permanent-redirect-code"),
  yes("temporal-redirect"),
  yes("temporal-redirect-code"),
  yes("proxy-body-size", "no limit without it"),
  yes("proxy-connect-timeout", "seconds"),
  yes("proxy-read-timeout", "seconds without a byte of the backend"),
  yes("proxy-send-timeout", "as proxy-read-timeout; the longer one counts"),
  yes("backend-protocol", "HTTP, HTTPS, GRPC, GRPCS"),
  yes("proxy-ssl-verify", "off by default, as in ingress-nginx"),
  yes("proxy-ssl-secret", "namespace/name; ca.crt, and tls.crt with tls.key"),
  yes("proxy-ssl-name"),
  yes("affinity", "cookie"),
  yes("session-cookie-name"),
  yes("session-cookie-path"),
  yes("session-cookie-max-age"),
  yes("session-cookie-samesite"),
  yes("session-cookie-secure"),
  yes("upstream-hash-by", "$request_uri, $remote_addr, $http_NAME, $cookie_NAME, $arg_NAME"),
  yes("load-balance", "round_robin, ewma"),
  yes("upstream-vhost"),
  yes("x-forwarded-prefix"),
  yes("auth-type", "basic"),
  yes("auth-secret", "in the Ingress's namespace"),
  yes("auth-secret-type", "auth-file"),
  yes("auth-realm"),
  yes("auth-url"),
  yes("auth-signin"),
  yes("auth-response-headers"),
  yes("enable-cors"),
  yes("cors-allow-origin"),
  yes("cors-allow-methods"),
  yes("cors-allow-headers"),
  yes("cors-allow-credentials"),
  yes("cors-expose-headers"),
  yes("cors-max-age"),
  yes("limit-rps"),
  yes("limit-rpm"),
  yes("limit-burst-multiplier"),
  yes("whitelist-source-range"),
  yes("allowlist-source-range"),
  yes("denylist-source-range"),
  yes("canary"),
  yes("canary-weight"),
  yes("canary-weight-total"),
  yes("canary-by-header"),
  yes("canary-by-header-value"),
  yes("canary-by-header-pattern"),
  yes("canary-by-cookie"),
  yes(
    "service-upstream",
    "endpoints are met directly; the Service's own policies hold all the same",
  ),
  other("server-alias", "write the host as a rule"),
  other("from-to-www-redirect", "an HTTPRoute with a RequestRedirect filter"),
  other("default-backend", "spec.defaultBackend"),
  other("custom-http-errors", "spec.customErrorPages of a ProxyGateway"),
  other("mirror-target", "an HTTPRoute with a RequestMirror filter"),
  other("custom-headers", "an HTTPRoute with a ResponseHeaderModifier filter"),
  other("proxy-next-upstream", "retry of an HTTPRoute; what is safe is sent again once anyway"),
  other("proxy-next-upstream-tries", "retry of an HTTPRoute"),
  other("proxy-next-upstream-timeout", "retry of an HTTPRoute"),
  other("proxy-request-buffering", "spec.rules[].buffering of a ProxyRoute"),
  other("proxy-buffering", "spec.rules[].buffering of a ProxyRoute"),
  other("proxy-buffer-size", "heads up to the limits in docs/limits.md pass"),
  other("enable-access-log", "spec.accessLog of a ProxyGateway"),
  no("proxy-cookie-domain"),
  no("proxy-cookie-path"),
  no("proxy-redirect-from"),
  no("proxy-redirect-to"),
  no("affinity-mode", "clients keep their endpoint as long as it is there"),
  no("session-cookie-expires", "session-cookie-max-age says the same"),
  no("limit-whitelist", "the limit holds for everybody"),
  no("http2-push-preload"),
  closed("auth-method", "", /^GET$/i),
  closed("auth-snippet"),
  no("auth-cache-key", "the server is asked for each request"),
  no("auth-keepalive", "each question has its own connection, or one of the pool"),
  closed("auth-proxy-set-headers"),
  no("auth-request-redirect", "the server gets X-Forwarded-Uri"),
  no("auth-always-set-cookie", "Set-Cookie of a 2xx goes to the client"),
  closed("enable-global-auth", "", /^(true|false)$/i),
  closed("satisfy", "", /^all$/i),
  closed("auth-tls-secret"),
  closed("auth-tls-verify-client", "", OFF),
  closed("auth-tls-verify-depth"),
  closed("auth-tls-error-page"),
  closed("auth-tls-match-cn"),
  closed("auth-tls-pass-certificate-to-upstream"),
  closed("limit-connections", "", OFF),
  closed("limit-rate", "", OFF),
  closed("limit-rate-after", "", OFF),
  yes(
    "configuration-snippet",
    "proxy_set_header, add_header, more_set_headers, more_clear_headers, proxy_hide_header with fixed values; else 503",
  ),
  closed("server-snippet", "text of another program's configuration is never taken"),
  closed("stream-snippet", "text of another program's configuration is never taken"),
  closed("modsecurity-snippet", "", OFF),
  closed("enable-modsecurity", "", OFF),
  closed("enable-owasp-core-rules", "", OFF),
  closed("ssl-passthrough", "", OFF),
  closed("ssl-ciphers"),
  closed("proxy-ssl-protocols"),
  closed("proxy-ssl-verify-depth"),
  closed("global-rate-limit", "", OFF),
  closed("global-rate-limit-window"),
];

const BY_NAME = new Map(ANNOTATIONS.map((annotation) => [annotation.name, annotation]));

/** Beginnings of names of annotations that restrict, also of those that are in no list. */
export const RESTRICTING = /^(auth-|whitelist-|allowlist-|denylist-|limit-|.*-snippet$)/;

/** What is known of an annotation; of one that is in no list, whether its name says that it restricts. */
export function supportOf(name: string): AnnotationSupport {
  return BY_NAME.get(name) ?? { ...no(name), restricts: RESTRICTING.test(name) };
}
