/** Implementations of the transport with both ends of their connections, for tests by real sockets. */
import { Buffer } from "node:buffer";
import { TICK, Ticker } from "../../dataplane/loop/ticker.ts";
import { TurnEnd } from "../../dataplane/loop/turn_end.ts";
import { Descriptors, DESCRIPTORS_SIZE } from "../../dataplane/net/native/descriptors.ts";
import { Libc } from "../../dataplane/net/native/libc.ts";
import { nativeProblem } from "../../dataplane/net/native/native_problem.ts";
import { NativeTransport } from "../../dataplane/net/native/native_transport.ts";
import { Poller } from "../../dataplane/net/native/poller.ts";
import {
  freshTicketKey,
  rotateTicketKeys,
  TICKET_KEYS_SIZE,
} from "../../dataplane/net/ticket_keys.ts";
import type {
  BoundListener,
  ClientTls,
  Connection,
  ConnectionEvents,
  ListenOptions,
  Transport,
} from "../../dataplane/net/transport.ts";
import { UpstreamGuard } from "../../dataplane/net/upstream_guard.ts";
import { createNodeTransport } from "../../dataplane/net/create_transport.ts";

/** Keys of tickets as the main thread makes them. */
export function ticketKeys(): SharedArrayBuffer {
  const keys = new SharedArrayBuffer(TICKET_KEYS_SIZE);
  rotateTicketKeys(keys, freshTicketKey());
  return keys;
}

interface Implementation extends Disposable {
  /** The C library of the native one. */
  readonly libc?: Libc;
  readonly transport: Transport;
  readonly turnEnd: TurnEnd;
}

/** Sockets of tests give up a silent peer, and say how urgent they are. */
const sockets = { userTimeout: 30_000, upstreamMark: 0, upstreamTos: 0x28 };

const IMPLEMENTATIONS: Readonly<
  Record<string, (guard: UpstreamGuard, keys: SharedArrayBuffer) => Implementation>
> = {
  node: (guard) => ({ ...createNodeTransport(guard, () => false), [Symbol.dispose]() {} }),
  native: (guard, ticketKeys) => {
    const libc = new Libc(new Descriptors(new SharedArrayBuffer(DESCRIPTORS_SIZE), 1));
    const now = () => performance.now();
    const poller = new Poller(libc, now);
    const turnEnd = new TurnEnd((run) => poller.afterBatch(run));
    const ticker = new Ticker();
    const ticking = setInterval(() => ticker.tick(performance.now()), TICK);
    ticker.tick(performance.now());
    const parts = { libc, poller, turnEnd, ticker, guard, ticketKeys, now, sockets };
    const transport = new NativeTransport(parts);
    return {
      transport,
      turnEnd,
      libc,
      [Symbol.dispose]() {
        clearInterval(ticking);
        poller.stop();
        transport.close();
      },
    };
  },
};

/** Notes what happens on a connection. */
export class Notes implements ConnectionEvents {
  readonly happened: string[] = [];
  readonly chunks: Buffer[] = [];
  length = 0;
  error: Error | null = null;
  drains = 0;
  onBytes: (view: Buffer) => void = () => {};
  #wakes: (() => void)[] = [];

  onData(view: Buffer): void {
    this.chunks.push(Buffer.from(view));
    this.length += view.length;
    this.onBytes(view);
    this.#wake();
  }

  onDrain(): void {
    this.drains++;
    this.#wake();
  }

  onEnd(): void {
    this.happened.push("end");
    this.#wake();
  }

  onClose(error: Error | null): void {
    this.happened.push("close");
    this.error = error;
    this.#wake();
  }

  get text(): string {
    return Buffer.concat(this.chunks).toString("latin1");
  }

