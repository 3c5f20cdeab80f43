import type { Ticker } from "../../loop/ticker.ts";
import type { TurnEnd } from "../../loop/turn_end.ts";
import { TicketKeys } from "../ticket_keys.ts";
import type {
  BoundListener,
  Connection,
  ConnectOptions,
  ListenOptions,
  TlsIdentity,
  Transport,
} from "../transport.ts";
import { FORBIDDEN, type UpstreamGuard } from "../upstream_guard.ts";
import type { VerifySignature } from "../x509/verify_signature.ts";
import { Connecting } from "./connecting.ts";
import { HandshakeQueue } from "./handshake_queue.ts";
import { type Descriptor, ERRNO, Libc, SystemError } from "./libc.ts";
import { NativeConnection, type Shared } from "./native_connection.ts";
import { NativeListener } from "./native_listener.ts";
import { OpenSsl } from "./openssl.ts";
import type { Poller } from "./poller.ts";
import { encodeAddress, isV6 } from "./socket_address.ts";
import { setStreamOptions, setUpstreamOptions, type SocketSettings } from "./socket_options.ts";
import { TicketCallback } from "./ticket_callback.ts";
import { TlsClient } from "./tls_client.ts";
import { identityProblem } from "./tls_context.ts";
import { TlsServer } from "./tls_server.ts";
import { opensslVerifier } from "./verify_signature.ts";

/** Connections that wait to be taken. */
const BACKLOG = 4096;
/** Milliseconds of one turn that go to handshakes. */
const HANDSHAKES = 1;

/** What a thread's transport is made of. */
export interface NativeParts {
  readonly libc: Libc;
  readonly poller: Poller;
  /** When small pieces are written: behind the poller's batch. */
  readonly turnEnd: TurnEnd;
  /** Ends what has been waited for too long. */
  readonly ticker: Ticker;
  /** Where connections may not lead. */
  readonly guard: UpstreamGuard;
  /** Keys of session tickets that all threads share. */
  readonly ticketKeys: SharedArrayBuffer;
  /** Milliseconds, monotonic. */
  readonly now: () => number;
  readonly sockets: SocketSettings;
}

/** Sockets of the kernel's own and OpenSSL, through FFI. One object belongs to one thread. */
export class NativeTransport implements Transport {
  readonly choosesCiphers = true;
  readonly verifySignature: VerifySignature;
  readonly #shared: Shared;
  readonly #guard: UpstreamGuard;
  readonly #openssl: OpenSsl;
  readonly #sockets: SocketSettings;
  readonly #tickets: TicketCallback;

  /** @throws {Error} when OpenSSL is not there, or is too old */
  constructor({ libc, poller, turnEnd, ticker, guard, ticketKeys, now, sockets }: NativeParts) {
    this.#sockets = sockets;
    const openssl = new OpenSsl();
    this.#openssl = openssl;
    this.verifySignature = opensslVerifier(openssl);
    this.#guard = guard;
    this.#tickets = new TicketCallback(openssl, new TicketKeys(ticketKeys));
    this.#shared = {
      libc,
      poller,
      turnEnd,
      ticker,
      handshakes: new HandshakeQueue(poller, now, HANDSHAKES),
      now,
      tlsServer: new TlsServer(openssl, libc, this.#tickets),
      tlsClient: new TlsClient(openssl, libc),
    };
  }

  listen(options: ListenOptions): Promise<BoundListener> {
    return new Promise((resolve) => resolve(this.#listen(options)));
  }

  /**
   * Goes on with a listening socket that another process or transport has opened.
   * @param socket owned from now on
   */
  adopt(socket: Descriptor, options: ListenOptions): NativeListener {
    return new NativeListener(this.#shared, socket, options);
  }

  connect(options: ConnectOptions): Connection {
    const { libc, poller } = this.#shared;
    const { host, port, events } = options;
    if (this.#guard.forbids(host)) return this.#failed(options, new Error(FORBIDDEN));
    let socket: Descriptor = -1;
    try {
      const address = encodeAddress(host, port);
      socket = libc.streamSocket(isV6(address));
      setUpstreamOptions(libc, socket, isV6(address), this.#sockets);
      const errno = libc.connect(socket, address);
      if (errno !== 0 && errno !== ERRNO.EINPROGRESS) throw new SystemError("connect", errno);
      const connection = new NativeConnection(this.#shared, socket).from(host, port);
      connection.events = events;
      const connecting = new Connecting(this.#shared, socket, options, connection);
      connection.opens(connecting);
      poller.add(socket, connecting);
      return connection;
    } catch (error) {
      if (socket !== -1) libc.close(socket);
      return this.#failed(options, error as Error);
    }
  }

  identityProblem(identity: TlsIdentity): string {
    return identityProblem(this.#openssl, identity);
  }

  /** Takes back the callbacks that the library knows. */
  close(): void {
    this.#shared.tlsServer[Symbol.dispose]();
    this.#tickets[Symbol.dispose]();
  }

  #listen(options: ListenOptions): BoundListener {
    const { libc } = this.#shared;
    const address = encodeAddress(options.address, options.port);
    const socket = libc.streamSocket(isV6(address));
    try {
      libc.set(socket, "reuseAddress", 1);
      libc.set(socket, "reusePort", 1);
      if (isV6(address)) libc.set(socket, "v6Only", options.address === "" ? 0 : 1);
      // Accepted sockets take these over.
      setStreamOptions(libc, socket, this.#sockets);
      libc.bind(socket, address);
      libc.listen(socket, BACKLOG);
      return new NativeListener(this.#shared, socket, options);
    } catch (error) {
      libc.close(socket);
      throw error;
    }
  }

  /** A connection that is over before it has begun. */
  #failed(options: ConnectOptions, error: Error): Connection {
    const connection = new NativeConnection(this.#shared, -1).from(options.host, options.port);
    connection.events = options.events;
    connection.fail(error);
    return connection;
  }
}
