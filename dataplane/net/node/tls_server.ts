import type { Socket } from "node:net";
import tls from "node:tls";
import type { TlsPolicy, TlsServerOptions } from "../transport.ts";
import { NodeConnection, type TlsParts } from "./connection.ts";
import { openTls, peerChain } from "./tls_socket.ts";

/** Called with each connection whose handshake succeeded. */
export type OnSecure = (connection: NodeConnection, socket: Socket) => void;

/**
 * Handshakes of one listener. The listening socket is not part of it, so that a policy change takes a
 * new TLS server for new connections and touches nothing else.
 */
export class NodeTlsServer {
  readonly #options: TlsServerOptions;
  readonly #onSecure: OnSecure;
  readonly #peers = new WeakMap<Socket, { address: string; port: number }>();
  #policy: TlsPolicy | null = null;
  #server: tls.Server | null = null;

  constructor(options: TlsServerOptions, onSecure: OnSecure) {
    this.#options = options;
    this.#onSecure = onSecure;
  }

  /** Begins the handshake on an accepted socket. */
  accept(socket: Socket, address: string, port: number): void {
    this.#peers.set(socket, { address, port });
    // Without a listener the runtime would take a reset before the handshake for our own fault.
    socket.on("error", () => {});
    this.#current().emit("connection", socket);
  }

  #current(): tls.Server {
    const policy = this.#options.policy();
    const same = this.#policy !== null && this.#policy.minVersion === policy.minVersion &&
      this.#policy.requestsCertificate === policy.requestsCertificate;
    if (!same || this.#server === null) {
      this.#policy = policy;
      this.#server = this.#create(policy);
    }
    return this.#server;
  }

  #create(policy: TlsPolicy): tls.Server {
    const options = this.#options;
    const server = tls.createServer({
      minVersion: policy.minVersion,
      requestCert: policy.requestsCertificate,
      // Whoever has no valid certificate is told so by the engine, which checks it itself: what a
      // resumed session says about its certificate was settled under another configuration.
      rejectUnauthorized: false,
      handshakeTimeout: options.handshakeTimeout,
      ALPNProtocols: [...options.alpn],
      SNICallback: (serverName, done) => {
        const context = options.contextFor(serverName.toLowerCase());
        if (context === null) {
          options.onHandshakeError("unknown_server_name");
          done(new Error("no listener for this server name"));
        } else done(null, context as tls.SecureContext);
      },
    }, (socket) => this.#secured(socket, policy));
    server.on("tlsClientError", (_error, socket) => {
      options.onHandshakeError("failed");
      socket.destroy();
    });
    return server;
  }

  #secured(socket: tls.TLSSocket, policy: TlsPolicy): void {
    const { raw, truncated } = openTls(socket);
    const asked = (socket as unknown as { servername?: string | false }).servername;
    const serverName = typeof asked === "string" ? asked.toLowerCase() : "";
    const parts: TlsParts = {
      raw,
      truncated,
      facts: {
        serverName,
        alpn: typeof socket.alpnProtocol === "string" ? socket.alpnProtocol : "",
        protocol: socket.getProtocol() ?? "",
        listener: this.#options.listenerFor(serverName),
        resumed: socket.isSessionReused(),
        peerChain: policy.requestsCertificate ? peerChain(socket) : [],
      },
    };
    const peer = this.#peers.get(raw)!;
    const connection = new NodeConnection().from(peer.address, peer.port);
    connection.attach(socket, parts);
    this.#onSecure(connection, socket);
  }
}
