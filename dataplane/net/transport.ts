/**
 * The byte-pipe interface under the protocol engine. An engine is fed with bytes and hands out
 * bytes; it never sees a socket. One page in docs/architecture.md describes the contract.
 */
import type { Buffer } from "node:buffer";
import type { VerifySignature } from "./x509/verify_signature.ts";

/** What the TLS layer learned about a connection. */
export interface TlsFacts {
  /** Server name the client asked for, lower case, "" without SNI. */
  readonly serverName: string;
  /** Negotiated ALPN protocol, "" when none. */
  readonly alpn: string;
  /** Negotiated version, "TLSv1.2" or "TLSv1.3". */
  readonly protocol: string;
  /** Key of the listener whose certificate was served; "" on connections to backends. */
  readonly listener: string;
  /** Whether an earlier session was resumed. */
  readonly resumed: boolean;
  /**
   * Certificates that the client presented, in DER, its own first; empty for none. Possession of the key
   * was proven, nothing else was checked.
   */
  readonly peerChain: readonly Uint8Array[];
}

/** Receives what happens on a connection. Calls never overlap; `onClose` is the last, exactly once. */
export interface ConnectionEvents {
  /**
   * Bytes from the peer. `view` belongs to the transport, which uses the memory for the next read of any
   * connection; it may be passed to `write` of any connection before returning.
   */
  onData(view: Buffer): void;
  /** After `write` returned false: everything queued has been handed to the kernel. */
  onDrain(): void;
  /** The peer finished sending (FIN). The other direction stays usable. */
  onEnd(): void;
  /** The connection is gone; `error` is null after an orderly end. */
  onClose(error: Error | null): void;
}

/** Events receiver of a connection that nobody listens to any more. */
export const NOBODY: ConnectionEvents = {
  onData() {},
  onDrain() {},
  onEnd() {},
  onClose() {},
};

/** One established or connecting byte stream. */
export interface Connection {
  events: ConnectionEvents;
  readonly remoteAddress: string;
  readonly remotePort: number;
  /** Our own end. */
  readonly localAddress: string;
  readonly localPort: number;
  /** Null on plain connections, and until the handshake is complete. */
  readonly tls: TlsFacts | null;
  /** Whether bytes may still be sent; when they may not, what the peer sent before is still told. */
  readonly sendable: boolean;
  /** Queues bytes; the caller must not change them afterwards. False asks to wait for `onDrain`. */
  write(bytes: Uint8Array): boolean;
  /** Queues two pieces that leave together: a head and a body that is not worth copying behind it. */
  writeBoth(first: Uint8Array, second: Uint8Array): boolean;
  /** Stops `onData` until `resume`; the kernel's window then pushes back on the peer. */
  pause(): void;
  resume(): void;
  /** Sends FIN after what is queued. */
  end(): void;
  /** Drops the connection at once with RST: the peer can tell that the message was cut. */
  reset(): void;
  /** Closes without waiting for the peer. */
  close(): void;
}

/** A bound address. */
export interface BoundListener {
  readonly address: string;
  readonly port: number;
  /** Stops accepting; accepted connections stay. Resolves when the port is free. */
  close(): Promise<void>;
}

/** A certificate with its key, PEM. */
export interface TlsIdentity {
  readonly cert: Uint8Array;
  readonly key: Uint8Array;
  /** OCSP response (DER) to show with it where the transport can; null for none. */
  readonly ocspResponse: Uint8Array | null;
}

/** What a server name leads to. */
export interface TlsChoice {
  /** Key of the listener. */
  readonly listener: string;
  /** The certificate to present, and others with keys of other kinds; objects for as long as they are the same. */
  readonly identities: readonly [TlsIdentity, ...TlsIdentity[]];
  /** Oldest protocol version accepted. */
  readonly minVersion: "TLSv1.2" | "TLSv1.3";
  /** Whether the client is asked for a certificate. */
  readonly requestsCertificate: boolean;
  /** Whether a client without one is turned away within the handshake, by a transport that can. */
  readonly requiresCertificate: boolean;
  /** Suites that are offered, by their names in the registry of TLS; empty for the transport's own. */
  readonly cipherSuites: readonly string[];
  /** Groups of the key exchange, best first; empty for the transport's own. */
  readonly curves: readonly string[];
}

