import { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import tls from "node:tls";
import { contained } from "../../loop/containment.ts";
import { GrowingBuffer } from "../../../common/growing_buffer.ts";
import { parseClientHello } from "../client_hello.ts";
import type { TlsChoice, TlsIdentity, TlsServerOptions } from "../transport.ts";
import { NodeConnection, type Shared, type TlsParts } from "./connection.ts";
import { openTls, peerChain, rawOf, watchHandshake } from "./tls_socket.ts";

/** Called with each connection whose handshake succeeded. */
export type OnSecure = (connection: NodeConnection) => void;

/** Fatal alert unrecognized_name (RFC 8446 section 6.2), as a record. */
const UNRECOGNIZED_NAME = Buffer.from([21, 3, 3, 0, 2, 2, 112]);

/** What is known of a socket before its handshake. */
interface Pending {
  readonly address: string;
  readonly port: number;
  readonly serverName: string;
  readonly choice: TlsChoice;
  readonly onSecure: OnSecure;
}

/**
 * Handshakes of one listener. The server name is read out of the ClientHello first and chooses a TLS
 * server with the certificate and policy of its own: choosing the context within the handshake, as the
 * runtime offers it, costs 18 KB for each connection's lifetime (measured), and asking for client
 * certificates cannot differ by name there.
 */
export class NodeTlsServer {
  readonly #options: TlsServerOptions;
  readonly #servers = new WeakMap<TlsIdentity, Map<string, tls.Server>>();
  readonly #pending = new WeakMap<Socket, Pending>();

  readonly #shared: Shared;

  constructor(options: TlsServerOptions, shared: Shared) {
    this.#options = options;
    this.#shared = shared;
  }

  /** Begins the handshake on an accepted socket. */
  accept(socket: Socket, address: string, port: number, onSecure: OnSecure): void {
    let kept: GrowingBuffer | null = null;
    let wanted = 0;
    const stop = () => {
      clearTimeout(timer);
      socket.removeListener("data", onData);
      socket.removeListener("end", onGone);
      socket.removeListener("close", stop);
    };
    const refuse = (reason: string, alert: Buffer | null) => {
      stop();
      this.#options.onHandshakeError(reason, address, "");
      if (alert === null) socket.destroy();
      else socket.end(alert, () => socket.destroy());
    };
    const onData = (view: Buffer) => contained(boundary, () => take(view));
    const boundary = { onFault: () => socket.resetAndDestroy() };
    const take = (view: Buffer) => {
      kept?.append(view);
      if (kept !== null && kept.length < wanted) return;
      const bytes = kept === null ? view : kept.bytes;
      const hello = parseClientHello(bytes);
      if (hello.kind === "incomplete") {
        kept ??= new GrowingBuffer(view);
        wanted = hello.wanted;
        return;
      }
      if (hello.kind === "invalid") {
        refuse("no_client_hello", null);
        return;
      }
      const choice = this.#options.choose(hello.serverName);
      if (choice === null) {
        refuse("unknown_server_name", UNRECOGNIZED_NAME);
        return;
      }
      stop();
      const { serverName } = hello;
      this.#pending.set(socket, { address, port, serverName, choice, onSecure });
      socket.pause();
      socket.unshift(bytes);
      this.#serverFor(choice).emit("connection", socket);
      watchHandshake(socket);
    };
    const onGone = () => refuse("closed", null);
    const timer = setTimeout(() => refuse("timeout", null), this.#options.handshakeTimeout);
    // Without a listener the runtime would take a reset before the handshake for our own fault.
    socket.on("error", ignore);
    socket.on("data", onData);
    socket.once("end", onGone);
    socket.once("close", stop);
    socket.resume();
  }

  /** One TLS server for each certificate and policy; they go with their certificates. */
  #serverFor(choice: TlsChoice): tls.Server {
    const { identities: [identity], minVersion, requestsCertificate } = choice;
    let servers = this.#servers.get(identity);
    if (servers === undefined) this.#servers.set(identity, servers = new Map());
    const key = `${minVersion}|${requestsCertificate}`;
    let server = servers.get(key);
    if (server === undefined) servers.set(key, server = this.#create(choice));
    return server;
  }

  #create({ identities: [identity], minVersion, requestsCertificate }: TlsChoice): tls.Server {
    const options = this.#options;
    const server = tls.createServer({
      cert: Buffer.from(identity.cert),
      key: Buffer.from(identity.key),
      minVersion,
      requestCert: requestsCertificate,
      // Whoever has no valid certificate is told so by the engine, which checks it itself: what a
      // resumed session says about its certificate was settled under another configuration.
      rejectUnauthorized: false,
      handshakeTimeout: options.handshakeTimeout,
      ALPNProtocols: [...options.alpn],
    }, (socket) => contained({ onFault: () => socket.destroy() }, () => this.#secured(socket)));
    server.on("tlsClientError", (error, socket) => {
      const pending = this.#pending.get(rawOf(socket));
      const { address = "", choice } = pending ?? {};
      options.onHandshakeError(error.message, address, choice?.listener ?? "");
      socket.destroy();
    });
    return server;
  }

  #secured(socket: tls.TLSSocket): void {
    const { raw, truncated } = openTls(socket);
    const { address, port, serverName, choice, onSecure } = this.#pending.get(raw)!;
    this.#pending.delete(raw);
    const parts: TlsParts = {
      raw,
      truncated,
      facts: {
        serverName,
        alpn: typeof socket.alpnProtocol === "string" ? socket.alpnProtocol : "",
        protocol: socket.getProtocol() ?? "",
        listener: choice.listener,
        resumed: socket.isSessionReused(),
        peerChain: choice.requestsCertificate ? peerChain(socket) : [],
      },
    };
    const connection = new NodeConnection(this.#shared).from(address, port);
    connection.attach(socket, parts);
    onSecure(connection);
  }
}

function ignore(): void {}
