import type { Connection, ConnectionEvents } from "../net/transport.ts";
import { contained } from "../loop/containment.ts";
import type { Deadlined } from "../loop/ticker.ts";
import type { BackendTransport } from "./backend_transport.ts";
import type { PoolContext } from "./pool_context.ts";
import type { UpstreamFailure } from "./upstream_stream.ts";

/** Characters of the reason of a failure. */
const LONGEST_DETAIL = 200;

/** Where and how a connection is opened. */
export interface OpeningTarget {
  readonly address: string;
  readonly port: number;
  readonly transport: BackendTransport;
  /** Bytes that precede everything: a PROXY header; null for none. */
  readonly preamble: Uint8Array | null;
  /** Offer HTTP/1.1 only, whatever the backend could speak: for an upgrade. */
  readonly http1Only: boolean;
  /** Milliseconds for name, connection and handshake together. */
  readonly timeout: number;
}

/** Who asked for a connection; one of the two is called once. */
export interface OpeningOwner {
  onOpened(opening: Opening, connection: Connection): void;
  onOpenFailed(opening: Opening, failure: UpstreamFailure, detail: string): void;
}

/** A connection that is being opened: looks up the name, then tries one address after the other. */
export class Opening implements ConnectionEvents, Deadlined {
  deadline: number;
  tickerSlot = -1;
  readonly http1Only: boolean;
  /** Its place in the order of the pool's openings. */
  number = 0;
  readonly #target: OpeningTarget;
  readonly #owner: OpeningOwner;
  readonly #context: PoolContext;
  readonly #endsAt: number;
  #addresses: readonly string[] = [];
  #next = 0;
  #connection: Connection | null = null;
  #over = false;
  /** Why the last address failed. */
  #detail = "";

  constructor(target: OpeningTarget, owner: OpeningOwner, context: PoolContext) {
    this.#target = target;
    this.#owner = owner;
    this.#context = context;
    this.http1Only = target.http1Only;
    this.#endsAt = context.ticker.now + target.timeout;
    this.deadline = this.#endsAt;
    context.ticker.add(this);
  }

  /** Begins; the owner may be called before this returns. */
  start(): void {
    this.#context.addresses.lookup(this.#target.address, (addresses) => {
      if (this.#over) return;
      const { networks } = this.#target.transport;
      this.#addresses = networks === null
        ? addresses
        : addresses.filter((address) => networks.has(address));
      if (this.#addresses.length < addresses.length) {
        this.#detail = "no address of the name is in the networks that ExternalName may lead to";
      }
      contained(this, () => this.#tryNext("connect_failed"));
    });
  }

  /** Nobody waits any more. */
  cancel(): void {
    if (this.#over) return;
    this.#end();
    this.#connection?.close();
  }

  onData(): void {}
  onDrain(): void {}
  onEnd(): void {}

  onClose(error: Error | null): void {
    if (this.#over) return;
    const tls = (error as { code?: string } | null)?.code === "TLS";
    this.#connection = null;
    this.#detail = error === null ? "" : error.message.slice(0, LONGEST_DETAIL);
    this.#tryNext(tls ? "upstream_tls" : "connect_failed");
  }

  onFault(): void {
    if (!this.#over) this.#fail("connect_failed");
    this.#connection?.reset();
  }

  onDeadline(): void {
    const connection = this.#connection;
    this.#connection = null;
    this.#detail = "";
    if (connection !== null) {
      connection.events = NOBODY;
      connection.close();
    }
    if (this.#context.ticker.now >= this.#endsAt) this.#fail("connect_timeout");
    else this.#tryNext("connect_timeout");
  }

  #tryNext(failure: UpstreamFailure): void {
    const { ticker, transport } = this.#context;
    if (this.#next >= this.#addresses.length) {
      this.#fail(failure);
      return;
    }
    const left = this.#addresses.length - this.#next;
    this.deadline = ticker.now + (this.#endsAt - ticker.now) / left;
    const { port, transport: how } = this.#target;
    const connection = transport.connect({
      host: this.#addresses[this.#next++],
      port,
      tls: how.tls,
      alpn: this.#alpn(),
      preamble: this.#target.preamble,
      endpointName: this.#target.address,
      events: this,
      onConnect: () => {
        if (this.#over || this.#connection !== connection) return;
        this.#end();
        this.#owner.onOpened(this, connection);
      },
    });
    this.#connection = connection;
  }

  #alpn(): readonly string[] {
    const { protocol } = this.#target.transport;
    if (this.http1Only || protocol === "http1") return ["http/1.1"];
    return protocol === "http2" ? ["h2"] : ["h2", "http/1.1"];
  }

  #fail(failure: UpstreamFailure): void {
    this.#end();
    this.#owner.onOpenFailed(this, failure, this.#detail);
  }

  #end(): void {
    this.#over = true;
    this.deadline = Infinity;
    this.#context.ticker.remove(this);
  }
}

const NOBODY: ConnectionEvents = { onData() {}, onDrain() {}, onEnd() {}, onClose() {} };
