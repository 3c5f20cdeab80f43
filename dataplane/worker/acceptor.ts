import type { Buffer } from "node:buffer";
import { LIMIT } from "../config/defaults.ts";
import type { Engine } from "../exchange/engine.ts";
import { Http1Connection } from "../exchange/http1_connection.ts";
import { Http2Connection } from "../exchange/http2_connection.ts";
import { type Peer, peerOf } from "../exchange/peer.ts";
import { checkClientCertificate } from "../net/x509/client_certificate.ts";
import {
  type Admission,
  type Connection,
  type ConnectionEvents,
  type ListenOptions,
  NOBODY,
  type ProxyHeaderOptions,
  type TlsChoice,
  type TlsIdentity,
  type TlsServerOptions,
  type Transport,
} from "../net/transport.ts";
import { type ClientAuth, ClientAuthMode } from "../../proto/gen/novaedge/v1/config.ts";
import { GLOBAL, SLOT } from "../observe/counters.ts";
import type { ClientShare } from "../loop/client_shares.ts";
import { Admissions } from "./admissions.ts";
import type { LoadedCertificate } from "./certificate.ts";
import type { ListenerState } from "../router/listener_state.ts";
import type { Port } from "./port.ts";

/** What OpenSSL says where a client shows no certificate that must show one. */
const NO_CERTIFICATE = /peer did not return a certificate/;
const SENT_NONE = "the client sent none";

/** One connection of a client, whichever protocol it speaks. */
interface ClientConnection {
  /** Ends after the work in progress. */
  drain(): void;
}

interface Accepted {
  readonly port: Port;
  readonly connection: Connection;
  readonly peer: Peer;
  /** Offset of the listener's counters. */
  readonly base: number;
  /** What was asked of the client's certificate; "" without client authentication. */
  readonly clientAuth: string;
}

/** Takes connections: limits, TLS, client certificates, and the engine of the protocol spoken. */
export class Acceptor {
  readonly #engine: Engine;
  readonly #transport: Pick<Transport, "choosesCiphers" | "verifySignature">;
  readonly #certificates: ReadonlyMap<string, LoadedCertificate>;
  readonly #connections = new Map<ClientConnection, Accepted>();
  readonly #admissions: Admissions;