/** How a listener terminates TLS: asked anew for each handshake, so reload touches no connection. */
export interface TlsServerOptions {
  /** Protocols offered by ALPN, best first. */
  readonly alpn: readonly string[];
  /** What to serve for a server name ("" without SNI); null to fail the handshake. */
  choose(serverName: string): TlsChoice | null;
  /** Milliseconds until an unfinished handshake is dropped. */
  readonly handshakeTimeout: number;
  /**
   * Called for each handshake that failed.
   * @param reason in words, never with key material
   * @param client address
   * @param listener its key, "" while none is chosen
   */
  onHandshakeError(reason: string, client: string, listener: string): void;
}

/** From whom a listener takes PROXY headers: they must send one, nobody else may. */
export interface ProxyHeaderOptions {
  trusts(address: string): boolean;
  /** 1 or 2, or 0 for either. */
  readonly version: number;
  /** Milliseconds until a missing header ends the connection. */
  readonly timeout: number;
  onBadHeader(reason: string): void;
}

/** The place of one connection among those of its client. */
export interface Admission {
  /** A PROXY header named the client; false when that has no place left. */
  moveTo(address: string): boolean;
  /** The handshake and the PROXY header, where they were due, are complete. */
  establish(): void;
  /** Gives the place back, once however often it is called: the connection is gone. */
  release(): void;
  /** Called to end a connection whose handshake or PROXY header is due. */
  evict: () => void;
}

export interface ListenOptions {
  /** Address to bind, "" for every address. */
  readonly address: string;
  readonly port: number;
  readonly tls: TlsServerOptions | null;
  /** Asked for each connection; null while no PROXY header is expected. */
  proxyHeader(): ProxyHeaderOptions | null;
  /**
   * Asked for each connection before anything is read; null to close it at once.
   * @param proxied whether a PROXY header is due, which names another client
   */
  admit(address: string, proxied: boolean): Admission | null;
  /** Gives the receiver of a new connection's events. */
  accept(connection: Connection): ConnectionEvents;
  /** The listener failed after it was bound. */
  onError(error: Error): void;
}

/** How to meet a backend by TLS. One object serves all connections of a backend. */
export interface ClientTls {
  /** Name to send as SNI and to check, "" for the endpoint's own. */
  readonly serverName: string;
  /** CA bundle in PEM, null for the system's roots. */
  readonly ca: Uint8Array | null;
  /** Our certificate and key in PEM, null for none. */
  readonly identity: TlsIdentity | null;
  /** Names of which the certificate must have one; empty means the server name. */
  readonly sans: readonly string[];
  /** Accept any certificate. */
  readonly insecure: boolean;
}

export interface ConnectOptions {
  /** IP address. */
  readonly host: string;
  readonly port: number;
  /** Bytes that precede everything, the handshake too; null for none. */
  readonly preamble: Uint8Array | null;
  readonly tls: ClientTls | null;
  /** Protocols offered by ALPN, best first. */
  readonly alpn: readonly string[];
  /** Name the endpoint is known by: its certificate is checked against it where `tls` names no other. */
  readonly endpointName: string;
  readonly events: ConnectionEvents;
  /** The connection, with its handshake, is established. */
  onConnect(): void;
}

/** A handshake with a backend failed. */
export class TlsError extends Error {
  readonly code = "TLS";
}

/** One implementation of byte streams. */
export interface Transport {
  listen(options: ListenOptions): Promise<BoundListener>;
  connect(options: ConnectOptions): Connection;
  /** Whether it serves `cipherSuites` and `curves`; who does not must not be asked to. */
  readonly choosesCiphers: boolean;
  /** Frees what the runtime would keep for it when the thread is over; nothing may be asked of it any more. */
  close(): void;
  /** Why TLS cannot use a certificate with its key, "" when it can; never with key material. */
  identityProblem(identity: TlsIdentity): string;
  /** Checks signatures of certificates, with keys of every kind that its TLS library knows. */
  readonly verifySignature: VerifySignature;
}
