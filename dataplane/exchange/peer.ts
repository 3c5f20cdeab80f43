import { ascii } from "../message/bytes.ts";
import type { ProxyEndpoint } from "../net/proxy_protocol.ts";
import type { Connection } from "../net/transport.ts";

/** Who is at the other end of a client's connection, as every request on it is told to backends. */
export interface Peer {
  /** "address:port", for logs. */
  readonly label: string;
  readonly address: string;
  readonly port: number;
  /** What it connected to. */
  destination(): ProxyEndpoint;
  /** Field lines that tell a backend who the client is, CRLF included. */
  readonly fields: Uint8Array;
  readonly scheme: "http" | "https";
  /** The listener's port. */
  readonly listenerPort: number;
  /** Field lines about the client's certificate, CRLF included, or "". */
  readonly certificateFields: string;
  /** Listener that TLS selected, null without TLS. */
  readonly tlsListener: string | null;
}

/** What a listener adds to the peer's own facts. */
export interface PeerSettings {
  readonly scheme: "http" | "https";
  readonly port: number;
  /** Field lines about the client's certificate, CRLF included, or "". */
  readonly certificateFields: string;
}

/** The peer of an accepted connection. */
export function peerOf(connection: Connection, settings: PeerSettings): Peer {
  const { remoteAddress, remotePort, tls } = connection;
  return {
    label: remoteAddress.includes(":")
      ? `[${remoteAddress}]:${remotePort}`
      : `${remoteAddress}:${remotePort}`,
    address: remoteAddress,
    port: remotePort,
    destination: () => ({ address: connection.localAddress, port: connection.localPort }),
    fields: ascii(
      `x-forwarded-for: ${remoteAddress}\r\nx-real-ip: ${remoteAddress}\r\n` +
        `x-forwarded-proto: ${settings.scheme}\r\nx-forwarded-port: ${settings.port}\r\n` +
        settings.certificateFields,
    ),
    scheme: settings.scheme,
    listenerPort: settings.port,
    certificateFields: settings.certificateFields,
    tlsListener: tls === null ? null : tls.listener,
  };
}
