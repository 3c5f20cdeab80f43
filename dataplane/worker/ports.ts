import { LIMIT } from "../config/defaults.ts";
import { ascii } from "../http1/bytes.ts";
import type { Engine, PortRuntime } from "../exchange/engine.ts";
import { ServerConnection } from "../exchange/server_connection.ts";
import type { BoundListener, Connection, TlsServerOptions, Transport } from "../net/transport.ts";
import { GLOBAL, SLOT } from "../observe/counters.ts";
import { HostMap } from "../router/host.ts";
import { type HostDecision, PortTable } from "../router/port_table.ts";
import type { ListenerReport } from "./messages.ts";
import type { ListenerState, Tables } from "./tables.ts";

/** Milliseconds between two tries to bind an address that is taken. */
const REBIND = 1_000;

/** Who knows which addresses belong to this process. */
export interface PortOwner {
  /** Asks to bind; the answer is why not, or "". */
  claim(address: string, port: number): Promise<string>;
  release(address: string, port: number): void;
}

/** One bound address and what it serves now. */
class Port implements PortRuntime {
  table = new PortTable();
  scheme: "http" | "https" = "http";
  listeners: ListenerState[] = [];
  bound: BoundListener | null = null;
  problem = "";
  /** Ticker time of the next try to bind; Infinity while none is due. */
  retryAt = Infinity;
  closed = false;
  sni = new HostMap<ListenerState>();
  #slots: ReadonlyMap<string, number>;

  constructor(readonly address: string, readonly port: number, slots: ReadonlyMap<string, number>) {
    this.#slots = slots;
  }

  slotOf(listener: string | null): number {
    return this.#slots.get(listener ?? this.listeners[0]?.key ?? "") ?? 0;
  }

  logs(decision: HostDecision): boolean {
    if (decision.listener === null) return this.listeners.some(({ accessLog }) => accessLog);
    const { key } = decision.listener;
    for (const listener of this.listeners) if (listener.key === key) return listener.accessLog;
    return true;
  }
}

/** The listening sockets of one worker: opened, closed and re-pointed as the tables say. */
export class Ports {
  readonly connections = new Set<ServerConnection>();
  readonly #ports = new Map<string, Port>();
  readonly #tables: Tables;
  readonly #engine: Engine;
  readonly #transport: Transport;
  readonly #slots: ReadonlyMap<string, number>;
  readonly #report: (reports: ListenerReport[]) => void;
  readonly #owner: PortOwner;

  constructor(
    tables: Tables,
    engine: Engine,
    transport: Transport,
    slots: ReadonlyMap<string, number>,
    report: (reports: ListenerReport[]) => void,
    owner: PortOwner,
  ) {
    this.#owner = owner;
    this.#tables = tables;
    this.#engine = engine;
    this.#transport = transport;
    this.#slots = slots;
    this.#report = report;
  }

