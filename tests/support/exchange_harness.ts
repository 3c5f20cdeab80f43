import assert from "node:assert/strict";
import type { Backend } from "../../proto/gen/novaedge/v1/config.ts";
import { FakeConnection, FakeTransport } from "./fake_transport.ts";
import type { TlsFacts } from "../../dataplane/net/transport.ts";
import { plainRef } from "./route_builders.ts";
import { EventLog, type WorkerEvent } from "../../dataplane/observe/event_log.ts";
import { AccessLog } from "../../dataplane/observe/access_log.ts";
import { logMemory } from "./log_memory.ts";
import { countersOf, countersSize, GLOBAL } from "../../dataplane/observe/counters.ts";
import type {
  CompiledRule,
  Fault,
  PathKind,
  RouteEntry,
  ValuePredicate,
  WeightedRef,
} from "../../dataplane/router/compiled.ts";
import {
  type ListenerSettings,
  ListenerTable,
  PLAIN_LISTENER,
  PortTable,
} from "../../dataplane/router/port_table.ts";
import { BackendRuntime } from "../../dataplane/upstream/backend_runtime.ts";
import { BucketTable, bucketTableSize } from "../../dataplane/policy/bucket_table.ts";
import { UpstreamGuard } from "../../dataplane/net/upstream_guard.ts";
import { PolicyStore } from "../../dataplane/policy/policy_store.ts";
import type { FromWorker } from "../../dataplane/worker/messages.ts";
import { PolicyServices } from "../../dataplane/worker/policy_services.ts";
import { NO_POLICIES, type PolicyLevels } from "../../dataplane/router/policy_levels.ts";
import { Ticker } from "../../dataplane/loop/ticker.ts";
import type { Engine, PortRuntime } from "../../dataplane/exchange/engine.ts";
import { CompressionTurns } from "../../dataplane/exchange/compression_turns.ts";
import { ExchangePool } from "../../dataplane/exchange/exchange_pool.ts";
import { Http1Connection } from "../../dataplane/exchange/http1_connection.ts";
import { Http2Connection } from "../../dataplane/exchange/http2_connection.ts";
import { type Peer, peerOf } from "../../dataplane/exchange/peer.ts";
import { TurnEnd } from "../../dataplane/loop/turn_end.ts";
import type { RetryPolicy } from "../../dataplane/router/retry_policy.ts";
import type { FieldEdit } from "../../dataplane/message/field_edit.ts";
import type { RuleFilters } from "../../dataplane/router/filters.ts";
import { EndpointTable, endpointTableSize } from "../../dataplane/upstream/endpoint_table.ts";
import { Inflight, inflightSize } from "../../dataplane/upstream/inflight.ts";
import { AddressBook } from "../../dataplane/upstream/address_book.ts";
import type { BackendTransport } from "../../dataplane/upstream/backend_transport.ts";
import { type ClientShare, ClientShares } from "../../dataplane/loop/client_shares.ts";
import { ClientTurns } from "../../dataplane/loop/client_turns.ts";
import { Overload } from "../../dataplane/loop/overload.ts";

/** One line of the access log. */
export interface Line {
  readonly method: string;
  readonly host: string;
  readonly path: string;
  readonly status: number;
  readonly reason: string;
  readonly bytes_in: number;
  readonly bytes_out: number;
}

export interface RouteOptions {
  readonly kind?: PathKind;
  readonly requestTimeout?: number;
  readonly closedReason?: string;
  readonly refs?: readonly WeightedRef[];
  readonly filters?: RuleFilters;
  readonly answerEdit?: FieldEdit;
  readonly tlsRedirect?: { readonly status: number; readonly port: number };
  readonly backendTimeout?: number;
  readonly maxBody?: number;
  readonly retry?: RetryPolicy;
  readonly policies?: PolicyLevels;
  readonly idleTimeout?: number;
  readonly fault?: Fault;
  readonly restricts?: boolean;
  readonly bodyMethods?: readonly string[];
  readonly requestBuffer?: number;
  readonly answerBuffer?: number;
  /** Conditions on fields, and on the address of the client. */
  readonly headers?: readonly ValuePredicate[];
  readonly clients?: { has(address: string): boolean };
}