  /** Resolves when something is so. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise<void>((resolve) => this.#wakes.push(resolve));
  }

  ended(): Promise<void> {
    return this.until(() => this.happened.includes("end"));
  }

  closed(): Promise<void> {
    return this.until(() => this.happened.includes("close"));
  }

  #wake(): void {
    for (const wake of this.#wakes.splice(0)) wake();
  }
}

/** A listener, and both ends of the connections that are made to it. */
export class Scene implements AsyncDisposable {
  readonly #implementation: Implementation;
  readonly #accepted: [Connection, Notes][] = [];
  #waiting: (() => void)[] = [];
  listener!: BoundListener;
  #connections: Connection[] = [];

  constructor(implementation: Implementation) {
    this.#implementation = implementation;
  }

  /** Parts of the native implementation; undefined for others. */
  get native(): { readonly libc: Libc } | undefined {
    const { libc } = this.#implementation;
    return libc === undefined ? undefined : { libc };
  }

  /** Runs something with what is written at the end of the turn. */
  atTurnEnd(run: () => void): void {
    this.#implementation.turnEnd.add({ flushDue: false, flush: run, onFault() {} });
  }

  get transport(): Transport {
    return this.#implementation.transport;
  }

  async listen(options: Partial<ListenOptions> = {}): Promise<this> {
    this.listener = await this.#implementation.transport.listen({ ...this.options(), ...options });
    return this;
  }

  /** Of a listener that takes everybody. */
  options(): ListenOptions {
    return {
      address: "127.0.0.1",
      port: 0,
      tls: null,
      proxyHeader: () => null,
      admit: () => ({ moveTo: () => true, establish() {}, release() {}, evict() {} }),
      accept: (connection) => {
        const notes = new Notes();
        this.#accepted.push([connection, notes]);
        this.#connections.push(connection);
        for (const wake of this.#waiting.splice(0)) wake();
        return notes;
      },
      onError: (error) => {
        throw error;
      },
    };
  }

  async accepted(): Promise<[Connection, Notes]> {
    while (this.#accepted.length === 0) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    return this.#accepted.shift()!;
  }

  connect(
    port: number,
    preamble: Uint8Array | null = null,
    host = "127.0.0.1",
    tls: ClientTls | null = null,
    alpn: readonly string[] = [],
  ): { connection: Connection; notes: Notes; connected: Promise<void> } {
    const notes = new Notes();
    let onConnect = () => {};
    const connected = new Promise<void>((resolve) => onConnect = resolve);
    const connection = this.#implementation.transport.connect({
      host,
      port,
      preamble,
      tls,
      alpn,
      endpointName: host,
      events: notes,
      onConnect: () => onConnect(),
    });
    this.#connections.push(connection);
    return { connection, notes, connected };
  }

  /** Resolves when something that no event tells is so. */
  async settled(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise((resolve) => setTimeout(resolve, 1));
  }

  /** Both ends of a new connection. */
  async pair() {
    const client = this.connect(this.listener.port);
    const [[server, seen]] = await Promise.all([this.accepted(), client.connected]);
    return { client: client.connection, clientNotes: client.notes, server, serverNotes: seen };
  }

  async [Symbol.asyncDispose]() {
    for (const connection of this.#connections) connection.close();
    await this.listener?.close();
    this.#implementation[Symbol.dispose]();
  }
}

const OPEN = new UpstreamGuard({ blocked: [], allowed: [] });

/** A test of one implementation. */
export type Check = (
  what: string,
  body: (scene: Scene) => Promise<void>,
  guard?: UpstreamGuard,
) => void;

/** Makes tests for each implementation that can be used here; the others are skipped by name. */
export function forEachTransport(declare: (check: Check, name: string) => void): void {
  for (const [name, make] of Object.entries(IMPLEMENTATIONS)) {
    const problem = name === "native" ? nativeProblem() : "";
    declare((what, body, guard = OPEN) =>
      Deno.test({
        name: `${name}: ${what}${problem === "" ? "" : ` (${problem})`}`,
        ignore: problem !== "",
        async fn() {
          await using scene = new Scene(make(guard, ticketKeys()));
          await body(scene);
        },
      }), name);
  }
}
