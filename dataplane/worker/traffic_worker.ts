/** Entry of one traffic worker (node:worker_threads): owns its sockets, tables, pools and counters. */
import { parentPort, workerData } from "node:worker_threads";
import { Kind } from "../../proto/gen/novaedge/v1/distribution.ts";
import type { Engine } from "../exchange/engine.ts";
import { CompressionTurns } from "../exchange/compression_turns.ts";
import { ExchangePool } from "../exchange/exchange_pool.ts";
import { createTransport } from "../net/create_transport.ts";
import { UpstreamGuard } from "../net/upstream_guard.ts";
import { resolveName } from "../net/node/resolve_name.ts";
import { faults } from "../loop/containment.ts";
import { turn } from "../loop/turn.ts";
import { AccessLog } from "../observe/access_log.ts";
import { EventLog } from "../observe/event_log.ts";
import { Spans } from "../observe/trace.ts";
import { LogBuffers } from "../observe/log_buffers.ts";
import { countersOf, GLOBAL } from "../observe/counters.ts";
import { ambiguous, askedAddress, explain } from "../router/explain.ts";
import { BucketTable } from "../policy/bucket_table.ts";
import { PolicyStore } from "../policy/policy_store.ts";
import type { BackendRuntime } from "../upstream/backend_runtime.ts";
import { EndpointTable } from "../upstream/endpoint_table.ts";
import { Inflight } from "../upstream/inflight.ts";
import { AddressBook } from "../upstream/address_book.ts";
import type { EndpointReport, FromWorker, ToWorker, WorkerSetup } from "./messages.ts";
import { IdleCollector } from "./idle_collector.ts";
import { ClientShares } from "../loop/client_shares.ts";
import { ClientTurns } from "../loop/client_turns.ts";
import { Overload } from "../loop/overload.ts";
import { PolicyServices } from "./policy_services.ts";
import { Ports } from "./ports.ts";
import { sharedClock } from "./shared_clock.ts";
import { Tables } from "./tables.ts";
import { TICK, Ticker } from "../loop/ticker.ts";
import { TurnClock } from "../loop/turn_clock.ts";

/** Ticks between two looks at slow-moving figures. */
const SLOW_TICKS = 20;

const setup = workerData as WorkerSetup;
const port = parentPort!;
const send = (message: FromWorker) => port.postMessage(message);

const counters = countersOf(setup.counters, setup.index);
const ticker = new Ticker();
const slots = new Map<string, number>();
const logBuffers = new LogBuffers((buffer, length, lines) =>
  port.postMessage({ type: "log", buffer, length, lines } satisfies FromWorker, [buffer])
);
const accessLog = new AccessLog(logBuffers);
const overload = new Overload();
const clients = new ClientShares(overload);
const guard = new UpstreamGuard(setup.upstreams);
const { transport, turnEnd, afterOthers, dropSpareMemory } = createTransport(
  setup.transport,
  guard,
  ticker,
  () => clients.alone,
);
// Callbacks that libraries know keep the event loop of a thread that has died, with its descriptors.
addEventListener("error", () => transport.close());
const events = new EventLog(
  (event) => send({ type: "event", ...event }),
  () => performance.now(),
);
faults.report = (error, what = "connection closed after an internal error") => {
  counters[GLOBAL.faults]++;
  const { message, stack = "" } = error instanceof Error ? error : new Error(String(error));
  events.add("error", what, { error: message, stack });
};
// What a library does in the background belongs to no connection: others need not end for it.
addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  faults.report(event.reason, "work in the background failed with an internal error");
});
const clock = new TurnClock(() => performance.now(), turnEnd);
const sharedNow = sharedClock(setup.clockOrigin, () => clock.now());
const services = new PolicyServices(send);
const backends = new Map<string, BackendRuntime>();
const policies = new PolicyStore({
  ticker,
  counters,
  buckets: new BucketTable(setup.buckets, setup.index + 1, setup.bucketCount),
  now: sharedNow,
  wallClock: () => performance.timeOrigin + clock.now(),
  backends,
  guard,
  numberOf: (policy) => services.numberOf(policy),
  followKeys: (url, refresh, timeout, onKeys) => services.followKeys(url, refresh, timeout, onKeys),
  checkPassword: (password, hash) => services.checkPassword(password, hash),
});
const tables = new Tables(
  {
    transport,
    ticker,
    counters,
    turnEnd,
    overload,
    addresses: new AddressBook(resolveName, () => performance.now()),
    random: Math.random,
    table: new EndpointTable(setup.endpoints),
    inflight: new Inflight(setup.inflight, setup.index, setup.workers),
    sharedNow,
    zone: setup.zone,
  },
  setup.index,
  backends,
  policies,
  guard,
);
const random = crypto.getRandomValues(new Uint8Array(8));
const spans = setup.tracing ? new Spans((batch) => send({ type: "spans", spans: batch })) : null;
const engine: Engine = {
  ticker,
  clock,
  counters,
  accessLog,
  events,
  clients,
  clientTurns: new ClientTurns(clients, afterOthers),
  compressions: new CompressionTurns(afterOthers, () => performance.now()),
  backends,
  policies,
  spans,
  timeOrigin: performance.timeOrigin,
  requestIdPrefix: Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join(""),
  turnEnd,
  overload,
  random: Math.random,
  later: (milliseconds, run) => {
    setTimeout(() => {
      turn.open++;
      run();
      turn.open--;
    }, milliseconds);
  },
  requests: 0,
  exchanges: new ExchangePool(),
  draining: false,
};
const idleCollector = new IdleCollector();
/** There with --expose-gc. */
const { gc } = globalThis as { gc?: (options: { type: string; flavor: string }) => void };
/** Collects all there is, and lets the memory go. */
const collect = gc === undefined ? undefined : () => {
  dropSpareMemory();
  gc({ type: "major", flavor: "last-resort" });
};
let claims = 0;
const claiming = new Map<number, (problem: string) => void>();
const ports = new Ports(
  tables,
  engine,
  transport,
  slots,
  (reports) => send({ type: "listeners", reports }),
  {
    claim: (address, port) =>
      new Promise((resolve) => {
        claiming.set(++claims, resolve);
        send({ type: "claim", claim: claims, address, port });
      }),
    release: (address, port) => send({ type: "release", address, port }),
  },
);

