import { isIP } from "node:net";
import { FlagError } from "./flags.ts";

/** Host with an optional port, as in Host and in the authority of a URL (RFC 3986 section 3.2.2). */
const AUTHORITY = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::\d{0,5})?$/i;
const LOOPBACK = /^(?:127\.\d+\.\d+\.\d+|\[::1\]|\[::ffff:7f[0-9a-f]{2}:[0-9a-f]{1,4}\])$/;

/** Returns the normalized host of an authority, IPv6 in brackets; null when it has none. */
function hostOf(authority: string): string | null {
  const [, six, name] = AUTHORITY.exec(authority) ?? [];
  if (six !== undefined) return isIP(six) === 6 ? new URL(`http://[${six}]/`).hostname : null;
  return name === undefined ? null : name.toLowerCase().replace(/\.$/, "");
}

function isAddress(host: string): boolean {
  return host.startsWith("[") || isIP(host) === 4;
}

/**
 * Hosts that a server on a private address accepts. A page that makes its own name resolve to such an
 * address (DNS rebinding) sends that name as Host, and a browser lets no page change it. Ports are ignored:
 * a port forwarder may listen on any.
 */
export class HostAllowlist {
  readonly #hosts: ReadonlySet<string>;
  /** Whether the server is bound to every address of its machine. */
  readonly #everyAddress: boolean;

  /**
   * @param bound name or address that the server is bound to
   * @param more other names and addresses to accept
   * @throws {FlagError} for a text that is no host
   */
  constructor(bound: string, more: readonly string[] = []) {
    const address = isIP(bound) === 6 ? `[${bound}]` : bound;
    this.#everyAddress = ["0.0.0.0", "[::]"].includes(address);
    const hosts = [address, ...more].map((text) => {
      const host = hostOf(isIP(text) === 6 ? `[${text}]` : text);
      if (host === null) throw new FlagError(`"${text}" is not a host name or an IP address`);
      return host;
    });
    this.#hosts = new Set(["localhost", ...hosts]);
  }

  /** Returns whether requests may name this host, with or without a port. */
  allows(authority: string): boolean {
    const host = hostOf(authority);
    if (host === null) return false;
    if (this.#hosts.has(host) || LOOPBACK.test(host) && isAddress(host)) return true;
    // DNS rebinding needs a name: an address in Host is the address that the browser connected to.
    return this.#everyAddress && isAddress(host);
  }
}
