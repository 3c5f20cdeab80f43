import dns from "node:dns";
import net from "node:net";
import tls from "node:tls";
import { FORBIDDEN, type UpstreamGuard } from "./upstream_guard.ts";

/** A server that a library of somebody else's speaks to. */
export interface GuardedTarget {
  /** An address, or a name to look up. */
  readonly host: string;
  readonly port: number;
  /** Whom certificates must name in TLS; null in the clear. */
  readonly servername: string | null;
}

/** Opens a connection to where connections may lead; to anywhere else it fails before a packet is sent. */
export function openGuarded(
  { host, port, servername }: GuardedTarget,
  guard: UpstreamGuard,
): net.Socket {
  if (guard.forbids(host)) return new net.Socket().destroy(forbidden());
  const options = { host, port, noDelay: true, lookup: guardedLookup(guard) };
  if (servername === null) return net.connect(options);
  // TLS carries names only; without one the address that we connect to is verified.
  return tls.connect({ ...options, servername: net.isIP(servername) === 0 ? servername : "" });
}

/** Looks names up as the system does, and leaves out addresses that are forbidden. */
function guardedLookup(guard: UpstreamGuard): net.LookupFunction {
  return (name, options, done) =>
    dns.lookup(name, { ...options, all: true }, (error, found) => {
      if (error !== null) return done(error, []);
      const allowed = found.filter(({ address }) => !guard.forbids(address));
      if (allowed.length === 0) return done(forbidden(), []);
      if (options.all === true) done(null, allowed);
      else done(null, allowed[0].address, allowed[0].family);
    });
}

function forbidden(): Error {
  return new Error(FORBIDDEN);
}
