import type { UrlTemplate } from "../../common/url_template.ts";
import { hostName } from "./host.ts";
import { modifyPath, type PathModifier } from "./path_modifier.ts";

/** Where a rule sends its clients; what is empty stays as in the request. */
export interface RequestRedirect {
  readonly status: number;
  /** Complete target, "" to build it from the parts. */
  readonly url: string;
  /** The same where it has variables, else null. */
  readonly template: UrlTemplate | null;
  readonly scheme: string;
  readonly hostname: string;
  /** 0: the scheme's own when the scheme is given, else the one that the client asked. */
  readonly port: number;
  /** Instead of that one the listener's, as the Gateway API has it. */
  readonly listenerPort: boolean;
  readonly path: PathModifier | null;
}

/** By which address a client asked. */
export interface AskedAddress {
  readonly scheme: string;
  /** As sent by the client, with its port if it has one. */
  readonly host: string;
  /** Port that the client connected to, by what it wrote. */
  readonly port: number;
  readonly listenerPort: number;
}

/** What a redirect is built from. */
export interface RedirectedRequest {
  readonly origin: AskedAddress;
  /** Canonical path, with `//` merged. */
  readonly path: string;
  /** Without "?", "" for none. */
  readonly query: string;
  /** Prefix that the rule matched, "/" for others. */
  readonly matched: string;
  readonly method: string;
}

const STANDARD_PORTS: Readonly<Record<string, number>> = { http: 80, https: 443 };

/** A scheme, a host name and a port as the beginning of a URL. */
export function urlOrigin(scheme: string, name: string, port: number): string {
  return port === 0 || port === STANDARD_PORTS[scheme]
    ? `${scheme}://${name}`
    : `${scheme}://${name}:${port}`;
}

/** The Location of a redirect (RFC 9110 section 10.2.2); null when its path cannot be made. */
export function redirectLocation(
  redirect: RequestRedirect,
  { origin, path: asked, query, matched, method }: RedirectedRequest,
): string | null {
  if (redirect.template !== null) {
    return redirect.template({ ...origin, method, path: asked, query });
  }
  if (redirect.url !== "") return redirect.url;
  const scheme = redirect.scheme || origin.scheme;
  const name = redirect.hostname || hostName(origin.host);
  const kept = redirect.listenerPort ? origin.listenerPort : origin.port;
  const port = redirect.port || (redirect.scheme === "" ? kept : STANDARD_PORTS[scheme] ?? 0);
  const path = redirect.path === null ? asked : modifyPath(redirect.path, asked, matched);
  if (path === null) return null;
  return `${urlOrigin(scheme, name, port)}${path}${query === "" ? "" : `?${query}`}`;
}
