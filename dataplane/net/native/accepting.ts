import { contained } from "../../loop/containment.ts";
import type { Deadlined } from "../../loop/ticker.ts";
import { parseClientHello } from "../client_hello.ts";
import { parseProxyHeader } from "../proxy_protocol.ts";
import type { Admission, ListenOptions, ProxyHeaderOptions, TlsChoice } from "../transport.ts";
import { BLOCKED, FAILED, PlainChannel } from "./channel.ts";
import type { Step } from "./handshake_queue.ts";
import { type Descriptor, ERRNO } from "./libc.ts";
import { readMemory, readView } from "./memory.ts";
import { NativeConnection, type Shared } from "./native_connection.ts";
import { GONE, HAPPENED, type Watched } from "./poller.ts";
import type { Place } from "./socket_address.ts";
import type { TlsChannel } from "./tls_channel.ts";

/** What is known of a socket when it is accepted. */
export interface AcceptedSocket {
  readonly options: ListenOptions;
  readonly peer: Place;
  /** Of the PROXY header that is due, null for none. */
  readonly proxied: ProxyHeaderOptions | null;
  readonly admission: Admission;
}

/** Fatal alert unrecognized_name (RFC 8446 section 6.2), as a record. */
const UNRECOGNIZED_NAME = new Uint8Array([21, 3, 3, 0, 2, 2, 112]);

/**
 * An accepted socket until an engine gets it: the PROXY header, where one is due, the ClientHello, by which the
 * certificate is chosen, and the handshake. It owns the descriptor until it hands it to a connection.
 */
export class Accepting implements Watched, Step, Deadlined {
  queued = false;
  deadline = Infinity;
  tickerSlot = -1;
  readonly #shared: Shared;
  readonly #socket: Descriptor;
  readonly #options: ListenOptions;
  readonly #admission: Admission;
  #peer: Place;
  /** Of the PROXY header that is due. */
  #proxied: ProxyHeaderOptions | null;
  #choice: TlsChoice | null = null;
  #serverName = "";
  #channel: TlsChannel | null = null;
  /** All that was told of the socket: it is not told again. */
  #happened: number = HAPPENED.readable | HAPPENED.writable;
  #over = false;

  constructor(
    shared: Shared,
    socket: Descriptor,
    { options, peer, proxied, admission }: AcceptedSocket,
  ) {
    this.#shared = shared;
    this.#socket = socket;
    this.#options = options;
    this.#peer = peer;
    this.#proxied = proxied;
    this.#admission = admission;
    admission.evict = () => this.#end();
    const timeout = proxied?.timeout ?? options.tls!.handshakeTimeout;
    this.deadline = shared.ticker.now + timeout;
    shared.ticker.add(this);
  }