let ticks = 0;
setInterval(() => {
  if (turn.open !== 0) throw new Error("a callback was cut off: out of memory");
  endOverdue();
  ports.tick(ticker.now);
  accessLog.flush();
  spans?.flush();
  if (++ticks % SLOW_TICKS !== 0) return;
  observeMemory();
  counters[GLOBAL.logDropped] = accessLog.dropped;
}, TICK);

/** Ends what is overdue, with breaks for others. */
function endOverdue(): void {
  if (ticker.tick(performance.now())) afterOthers(endOverdue);
}

function observeMemory(): void {
  let { heapUsed, external } = Deno.memoryUsage();
  if (collect !== undefined && idleCollector.due(engine.requests, heapUsed, ticker.now)) {
    collect();
    ({ heapUsed, external } = Deno.memoryUsage());
    idleCollector.collected(heapUsed);
  }
  counters[GLOBAL.heapUsed] = heapUsed;
  counters[GLOBAL.external] = external;
  overload.observe(heapUsed + external, setup.heapBytes);
  counters[GLOBAL.buffered] = overload.buffered;
  counters[GLOBAL.shedding] = overload.shedding ? 1 : 0;
}

function endpoints(): EndpointReport[] {
  const reports: EndpointReport[] = [];
  for (const backend of backends.values()) {
    for (const { address, port, pool, load } of backend.endpoints) {
      reports.push({
        backend: backend.name,
        address,
        port,
        connections: pool.connections,
        idle: pool.idleConnections,
        active: load.active,
      });
    }
  }
  return reports;
}

function explainUrl(method: string, text: string, headers: Record<string, string>): string {
  const url = new URL(text);
  const number = Number(url.port) || (url.protocol === "https:" ? 443 : 80);
  const found = ports.find(number);
  if (found.length === 0) return JSON.stringify({ reason: `no listener on port ${number}` });
  const addresses = found.map(({ address }) => address);
  const address = askedAddress(addresses, url.hostname);
  if (address === null) return JSON.stringify(ambiguous(number, addresses));
  const { table } = found.find((port) => port.address === address)!;
  const lower = new Map(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
  );
  // The path as written, not as the URL parser would mend it.
  const rawPath = /^[a-z]+:\/\/[^/?#]*([^?#]*)/i.exec(text)?.[1] || "/";
  return JSON.stringify(explain(table, lower.get("host") ?? url.host, rawPath, {
    method,
    query: url.search.slice(1),
    header: (name) => lower.get(name) ?? null,
    // Whoever asks says who the client is in the way that proxies do.
    clientAddress: () => lower.get("x-forwarded-for") ?? "127.0.0.1",
    scheme: url.protocol.slice(0, -1),
    listenerPort: number,
  }));
}

async function drain(): Promise<void> {
  engine.draining = true;
  // Whoever waits in an accept queue is taken before the listeners close.
  await new Promise((resolve) => setImmediate(resolve));
  ports.drain();
  while (ports.connections > 0) await new Promise((resolve) => setTimeout(resolve, TICK / 2));
  accessLog.flush();
}

port.on("message", (message: ToWorker) => {
  turn.open++;
  void handle(message);
  turn.open--;
});

async function handle(message: ToWorker): Promise<void> {
  switch (message.type) {
    case "apply": {
      for (const [listener, slot] of message.slots) slots.set(listener, slot);
      services.learnNumbers(message.policies);
      const refusals = tables.apply(message.changes, message.backends);
      const gateways = message.changes.some(({ kind }) => kind === Kind.KIND_GATEWAY);
      if (gateways) await ports.reconcile();
      else ports.refresh();
      send({ type: "applied", id: message.id, refusals });
      break;
    }
    case "explain": {
      let json: string;
      try {
        json = explainUrl(message.method, message.url, message.headers);
      } catch (error) {
        json = JSON.stringify({ reason: (error as Error).message });
      }
      send({ type: "explained", id: message.id, json });
      break;
    }
    case "endpoints":
      send({ type: "endpoints", id: message.id, reports: endpoints() });
      break;
    case "keys":
      services.onKeys(message.wanted, message.json);
      break;
    case "passwordChecked":
      services.onPassword(message.id, message.right);
      break;
    case "logBuffer":
      logBuffers.recycle(message.buffer);
      break;
    case "claimed":
      claiming.get(message.claim)?.(message.problem);
      claiming.delete(message.claim);
      break;
    case "ending":
      engine.draining = true;
      ports.announceEnd();
      break;
    case "drain":
      await drain();
      send({ type: "drained", id: message.id });
      break;
    case "fault":
      breakOnPurpose(message.fault);
      break;
  }
}

/** Lets tests see that a broken worker takes nothing with it but its own connections. */
function breakOnPurpose(fault: string): void {
  if (!setup.faultInjection) return;
  if (fault === "throw") {
    setTimeout(() => {
      throw new Error("fault injected");
    });
    return;
  }
  if (fault === "reject") throw new Error("fault injected");
  if (fault === "collect") {
    // What is left after a collection tells a leak from garbage.
    collect?.();
    observeMemory();
    return;
  }
  const hoard: unknown[] = [];
  for (;;) hoard.push(new Array(100_000).fill({}));
}