/** A whole worker without sockets: clients and backends are fake connections that the test drives. */
export class Harness {
  readonly ticker = new Ticker();
  readonly transport = new FakeTransport();
  readonly counters = countersOf(new SharedArrayBuffer(countersSize(1)), 0);
  readonly backends = new Map<string, BackendRuntime>();
  readonly listener: ListenerTable;
  /** What policies ask of the main thread: nobody answers unless the test does. */
  readonly services = new PolicyServices((message) => this.asked.push(message));
  readonly asked: FromWorker[] = [];
  readonly policies: PolicyStore;
  readonly overload = new Overload();
  readonly clients = new ClientShares(this.overload);
  /** Frames are written when the test says that the turn is over. */
  readonly turnEnd = new TurnEnd(() => {});
  readonly table = new PortTable();
  readonly lines: Line[] = [];
  readonly events: WorkerEvent[] = [];
  readonly engine: Engine;
  readonly port: PortRuntime;
  closed = 0;
  /** What is known of endpoints; the first backend has slot 0, its endpoints those behind it. */
  readonly endpoints = new EndpointTable(new SharedArrayBuffer(endpointTableSize(64)));
  #slots = 0;
  readonly #later: { readonly at: number; readonly run: () => void }[] = [];
  #now = 0;

  /** @param random a number in [0, 1), for choices and jitter */
  constructor(
    settings: ListenerSettings = PLAIN_LISTENER,
    readonly random: () => number = () => 0.5,
  ) {
    this.listener = new ListenerTable("ns/gw/l", settings);
    const accessLog = new AccessLog(logMemory((text) => {
      for (const line of text.trimEnd().split("\n")) this.lines.push(JSON.parse(line));
    }));
    const keys = 1024;
    this.policies = new PolicyStore({
      ticker: this.ticker,
      counters: this.counters,
      buckets: new BucketTable(new SharedArrayBuffer(bucketTableSize(keys)), 1, keys),
      now: () => this.#now,
      wallClock: () => Date.now() + this.#now,
      guard: new UpstreamGuard({ blocked: [], allowed: [] }),
      backends: this.backends,
      numberOf: () => 1,
      followKeys: (url, refresh, timeout, onKeys) =>
        this.services.followKeys(url, refresh, timeout, onKeys),
      checkPassword: (password, hash) => this.services.checkPassword(password, hash),
    });
    this.engine = {
      events: new EventLog((event) => this.events.push(event), () => performance.now()),
      clients: this.clients,
      clientTurns: new ClientTurns(
        this.clients,
        (run) => this.#later.push({ at: this.#now + 1, run }),
      ),
      compressions: new CompressionTurns(
        (run) => void setTimeout(run, 0),
        () => performance.now(),
      ),
      ticker: this.ticker,
      clock: performance,
      counters: this.counters,
      accessLog,
      backends: this.backends,
      policies: this.policies,
      spans: null,
      timeOrigin: Date.UTC(2030, 0, 1),
      requestIdPrefix: "id",
      turnEnd: this.turnEnd,
      overload: this.overload,
      random,
      later: (milliseconds, run) => this.#later.push({ at: this.#now + milliseconds, run }),
      requests: 0,
      exchanges: new ExchangePool(),
      draining: false,
    };
    this.port = { table: this.table, scheme: "http", slotOf: () => 0, logs: () => true };
    this.table.setListener("", this.listener);
  }

