import { hostName } from "./host.ts";
import { modifyPath, type PathModifier } from "./path_modifier.ts";

/** Where a rule sends its clients; what is empty stays as in the request. */
export interface RequestRedirect {
  readonly status: number;
  /** Complete target, "" to build it from the parts. */
  readonly url: string;
  readonly scheme: string;
  readonly hostname: string;
  /** 0: the scheme's own when the scheme is given, else the listener's. */
  readonly port: number;
  readonly path: PathModifier | null;
}

/** What a redirect is built from. */
export interface RedirectedRequest {
  readonly scheme: string;
  /** As sent by the client. */
  readonly host: string;
  readonly listenerPort: number;
  /** Canonical path, with `//` merged. */
  readonly path: string;
  /** Without "?", "" for none. */
  readonly query: string;
  /** Prefix that the rule matched, "/" for others. */
  readonly matched: string;
}

const STANDARD_PORTS: Readonly<Record<string, number>> = { http: 80, https: 443 };

/** The Location of a redirect (RFC 9110 section 10.2.2); null when its path cannot be made. */
export function redirectLocation(
  redirect: RequestRedirect,
  request: RedirectedRequest,
): string | null {
  if (redirect.url !== "") return redirect.url;
  const scheme = redirect.scheme || request.scheme;
  const host = redirect.hostname || hostName(request.host);
  const port = redirect.port ||
    (redirect.scheme === "" ? request.listenerPort : STANDARD_PORTS[scheme] ?? 0);
  const suffix = port === 0 || port === STANDARD_PORTS[scheme] ? "" : `:${port}`;
  const path = redirect.path === null
    ? request.path
    : modifyPath(redirect.path, request.path, request.matched);
  if (path === null) return null;
  return `${scheme}://${host}${suffix}${path}${request.query === "" ? "" : `?${request.query}`}`;
}
