import type { Engine } from "../exchange/engine.ts";
import type { Transport } from "../net/transport.ts";
import { Acceptor } from "./acceptor.ts";
import type { ListenerState } from "../router/listener_state.ts";
import type { ListenerReport } from "./messages.ts";
import { Port } from "./port.ts";
import type { Tables } from "./tables.ts";

/** Milliseconds between two tries to bind an address that is taken. */
const REBIND = 1_000;

/** Who knows which addresses belong to this process. */
export interface PortOwner {
  /** Asks to bind; the answer is why not, or "". */
  claim(address: string, port: number): Promise<string>;
  release(address: string, port: number): void;
}

/** The listening sockets of one worker: opened, closed and re-pointed as the tables say. */
export class Ports {
  readonly #acceptor: Acceptor;
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
    this.#acceptor = new Acceptor(engine, tables.certificates, transport);
    tables.onCertificate = () => this.#acceptor.drainOutdated();
    this.#tables = tables;
    this.#engine = engine;
    this.#transport = transport;
    this.#slots = slots;
    this.#report = report;
  }

  /** Open connections of clients. */
  get connections(): number {
    return this.#acceptor.size;
  }

  /** The ports of a number, one for each address at which it is open. */
  find(port: number): readonly Port[] {
    return [...this.#ports.values()].filter((candidate) => candidate.port === port);
  }

  /** After a change of routes only: hosts must be looked up anew. */
  refresh(): void {
    for (const port of this.#ports.values()) port.table.changed();
  }

  /** Brings sockets and tables in line with the listeners; resolves when every new port was tried. */
  async reconcile(): Promise<void> {
    const wanted = new Map<string, { address: string; listeners: ListenerState[] }>();
    for (const listener of this.#tables.listeners.values()) {
      for (const address of listener.addresses) {
        const key = `${address}|${listener.port}`;
        const group = wanted.get(key);
        if (group === undefined) wanted.set(key, { address, listeners: [listener] });
        else group.listeners.push(listener);
      }
    }
    for (const [key, port] of this.#ports) {
      if (wanted.has(key)) continue;
      this.#ports.delete(key);
      this.#close(port);
    }
    const opening: Promise<void>[] = [];
    for (const [key, { address, listeners }] of wanted) {
      let port = this.#ports.get(key);
      if (port !== undefined && (port.scheme === "https") !== listeners[0].https) {
        this.#close(port);
        port = undefined;
      }
      const isNew = port === undefined;
      port ??= new Port(address, listeners[0].port, this.#slots);
      this.#ports.set(key, port);
      port.point(listeners);
      if (isNew) opening.push(this.#open(port));
    }
    this.#acceptor.drainOutdated();
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
      for (const listener of port.listeners) {
        reports.push({
          listener: listener.key,
          address: port.address,
          port: port.port,
          problem: port.problem || this.#acceptor.problemOf(listener),
        });
      }
    }
    this.#report(reports);
  }

  /** Lets HTTP/2 connections move on; the others do with their next answer. */
  announceEnd(): void {
    this.#acceptor.announceEnd();
  }

  /** Stops accepting; connections end as their exchanges do. */
  drain(): void {
    for (const port of this.#ports.values()) this.#close(port);
    this.#ports.clear();
    this.#acceptor.drain();
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
        ...this.#acceptor.optionsFor(port),
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
}