  backend(
    name: string,
    changes: Partial<Backend> = {},
    how?: BackendTransport,
  ): BackendRuntime {
    const { transport, ticker, counters, turnEnd, overload } = this;
    const addresses = new AddressBook(
      () => Promise.reject(new Error("no names here")),
      () => this.#now,
    );
    const { random, endpoints: table } = this;
    const inflight = new Inflight(new SharedArrayBuffer(inflightSize(1, 64)), 0, 1);
    const sharedNow = () => this.#now;
    const zone = "a";
    const runtime = new BackendRuntime(
      name,
      {
        ...{ transport, ticker, counters, turnEnd, overload, addresses, random },
        ...{ table, inflight, sharedNow, zone },
      },
      0,
    );
    const message = {
      namespace: "ns",
      name,
      lbPolicy: 0,
      connectTimeoutMs: 0,
      idleTimeoutMs: 0,
      maxConnectionsPerEndpoint: 0,
      maxIdlePerEndpoint: 0,
      maxPendingRequests: 0,
      endpoints: [{ address: "10.0.0.1", port: 80, weight: 1 }],
      closedReason: "",
      prewarmConnections: 0,
      policies: [],
      servicePolicies: [],
      ...changes,
    } as Backend;
    const slots = [undefined, ...message.endpoints].map(() => this.#slots++);
    runtime.update(message, slots, how);
    this.backends.set(name, runtime);
    return runtime;
  }

  route(path: string, options: RouteOptions = {}): void {
    const refs = options.refs ?? [plainRef("b")];
    const rule: CompiledRule = {
      route: "ns/r",
      created: "",
      owner: "ns/r",
      index: 0,
      refs,
      totalWeight: refs.reduce((sum, { weight }) => sum + weight, 0),
      requestTimeout: options.requestTimeout ?? 0,
      timed: options.requestTimeout !== undefined || options.backendTimeout !== undefined,
      closedReason: options.closedReason ?? "",
      upgrades: [],
      filters: options.filters ?? null,
      answerEdit: options.answerEdit ?? null,
      tlsRedirect: options.tlsRedirect ?? null,
      backendTimeout: options.backendTimeout ?? 0,
      maxBody: options.maxBody ?? 0,
      retry: options.retry ?? null,
      policies: options.policies ?? NO_POLICIES,
      restricts: options.restricts ?? false,
      bodyMethods: options.bodyMethods ?? [],
      idleTimeout: options.idleTimeout ?? 0,
      fault: options.fault ?? null,
      requestBuffer: options.requestBuffer ?? 0,
      answerBuffer: options.answerBuffer ?? 0,
    };
    const entry: RouteEntry = {
      rule,
      matchIndex: 0,
      pathKind: options.kind ?? "prefix",
      path,
      pattern: null,
      early: false,
      method: "",
      headers: options.headers ?? [],
      query: [],
      clients: options.clients ?? null,
    };
    this.listener.add({ name: "ns/r", listeners: ["ns/gw/l"], hostnames: [""], entries: [entry] });
    this.table.changed();
  }

  client(
    tls: TlsFacts | null = null,
    address = "192.0.2.1",
  ): FakeConnection & { server: Http1Connection } {
    const connection = new FakeConnection(tls);
    connection.remoteAddress = address;
    const peer = peerOf(connection, {
      scheme: "http",
      port: 80,
      certificateFields: "",
      share: this.#shareOf(connection.remoteAddress),
    });
    const server = new Http1Connection(this.engine, this.port, connection, peer, {
      onClosed: () => this.#closed(peer),
      onPreface: (_replaced, bytes) => {
        connection.events = this.#http2(connection);
        connection.events.onData(bytes);
      },
    });
    connection.events = server;
    return Object.assign(connection, { server });
  }

  /** A client whose connection speaks HTTP/2 from its first byte. */
  http2Client(tls: TlsFacts | null = null): FakeConnection & { server: Http2Connection } {
    const connection = new FakeConnection(tls);
    const server = this.#http2(connection);
    connection.events = server;
    return Object.assign(connection, { server });
  }

  #http2(connection: FakeConnection): Http2Connection {
    const peer = peerOf(connection, {
      scheme: "http",
      port: 80,
      certificateFields: "",
      share: this.#shareOf(connection.remoteAddress),
    });
    return new Http2Connection(
      this.engine,
      this.port,
      connection,
      peer,
      () => this.#closed(peer),
    );
  }

  /** As for the connections that a worker accepts. */
  #shareOf(address: string): ClientShare {
    const trusted = this.listener.settings.trustedProxies?.has(address) === true;
    return trusted ? this.clients.proxies.hold() : this.clients.hold(address);
  }

  #closed({ share }: Peer): void {
    this.closed++;
    share.leave();
  }

  /** Backend connection number `index`, opened. */
  upstream(index: number): FakeConnection {
    assert.ok(this.transport.opened.length > index, `connection ${index} was never opened`);
    return this.transport.establish(index);
  }

  get connects(): number {
    return this.transport.opened.length;
  }

  get resent(): number {
    return this.counters[GLOBAL.resent];
  }

  /** Moves the clock in steps, as the worker's timer does. */
  pass(milliseconds: number): void {
    const end = this.#now + milliseconds;
    while (this.#now < end) {
      this.#now = Math.min(end, this.#now + 1000);
      while (this.ticker.tick(this.#now));
      for (const due of this.#later.filter(({ at }) => at <= this.#now)) {
        this.#later.splice(this.#later.indexOf(due), 1);
        due.run();
      }
    }
  }

  /** Log lines so far. */
  log(): Line[] {
    this.engine.accessLog.flush();
    return this.lines;
  }
}

/** A worker with one backend behind every path. */
export function harness(options: RouteOptions = {}, backend: Partial<Backend> = {}): Harness {
  const out = new Harness();
  out.backend("b", backend);
  out.route("/", options);
  return out;
}

export const GET = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
export const OK = "HTTP/1.1 200 OK\r\nDate: now\r\nContent-Length: 2\r\n\r\nok";

/** Whether text is one complete HTTP/1.1 answer to GET, by its own framing. */
export function complete(text: string): boolean {
  const end = text.indexOf("\r\n\r\n");
  if (end < 0) return false;
  const body = text.slice(end + 4);
  const length = /^content-length: (\d+)\r$/im.exec(text.slice(0, end + 2));
  if (length !== null) return body.length === Number(length[1]);
  return /^transfer-encoding: chunked\r$/im.test(text.slice(0, end + 2)) &&
    body.endsWith("0\r\n\r\n");
}