  constructor(
    engine: Engine,
    certificates: ReadonlyMap<string, LoadedCertificate>,
    transport: Pick<Transport, "choosesCiphers" | "verifySignature">,
  ) {
    this.#transport = transport;
    this.#engine = engine;
    this.#admissions = new Admissions(engine.clients, () => {
      engine.counters[GLOBAL.refusedConnections]++;
    });
    this.#certificates = certificates;
  }

  /** Open connections. */
  get size(): number {
    return this.#connections.size;
  }

  /** Why nobody is let in by a listener that is open, "" when clients are. */
  problemOf({ tlsLimits }: ListenerState): string {
    return tlsLimits === null || this.#transport.choosesCiphers
      ? ""
      : "cipherSuites and ecdhCurves need --transport native";
  }

  /** Ends every connection after its work in progress. */
  drain(): void {
    for (const connection of [...this.#connections.keys()]) connection.drain();
  }

  /** Tells clients of HTTP/2 that they should go elsewhere with what comes next. */
  announceEnd(): void {
    for (const connection of [...this.#connections.keys()]) {
      if (connection instanceof Http2Connection) connection.drain();
    }
  }

  /** Ends connections whose client was let in under other conditions than those of now. */
  drainOutdated(): void {
    for (const [connection, { port, peer, clientAuth }] of [...this.#connections]) {
      if (peer.tlsListener === null) continue;
      const listener = port.listener(peer.tlsListener);
      if (this.#clientAuthKey(listener) !== clientAuth) connection.drain();
    }
  }

  /** What the transport asks about one port. */
  optionsFor(port: Port): Omit<ListenOptions, "address" | "port" | "onError"> {
    return {
      tls: port.scheme === "https" ? this.#tls(port) : null,
      proxyHeader: () => this.#proxyHeader(port),
      admit: (address, proxied) => this.#admit(port, address, proxied),
      accept: (connection) => this.#accept(port, connection),
    };
  }

  #admit(port: Port, address: string, proxied: boolean): Admission | null {
    return this.#admissions.admit(port, address, proxied);
  }

  #proxyHeader(port: Port): ProxyHeaderOptions | null {
    const wanting = port.listeners.find(({ proxyProtocol }) => proxyProtocol !== null);
    if (wanting === undefined) return null;
    const { trusted, version } = wanting.proxyProtocol!;
    return {
      trusts: (address) => trusted.has(address),
      version,
      timeout: LIMIT.requestHead,
      onBadHeader: () => {
        this.#engine.counters[GLOBAL.badProxyHeaders]++;
      },
    };
  }

  #accept(port: Port, connection: Connection): ConnectionEvents {
    const { counters } = this.#engine;
    const { tls, remoteAddress } = connection;
    const listener = tls === null ? undefined : port.listener(tls.listener);
    const serving = listener === undefined ? port.listeners : [listener];
    if (!serving.some(({ table }) => table.settings.allowedSources?.has(remoteAddress) ?? true)) {
      counters[GLOBAL.refusedConnections]++;
      connection.close();
      return NOBODY;
    }
    const base = port.slotOf(tls === null ? null : tls.listener) * SLOT.size;
    let certificateFields = "";
    if (tls !== null) {
      counters[base + (tls.resumed ? SLOT.resumptions : SLOT.handshakes)]++;
      const fields = listener === undefined ? null : this.#certificate(listener, connection, base);
      if (fields === null) {
        counters[base + SLOT.handshakeErrors]++;
        connection.close();
        return NOBODY;
      }
      certificateFields = fields;
    }
    const { scheme } = port;
    const accepted: Accepted = {
      port,
      connection,
      peer: peerOf(connection, {
        scheme,
        port: port.port,
        certificateFields,
        share: this.#shareOf(serving, remoteAddress),
      }),
      base,
      clientAuth: this.#clientAuthKey(listener),
    };
    counters[base + SLOT.accepted]++;
    counters[base + SLOT.open]++;
    return tls !== null && tls.alpn === "h2" ? this.#http2(accepted) : this.#http1(accepted);
  }

  /** A trusted proxy speaks for many clients, whose requests count each for its own. */
  #shareOf(serving: readonly ListenerState[], address: string): ClientShare {
    const { clients } = this.#engine;
    const trusted = serving.some(({ table }) => table.settings.trustedProxies?.has(address));
    return trusted ? clients.proxies.hold() : clients.hold(address);
  }

  #http1(accepted: Accepted): Http1Connection {
    const { port, connection, peer } = accepted;
    const served = new Http1Connection(this.#engine, port, connection, peer, {
      onClosed: (closed) => this.#closed(closed),
      onPreface: (replaced, bytes: Buffer) => {
        this.#connections.delete(replaced);
        const next = this.#http2(accepted);
        connection.events = next;
        next.onData(bytes);
      },
    });
    this.#connections.set(served, accepted);
    return served;
  }

  #http2(accepted: Accepted): Http2Connection {
    const { port, connection, peer, base } = accepted;
    this.#engine.counters[base + SLOT.http2]++;
    const served = new Http2Connection(
      this.#engine,
      port,
      connection,
      peer,
      (closed) => this.#closed(closed),
    );
    this.#connections.set(served, accepted);
    return served;
  }

  #closed(connection: ClientConnection): void {
    const accepted = this.#connections.get(connection);
    if (accepted === undefined) return;
    this.#connections.delete(connection);
    this.#engine.counters[accepted.base + SLOT.open]--;
    accepted.peer.share.leave();
  }

  /**
   * The fields that tell backends about the client's certificate; null to refuse the connection because
   * the certificate is not what the listener asks for.
   */
  #certificate(
    listener: ListenerState,
    { tls, remoteAddress }: Connection,
    base: number,
  ): string | null {
    const { clientAuth } = listener;
    if (clientAuth === null) return "";
    // A resumed session did not ask for the context, which there is none of without authorities.
    const authorities = this.#authorities(clientAuth);
    if (authorities.length === 0) return null;
    const required = clientAuth.mode === ClientAuthMode.CLIENT_AUTH_MODE_REQUIRE;
    const check = checkClientCertificate(tls!.peerChain, {
      authorities,
      verify: this.#transport.verifySignature,
      revocations: this.#revocations(clientAuth),
      commonNames: clientAuth.cnPatterns,
      sans: clientAuth.sans,
    }, Date.now());
    if (check.kind === "verified") return check.fields;
    const admitted = clientAuth.mode === ClientAuthMode.CLIENT_AUTH_MODE_FALLBACK;
    if (admitted || (!required && check.kind !== "refused")) return "";
    this.#refusedCertificate(
      base,
      listener.key,
      remoteAddress,
      check.kind === "refused" ? check.reason : SENT_NONE,
    );
    return null;
  }

  #refusedCertificate(base: number, listener: string, client: string, reason: string): void {
    const { counters, events } = this.#engine;
    counters[base + SLOT.refusedCertificates]++;
    events.add("warn", "client certificate refused", { listener, client, reason });
  }

  #clientAuthKey(listener: ListenerState | undefined): string {
    const auth = listener?.clientAuth ?? null;
    if (auth === null) return "";
    const trust = auth.cas.map((name) => {
      const { authoritiesKey = "", revocationsKey = "" } = this.#certificates.get(name) ?? {};
      return `${authoritiesKey}|${revocationsKey}`;
    });
    return JSON.stringify([auth.mode, auth.cnPatterns, auth.sans, trust]);
  }

  #authorities({ cas }: ClientAuth): LoadedCertificate["authorities"] {
    return cas.flatMap((name) => this.#certificates.get(name)?.authorities ?? []);
  }

  #revocations({ cas }: ClientAuth): LoadedCertificate["revocations"] {
    return cas.flatMap((name) => this.#certificates.get(name)?.revocations ?? []);
  }

  #tls(port: Port): TlsServerOptions {
    return {
      alpn: ["h2", "http/1.1"],
      handshakeTimeout: LIMIT.tlsHandshake,
      choose: (name) => this.#choose(port, name),
      onHandshakeError: (reason, client, listener) => {
        const { counters, events } = this.#engine;
        const base = port.slotOf(listener || null) * SLOT.size;
        counters[base + SLOT.handshakeErrors]++;
        if (NO_CERTIFICATE.test(reason)) {
          this.#refusedCertificate(base, listener, client, SENT_NONE);
        } else {events.add("info", "TLS handshake failed", {
            port: port.port,
            listener,
            client,
            reason,
          });}
      },
    };
  }

  #choose(port: Port, name: string): TlsChoice | null {
    const listener = port.listenerFor(name);
    if (listener === undefined) return null;
    if (this.problemOf(listener) !== "") return null;
    const { clientAuth, tlsLimits } = listener;
    // Without its authorities a listener cannot tell whom to let in.
    if (clientAuth !== null && this.#authorities(clientAuth).length === 0) return null;
    for (const certificates of listener.certificates.lookup(name)) {
      const identities = this.#identities(certificates);
      if (identities === null) continue;
      return {
        listener: listener.key,
        identities,
        minVersion: listener.minVersion === "TLS1.3" ? "TLSv1.3" : "TLSv1.2",
        requestsCertificate: clientAuth !== null,
        requiresCertificate: clientAuth?.mode === ClientAuthMode.CLIENT_AUTH_MODE_REQUIRE,
        cipherSuites: tlsLimits?.cipherSuites ?? [],
        curves: tlsLimits?.curves ?? [],
      };
    }
    return null;
  }

  /** The first certificate of each kind of key; null when none of them is there. */
  #identities(names: readonly string[]): TlsChoice["identities"] | null {
    const kinds = new Set<string>();
    const found: TlsIdentity[] = [];
    for (const name of names) {
      const { identity = null, keyKind = "" } = this.#certificates.get(name) ?? {};
      if (identity === null || kinds.has(keyKind)) continue;
      kinds.add(keyKind);
      found.push(identity);
    }
    const [first, ...others] = found;
    return first === undefined ? null : [first, ...others];
  }
}
