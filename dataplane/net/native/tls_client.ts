import { Buffer } from "node:buffer";
import { isIP } from "node:net";
import tls from "node:tls";
import { type ClientTls, TlsError } from "../transport.ts";
import { serverNameProblem } from "../x509/server_name.ts";
import type { Descriptor, Libc } from "./libc.ts";
import { cString, type OpenSsl, type Pointer } from "./openssl.ts";
import { createContext } from "./tls_context.ts";
import { OVERHEAD, TlsChannel } from "./tls_channel.ts";

/** SSL_VERIFY_NONE and SSL_VERIFY_PEER. */
const VERIFY = { none: 0, peer: 1 } as const;
/** X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS and NEVER_CHECK_SUBJECT: RFC 9525 section 6.3. */
const STRICT_NAMES = 0x4 | 0x20;
/** X509_V_FLAG_PARTIAL_CHAIN. */
const PARTIAL_CHAIN = 0x80000n;
/** SSL_CTRL_SET_TLSEXT_HOSTNAME and its type host_name. */
const SET_SERVER_NAME = 55;
const HOST_NAME = 0n;
/** Servers of one backend whose sessions are kept. */
const SESSIONS = 1_024;

/** A context with the sessions that its connections may resume. */
interface ClientContext {
  readonly context: Pointer;
  /** By server, the newest of each. */
  readonly sessions: Map<string, Pointer>;
}

/** Our side of handshakes with backends, for one thread. */
export class TlsClient {
  readonly #openssl: OpenSsl;
  readonly #libc: Libc;
  readonly #contexts = new WeakMap<ClientTls, ClientContext>();
  readonly #forgotten: FinalizationRegistry<ClientContext>;
  /** The roots that the runtime trusts (`X509_STORE`), shared by contexts without authorities of their own. */
  #roots: Pointer | null = null;

  constructor(openssl: OpenSsl, libc: Libc) {
    this.#openssl = openssl;
    this.#libc = libc;
    this.#forgotten = new FinalizationRegistry(({ context, sessions }) => {
      for (const session of sessions.values()) openssl.ssl.SSL_SESSION_free(session);
      openssl.ssl.SSL_CTX_free(context);
    });
  }

  /**
   * Begins a handshake on a connected socket.
   * @param name whom the certificate must name, sent as SNI where it is no address
   * @param server what tells servers apart whose sessions are not each other's
   * @throws {Error} when the library cannot use a certificate of ours
   */
  connect(
    settings: ClientTls,
    name: string,
    alpn: readonly string[],
    server: string,
    socket: Descriptor,
  ): TlsChannel {
    const { ssl, crypto } = this.#openssl;
    const made = this.#contextOf(settings);
    const stream = this.#openssl.made("SSL_new", ssl.SSL_new(made.context));
    ssl.SSL_set_connect_state(stream);
    if (name !== "" && isIP(name) === 0) {
      ssl.SSL_ctrl(stream, SET_SERVER_NAME, HOST_NAME, cString(name));
    }
    if (settings.sans.length === 0) {
      const parameters = ssl.SSL_get0_param(stream);
      crypto.X509_VERIFY_PARAM_set_hostflags(parameters, STRICT_NAMES);
      if (isIP(name) === 0) ssl.SSL_set1_host(stream, cString(name));
      else crypto.X509_VERIFY_PARAM_set1_ip_asc(parameters, cString(name));
    }
    const protocols = Buffer.concat(
      alpn.map((protocol) => Buffer.from([protocol.length, ...Buffer.from(protocol)])),
    );
    if (protocols.length > 0) ssl.SSL_set_alpn_protos(stream, protocols, protocols.length);
    const known = made.sessions.get(server);
    // The connection counts a reference of its own.
    if (known !== undefined) ssl.SSL_set_session(stream, known);
    const keep = (session: Pointer) => this.#keep(made, server, session);
    return new TlsChannel(this.#openssl, this.#libc, stream, socket, OVERHEAD.ofServer, keep);
  }

  /** What is wrong with the certificate of a completed handshake beyond its chain, null for nothing. */
  nameProblem(settings: ClientTls, channel: TlsChannel): Error | null {
    if (settings.insecure || settings.sans.length === 0) return null;
    const [own] = channel.peerChain();
    const problem = own === undefined
      ? "the backend has no certificate"
      : serverNameProblem(own, "", settings.sans);
    return problem === "" ? null : new TlsError(problem);
  }

  #keep({ sessions }: ClientContext, server: string, session: Pointer): void {
    const old = sessions.get(server);
    if (old === undefined && sessions.size >= SESSIONS) {
      this.#openssl.ssl.SSL_SESSION_free(session);
      return;
    }
    if (old !== undefined) this.#openssl.ssl.SSL_SESSION_free(old);
    sessions.set(server, session);
  }

  #contextOf(settings: ClientTls): ClientContext {
    let made = this.#contexts.get(settings);
    if (made === undefined) {
      made = { context: this.#create(settings), sessions: new Map() };
      this.#contexts.set(settings, made);
      this.#forgotten.register(settings, made);
    }
    return made;
  }

  #create({ ca, identity, insecure }: ClientTls): Pointer {
    const { ssl, crypto } = this.#openssl;
    const context = createContext(this.#openssl, {
      server: false,
      minVersion: "TLSv1.2",
      identities: identity === null ? [] : [identity],
    });
    ssl.SSL_CTX_set_verify(context, insecure ? VERIFY.none : VERIFY.peer, null);
    if (insecure) return context;
    if (ca === null) {
      ssl.SSL_CTX_set1_cert_store(context, this.#rootStore());
      return context;
    }
    const store = this.#openssl.made("trust", ssl.SSL_CTX_get_cert_store(context));
    this.#trust(store, ca);
    // Authorities of a bundle are trusted as they are, whether or not they are roots.
    crypto.X509_STORE_set_flags(store, PARTIAL_CHAIN);
    return context;
  }

  #rootStore(): Pointer {
    if (this.#roots !== null) return this.#roots;
    const { crypto } = this.#openssl;
    this.#roots = this.#openssl.made("trust", crypto.X509_STORE_new());
    this.#trust(this.#roots, Buffer.from(tls.rootCertificates.join("\n")));
    return this.#roots;
  }

  /** Puts every certificate of a PEM text into a store. */
  #trust(store: Pointer, pem: Uint8Array): void {
    const { crypto } = this.#openssl;
    for (const certificate of this.#openssl.certificates(pem)) {
      crypto.X509_STORE_add_cert(store, certificate);
      crypto.X509_free(certificate);
    }
  }
}
