import { once } from "node:events";
import net from "node:net";
import tls from "node:tls";
import type { UpstreamGuard } from "./upstream_guard.ts";

/** A server to connect to. */
export interface GuardedTarget {
  /** An address, or a name to look up. */
  readonly host: string;
  readonly port: number;
  /** Null in the clear; certificates are verified for the name. */
  readonly tls: { readonly servername: string } | null;
}

/**
 * Opens a connection for a library that speaks over it, to where connections may lead.
 * @throws when the address is forbidden, before a byte is sent; when nobody answers, or the signal is aborted
 */
export async function connectGuarded(
  { host, port, tls: secure }: GuardedTarget,
  guard: UpstreamGuard,
  signal: AbortSignal,
): Promise<net.Socket> {
  if (guard.forbids(host)) throw forbidden();
  const socket = net.connect({ host, port, noDelay: true });
  try {
    await once(socket, "connect", { signal });
    if (guard.forbids(socket.remoteAddress ?? "")) throw forbidden();
    if (secure === null) return socket;
    // An address is no name that TLS could carry.
    const servername = net.isIP(secure.servername) === 0 ? secure.servername : "";
    const secured = tls.connect({ socket, host: secure.servername, servername });
    await once(secured, "secureConnect", { signal });
    return secured;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

function forbidden(): Error {
  return new Error("connections to this address are not allowed");
}
