import { contained } from "../../loop/containment.ts";
import { type ConnectOptions, TlsError } from "../transport.ts";
import { BLOCKED, FAILED, PlainChannel } from "./channel.ts";
import type { Step } from "./handshake_queue.ts";
import { type Descriptor, SystemError } from "./libc.ts";
import type { NativeConnection, Opening, Shared } from "./native_connection.ts";
import { HAPPENED, type Watched } from "./poller.ts";
import type { TlsChannel } from "./tls_channel.ts";

/** A socket on its way to a backend, until bytes pass: the connection, what precedes all, and the handshake. */
export class Connecting implements Watched, Opening, Step {
  queued = false;
  readonly #shared: Shared;
  readonly #socket: Descriptor;
  readonly #options: ConnectOptions;
  readonly #connection: NativeConnection;
  #connected = false;
  #channel: TlsChannel | null = null;
  #happened: number = HAPPENED.readable | HAPPENED.writable;
  #over = false;

  /** @param socket closed by `connection` */
  constructor(
    shared: Shared,
    socket: Descriptor,
    options: ConnectOptions,
    connection: NativeConnection,
  ) {
    this.#shared = shared;
    this.#socket = socket;
    this.#options = options;
    this.#connection = connection;
  }

  onEvents(happened: number): void {
    if (this.#over) return;
    this.#happened |= happened;
    if (!this.#connected && !this.#hasConnected(happened)) return;
    if (this.#options.tls === null) this.#open(new PlainChannel(this.#shared.libc, this.#socket));
    else this.#shared.handshakes.add(this);
  }

  onFault(): void {
    this.#connection.reset();
  }

  /** Goes on with the handshake. */
  step(): void {
    if (this.#over) return;
    const tls = this.#options.tls!;
    let channel = this.#channel;
    try {
      channel = this.#channel ??= this.#begin();
    } catch (error) {
      this.#fail(new TlsError((error as Error).message, { cause: error }));
      return;
    }
    const outcome = channel.handshake();
    if (outcome === BLOCKED) return;
    const problem = outcome === FAILED
      ? new TlsError(channel.verifyProblem || channel.failure!.message, { cause: channel.failure })
      : this.#shared.tlsClient.nameProblem(tls, channel);
    if (problem !== null) this.#fail(problem);
    else this.#open(channel);
  }

  abandon(): void {
    this.#over = true;
    this.#channel?.release(false);
    this.#channel = null;
  }

  #hasConnected(happened: number): boolean {
    const { libc } = this.#shared;
    const failed = HAPPENED.error | HAPPENED.hangUp;
    if ((happened & (HAPPENED.writable | failed)) === 0) return false;
    const errno = libc.socketError(this.#socket);
    if (errno !== 0 || (happened & failed) !== 0) {
      this.#fail(new SystemError("connect", errno));
      return false;
    }
    const { preamble } = this.#options;
    // A new socket has room for it.
    if (preamble !== null && libc.send(this.#socket, preamble) !== preamble.length) {
      this.#fail(new SystemError("write", libc.errno));
      return false;
    }
    return this.#connected = true;
  }

  #begin(): TlsChannel {
    const { tls, alpn, endpointName, host, port } = this.#options;
    const name = tls!.serverName || endpointName;
    const server = `${name}|${host}|${port}`;
    return this.#shared.tlsClient.connect(tls!, name, alpn, server, this.#socket);
  }

  #open(channel: PlainChannel | TlsChannel): void {
    const { tls, endpointName, onConnect } = this.#options;
    this.#over = true;
    this.#channel = null;
    const connection = this.#connection;
    this.#shared.poller.pass(this.#socket, connection);
    connection.open(
      channel,
      channel instanceof PlainChannel ? null : {
        serverName: tls!.serverName || endpointName,
        alpn: channel.alpn,
        protocol: channel.protocol,
        listener: "",
        resumed: channel.resumed,
        peerChain: [],
      },
    );
    contained(connection, onConnect);
    connection.onEvents(this.#happened);
  }

  #fail(error: Error): void {
    this.#connection.fail(error);
  }
}
