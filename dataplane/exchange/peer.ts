import type { ClientShare } from "../loop/client_shares.ts";
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
  /** Version of TLS, as "TLSv1.3"; "" without TLS. */
  readonly tlsVersion: string;
  /** What it holds of what all clients share. */
  readonly share: ClientShare;
}

/** What a listener adds to the peer's own facts. */
export interface PeerSettings {
  /** Held by the connection as long as it is open. */
  readonly share: ClientShare;
  readonly scheme: "http" | "https";
  readonly port: number;
  /** Field lines about the client's certificate, CRLF included, or "". */
  readonly certificateFields: string;
}

/** The peer of an accepted connection. */
export function peerOf(connection: Connection, settings: PeerSettings): Peer {
  return new ConnectionPeer(connection, settings);
}

/** What only requests need is made for the first one: many connections end without any. */
class ConnectionPeer implements Peer {
  readonly address: string;
  readonly port: number;
  readonly tlsListener: string | null;
  readonly tlsVersion: string;
  readonly #connection: Connection;
  readonly #settings: PeerSettings;
  #label = "";
  #fields: Uint8Array | null = null;

  constructor(connection: Connection, settings: PeerSettings) {
    this.address = connection.remoteAddress;
    this.port = connection.remotePort;
    this.tlsListener = connection.tls?.listener ?? null;
    this.tlsVersion = connection.tls?.protocol ?? "";
    this.#connection = connection;
    this.#settings = settings;
  }

  get label(): string {
    const { address, port } = this;
    return this.#label ||= address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
  }

  get fields(): Uint8Array {
    const { address } = this;
    const { scheme, port, certificateFields } = this.#settings;
    return this.#fields ??= ascii(
      `x-forwarded-for: ${address}\r\nx-real-ip: ${address}\r\n` +
        `x-forwarded-proto: ${scheme}\r\nx-forwarded-port: ${port}\r\n${certificateFields}`,
    );
  }

  get scheme(): "http" | "https" {
    return this.#settings.scheme;
  }

  get share(): ClientShare {
    return this.#settings.share;
  }

  get listenerPort(): number {
    return this.#settings.port;
  }

  get certificateFields(): string {
    return this.#settings.certificateFields;
  }

  destination(): ProxyEndpoint {
    const { localAddress, localPort } = this.#connection;
    return { address: localAddress, port: localPort };
  }
}