  onDeadline(): void {
    if (this.#proxied !== null) this.#refuseHeader("timeout");
    else this.#refuse("timeout");
  }

  onEvents(happened: number): void {
    if (this.#over) return;
    this.#happened |= happened;
    if (this.#proxied !== null && !this.#readHeader(this.#proxied)) return;
    if (this.#options.tls === null) {
      this.#handOver(new PlainChannel(this.#shared.libc, this.#socket), null);
    } else if (this.#channel !== null || this.#readHello()) this.#shared.handshakes.add(this);
  }

  onFault(): void {
    if (!this.#over) this.#end();
  }

  /** Goes on with the handshake. */
  step(): void {
    if (this.#over) return;
    const channel = this.#channel!;
    const outcome = channel.handshake();
    if (outcome === BLOCKED) return;
    if (outcome === FAILED) {
      this.#refuse(channel.failure?.message ?? "failed");
      return;
    }
    const { listener, requestsCertificate } = this.#choice!;
    this.#channel = null;
    this.#handOver(channel, {
      serverName: this.#serverName,
      alpn: channel.alpn,
      protocol: channel.protocol,
      listener,
      resumed: channel.resumed,
      peerChain: requestsCertificate ? channel.peerChain() : [],
    });
  }

  #handOver(
    channel: PlainChannel | TlsChannel,
    facts: Parameters<NativeConnection["open"]>[1],
  ): void {
    this.#leave();
    const { address, port } = this.#peer;
    const connection = new NativeConnection(this.#shared, this.#socket).from(address, port);
    connection.admission = this.#admission;
    this.#admission.establish();
    connection.open(channel, facts);
    this.#shared.poller.pass(this.#socket, connection);
    contained(connection, () => {
      connection.events = this.#options.accept(connection);
      connection.onEvents(this.#happened);
    });
  }

  /** Whether the PROXY header is read; what comes behind it stays in the socket. */
  #readHeader(proxied: ProxyHeaderOptions): boolean {
    const view = this.#peek();
    if (view === null) {
      this.#refuseHeader("closed");
      return false;
    }
    const header = parseProxyHeader(view, proxied.version);
    if (header.kind !== "header") {
      if (header.kind === "invalid") this.#refuseHeader(header.reason);
      else if (this.#isGone) this.#refuseHeader("closed");
      return false;
    }
    this.#shared.libc.receive(this.#socket, readMemory().subarray(0, header.length));
    if (header.source !== null) {
      this.#peer = header.source;
      if (!this.#admission.moveTo(header.source.address)) {
        this.#end();
        return false;
      }
    }
    this.#proxied = null;
    const { tls } = this.#options;
    if (tls !== null) this.deadline = this.#shared.ticker.now + tls.handshakeTimeout;
    return true;
  }

  /** Whether the ClientHello is there and leads to a certificate; it stays in the socket. */
  #readHello(): boolean {
    const tls = this.#options.tls!;
    const view = this.#peek();
    if (view === null) {
      this.#refuse("closed");
      return false;
    }
    const hello = parseClientHello(view);
    if (hello.kind !== "hello") {
      if (hello.kind === "invalid") this.#refuse("no_client_hello");
      else if (this.#isGone) this.#refuse("closed");
      return false;
    }
    this.#serverName = hello.serverName;
    this.#choice = tls.choose(hello.serverName);
    if (this.#choice === null) {
      const { libc } = this.#shared;
      // A socket that is closed with bytes unread sends RST, and the alert is lost.
      libc.receive(this.#socket, readMemory());
      libc.send(this.#socket, UNRECOGNIZED_NAME);
      libc.finish(this.#socket);
      this.#refuse("unknown_server_name");
      return false;
    }
    try {
      this.#channel = this.#shared.tlsServer.accept(this.#choice, tls.alpn, this.#socket);
    } catch {
      this.#refuse("certificate");
    }
    return !this.#over;
  }

  /** Whether nothing more will come. */
  get #isGone(): boolean {
    return (this.#happened & GONE) !== 0;
  }

  /** What is there to read, and stays; null when the stream has ended or failed. */
  #peek(): ReturnType<typeof readView> | null {
    const { libc } = this.#shared;
    const length = libc.peek(this.#socket, readMemory());
    if (length > 0) return readView(length);
    const waits = length < 0 && (libc.errno === ERRNO.EAGAIN || libc.errno === ERRNO.EINTR);
    return waits ? readView(0) : null;
  }

  #refuseHeader(reason: string): void {
    if (this.#over) return;
    this.#proxied!.onBadHeader(reason);
    this.#end();
  }

  #refuse(reason: string): void {
    if (this.#over) return;
    const listener = this.#choice?.listener ?? "";
    this.#options.tls!.onHandshakeError(reason, this.#peer.address, listener);
    this.#end();
  }

  #leave(): void {
    this.#over = true;
    this.#shared.ticker.remove(this);
  }

  #end(): void {
    this.#leave();
    this.#channel?.release(false);
    this.#channel = null;
    this.#shared.poller.close(this.#socket);
    this.#admission.release();
  }
}
