import type { PortRuntime } from "../exchange/engine.ts";
import type { BoundListener } from "../net/transport.ts";
import { HostMap } from "../router/host.ts";
import { type HostDecision, PortTable } from "../router/port_table.ts";
import { type ListenerState, portTable } from "../router/listener_state.ts";

/** One bound address and what it serves now. */
export class Port implements PortRuntime {
  table = new PortTable();
  scheme: "http" | "https" = "http";
  listeners: ListenerState[] = [];
  bound: BoundListener | null = null;
  problem = "";
  /** Ticker time of the next try to bind; Infinity while none is due. */
  retryAt = Infinity;
  closed = false;
  /** Connections of this worker that are open. */
  open = 0;
  sni = new HostMap<ListenerState>();
  readonly #slots: ReadonlyMap<string, number>;

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

  /** Takes over the listeners that share the address. */
  point(listeners: readonly ListenerState[]): void {
    this.listeners = listeners.toSorted((a, b) => a.key < b.key ? -1 : 1);
    this.scheme = listeners[0].https ? "https" : "http";
    const sni = new HostMap<ListenerState>();
    for (const listener of this.listeners) {
      for (const hostname of listener.hostnames) {
        if (sni.get(hostname) === undefined) sni.set(hostname, listener);
      }
    }
    this.table = portTable(this.listeners);
    this.sni = sni;
  }

  /** The listener that a server name selects, undefined for none. */
  listenerFor(serverName: string): ListenerState | undefined {
    return this.sni.lookup(serverName)[0];
  }

  listener(key: string): ListenerState | undefined {
    return this.listeners.find((listener) => listener.key === key);
  }

  /** Smallest of a limit over the listeners that set it, else `fallback`. */
  limit(name: "maxConnections" | "maxConnectionsPerClient", fallback: number): number {
    let smallest = fallback;
    for (const listener of this.listeners) {
      if (listener[name] > 0) smallest = Math.min(smallest, listener[name]);
    }
    return smallest;
  }
}
