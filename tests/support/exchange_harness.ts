import assert from "node:assert/strict";
import type { Backend } from "../../proto/gen/novaedge/v1/config.ts";
import { ascii } from "../../dataplane/http1/bytes.ts";
import { FakeConnection, FakeTransport } from "./fake_transport.ts";
import type { TlsFacts } from "../../dataplane/net/transport.ts";
import { AccessLog } from "../../dataplane/observe/access_log.ts";
import { countersOf, countersSize, GLOBAL } from "../../dataplane/observe/counters.ts";
import type {
  CompiledRule,
  PathKind,
  RouteEntry,
  WeightedRef,
} from "../../dataplane/router/compiled.ts";
import { ListenerTable, PortTable } from "../../dataplane/router/port_table.ts";
import { BackendRuntime } from "../../dataplane/upstream/backend_runtime.ts";
import { Ticker } from "../../dataplane/worker/ticker.ts";
import type { Engine, PortRuntime } from "../../dataplane/exchange/engine.ts";
import { ServerConnection } from "../../dataplane/exchange/server_connection.ts";

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
}

/** A whole worker without sockets: clients and backends are fake connections that the test drives. */
export class Harness {
  readonly ticker = new Ticker();
  readonly transport = new FakeTransport();
  readonly counters = countersOf(new SharedArrayBuffer(countersSize(1)), 0);
  readonly backends = new Map<string, BackendRuntime>();
  readonly listener = new ListenerTable("ns/gw/l", "");
  readonly table = new PortTable();
  readonly lines: Line[] = [];
  readonly engine: Engine;
  readonly port: PortRuntime;
  closed = 0;
  #now = 0;

  constructor() {
    const accessLog = new AccessLog((batch) => {
      for (const line of batch.trimEnd().split("\n")) {
        this.lines.push(JSON.parse(line));
      }
    });
    this.engine = {
      ticker: this.ticker,
      counters: this.counters,
      accessLog,
      backends: this.backends,
      timeOrigin: Date.UTC(2030, 0, 1),
      requestIdPrefix: "id",
      draining: false,
    };
    this.port = { table: this.table, scheme: "http", slotOf: () => 0, logs: () => true };
    this.table.setListener("", this.listener);
  }

  backend(name: string, changes: Partial<Backend> = {}): BackendRuntime {
    const { transport, ticker, counters } = this;
    const runtime = new BackendRuntime(name, { transport, ticker, counters }, 0);
    runtime.update({
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
      ...changes,
    } as Backend);
    this.backends.set(name, runtime);
    return runtime;
  }

  route(path: string, options: RouteOptions = {}): void {
    const refs = options.refs ?? [{ backend: "b", weight: 1, invalidReason: "" }];
    const rule: CompiledRule = {
      route: "ns/r",
      index: 0,
      refs,
      totalWeight: refs.reduce((sum, { weight }) => sum + weight, 0),
      requestTimeout: options.requestTimeout ?? 0,
      closedReason: options.closedReason ?? "",
    };
    const entry: RouteEntry = {
      rule,
      matchIndex: 0,
      pathKind: options.kind ?? "prefix",
      path,
      pattern: null,
      method: "",
      headers: [],
      query: [],
    };
    this.listener.add({ name: "ns/r", listeners: ["ns/gw/l"], hostnames: [""], entries: [entry] });
    this.table.changed();
  }

  client(tls: TlsFacts | null = null): FakeConnection & { server: ServerConnection } {
    const connection = new FakeConnection(tls);
    const peer = ascii("x-forwarded-for: 192.0.2.1\r\n");
    const server = new ServerConnection(
      this.engine,
      this.port,
      connection,
      peer,
      () => this.closed++,
    );
    connection.events = server;
    return Object.assign(connection, { server });
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
      this.ticker.tick(this.#now);
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
export const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

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