  /** Port table by number, for explanations; null when nothing listens there. */
  find(port: number): Port | null {
    for (const candidate of this.#ports.values()) if (candidate.port === port) return candidate;
    return null;
  }

  /** After a change of routes only: hosts must be looked up anew. */
  refresh(): void {
    for (const port of this.#ports.values()) port.table.changed();
  }

  /** Brings sockets and tables in line with the listeners; resolves when every new port was tried. */
  async reconcile(): Promise<void> {
    const wanted = new Map<string, ListenerState[]>();
    for (const listener of this.#tables.listeners.values()) {
      const key = `${listener.address}|${listener.port}`;
      const group = wanted.get(key);
      if (group === undefined) wanted.set(key, [listener]);
      else group.push(listener);
    }
    for (const [key, port] of this.#ports) {
      if (wanted.has(key)) continue;
      this.#ports.delete(key);
      this.#close(port);
    }
    const opening: Promise<void>[] = [];
    for (const [key, listeners] of wanted) {
      let port = this.#ports.get(key);
      if (port !== undefined && (port.scheme === "https") !== listeners[0].https) {
        this.#close(port);
        port = undefined;
      }
      const isNew = port === undefined;
      port ??= new Port(listeners[0].address, listeners[0].port, this.#slots);
      this.#ports.set(key, port);
      this.#point(port, listeners);
      if (isNew) opening.push(this.#open(port));
    }
    await Promise.all(opening);
    this.report();
  }

  /** Tries again to bind what could not be bound. */
  tick(now: number): void {
    for (const port of this.#ports.values()) {
      if (port.retryAt > now) continue;
      port.retryAt = Infinity;
      void this.#open(port).then(() => {
        if (port.problem === "") this.report();
      });
    }
  }

  report(): void {
    const reports: ListenerReport[] = [];
    for (const port of this.#ports.values()) {
      for (const { key } of port.listeners) {
        reports.push({
          listener: key,
          address: port.address,
          port: port.port,
          problem: port.problem,
        });
      }
    }
    this.#report(reports);
  }

  /** Stops accepting; connections end as their exchanges do. */
  drain(): void {
    for (const port of this.#ports.values()) this.#close(port);
    this.#ports.clear();
    for (const connection of this.connections) connection.drain();
  }

  #point(port: Port, listeners: ListenerState[]): void {
    port.listeners = listeners.toSorted((a, b) => a.key < b.key ? -1 : 1);
    port.scheme = listeners[0].https ? "https" : "http";
    const table = new PortTable();
    const sni = new HostMap<ListenerState>();
    for (const listener of port.listeners) {
      for (const hostname of listener.hostnames) {
        if (sni.get(hostname) !== undefined) continue;
        table.setListener(hostname, listener.table);
        sni.set(hostname, listener);
      }
    }
    port.table = table;
    port.sni = sni;
  }

  async #open(port: Port): Promise<void> {
    const refused = await this.#owner.claim(port.address, port.port);
    if (refused !== "") {
      port.problem = refused;
      port.retryAt = this.#engine.ticker.now + REBIND;
      return;
    }
    try {
      const bound = await this.#transport.listen({
        address: port.address,
        port: port.port,
        tls: port.scheme === "https" ? this.#tls(port) : null,
        accept: (connection) => this.#accept(port, connection),
        onError: (error) => {
          port.problem = error.message;
          this.report();
        },
      });
      port.problem = "";
      port.bound = bound;
      if (port.closed) this.#close(port);
    } catch (error) {
      this.#owner.release(port.address, port.port);
      port.problem = (error as Error).message;
      port.retryAt = this.#engine.ticker.now + REBIND;
    }
  }

  #close(port: Port): void {
    port.closed = true;
    port.retryAt = Infinity;
    if (port.bound === null) return;
    this.#owner.release(port.address, port.port);
    void port.bound.close();
  }

  #accept(port: Port, connection: Connection): ServerConnection | typeof REFUSED {
    const { counters } = this.#engine;
    if (this.connections.size >= LIMIT.connectionsPerWorker) {
      counters[GLOBAL.refusedConnections]++;
      connection.close();
      return REFUSED;
    }
    if (!versionAllowed(port, connection)) {
      counters[port.slotOf(connection.tls!.listener) * SLOT.size + SLOT.handshakeErrors]++;
      connection.close();
      return REFUSED;
    }
    const base = port.slotOf(connection.tls === null ? null : connection.tls.listener) * SLOT.size;
    counters[base + SLOT.accepted]++;
    counters[base + SLOT.open]++;
    const peer = ascii(
      `x-forwarded-for: ${connection.remoteAddress}\r\nx-real-ip: ${connection.remoteAddress}\r\n` +
        `x-forwarded-proto: ${port.scheme}\r\nx-forwarded-port: ${port.port}\r\n`,
    );
    const served = new ServerConnection(this.#engine, port, connection, peer, (closed) => {
      this.connections.delete(closed);
      counters[base + SLOT.open]--;
    });
    this.connections.add(served);
    return served;
  }

  #tls(port: Port): TlsServerOptions {
    const { certificates } = this.#tables;
    const oldest = port.listeners.every(({ minVersion }) => minVersion === "TLS1.3");
    return {
      minVersion: oldest ? "TLSv1.3" : "TLSv1.2",
      handshakeTimeout: LIMIT.tlsHandshake,
      listenerFor: (name) => port.sni.lookup(name)[0]?.key ?? "",
      contextFor: (name) => {
        const listener = port.sni.lookup(name)[0];
        if (listener === undefined) return null;
        const names = new HostMap<string>();
        for (const { serverName, certificate } of listener.certificates) {
          names.set(serverName, certificate);
        }
        for (const certificate of names.lookup(name)) {
          const loaded = certificates.get(certificate);
          if (loaded !== undefined) return loaded.context;
        }
        return null;
      },
      onHandshakeError: () => {
        const base = port.slotOf(null) * SLOT.size;
        this.#engine.counters[base + SLOT.handshakeErrors]++;
      },
    };
  }
}

/**
 * Whether the negotiated version is one the listener allows: a port accepts the oldest that any of its
 * listeners does, because the version is settled before the server name is known.
 */
function versionAllowed(port: Port, { tls }: Connection): boolean {
  if (tls === null || tls.protocol === "TLSv1.3") return true;
  const listener = port.listeners.find(({ key }) => key === tls.listener);
  return listener?.minVersion !== "TLS1.3";
}

/** Receiver of a connection that was refused. */
const REFUSED = {
  onData() {},
  onDrain() {},
  onEnd() {},
  onClose() {},
};
