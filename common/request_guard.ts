import type { HostAllowlist } from "./host_allowlist.ts";

/** Values of Sec-Fetch-Site for requests by the server's own pages and by the address bar. */
const OWN_SITE = new Set(["same-origin", "none"]);

/**
 * Returns 421 for a request whose host is not in the list (DNS rebinding), null when it may be served.
 * Checks the Host field and the authority of an absolute target or of HTTP/2. A request without Host is
 * served: every browser sends one.
 */
export function hostRefusal(request: Request, hosts: HostAllowlist): Response | null {
  const host = request.headers.get("host");
  const authority = URL.canParse(request.url) ? authorityOf(new URL(request.url)) : "";
  for (const named of host === null ? [authority] : [host, authority]) {
    if (hosts.allows(named)) continue;
    const shown = JSON.stringify(named.slice(0, 255));
    return refusal(
      421,
      `the host ${shown} is not served here: use localhost or the address that this server is ` +
        "bound to; the agent's --admin-hosts allows other names for the admin API",
    );
  }
  return null;
}

/**
 * Returns 403 for a cross-origin request of a page, null when the request may be served. Browsers send Origin
 * with every method but GET and HEAD, and with every CORS request (Fetch, section 3.2); current ones send
 * Sec-Fetch-Site with every request.
 */
export function originRefusal(request: Request): Response | null {
  const { headers } = request;
  const origin = headers.get("origin");
  if (origin !== null && !isOwnOrigin(origin, headers.get("host"), request.url)) {
    return refusal(403, "cross-origin requests are refused");
  }
  const site = headers.get("sec-fetch-site");
  if (site !== null && !OWN_SITE.has(site.toLowerCase())) {
    return refusal(403, "cross-site requests are refused: open the address directly");
  }
  return null;
}

function refusal(status: number, text: string): Response {
  return new Response(`${text}\n`, {
    status,
    headers: { "content-type": "text/plain; charset=utf-8", "x-content-type-options": "nosniff" },
  });
}

function authorityOf({ host, username, password }: URL): string {
  return username === "" && password === "" ? host : "";
}

/** Returns whether an origin has the request's host and port; a TLS proxy in between may change the scheme. */
function isOwnOrigin(origin: string, host: string | null, url: string): boolean {
  if (!/^https?:\/\/[^/]+$/i.test(origin) || !URL.canParse(origin)) return false;
  const { protocol, host: theirs } = new URL(origin);
  const asked = `${protocol}//${host ?? new URL(url).host}`;
  return URL.canParse(asked) && new URL(asked).host === theirs;
}
