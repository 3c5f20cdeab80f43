import type { Outcome } from "../../proto/gen/novaedge/v1/distribution.ts";

/** Which routes are attached to which listeners, and which ListenerSets to which Gateways; from outcomes. */
export class Attachments {
  /** Keys of routes by owner and listener: "Gateway/namespace/name", "listener". */
  readonly #routes = new Map<string, Map<string, Set<string>>>();
  /** Keys of ListenerSets by Gateway. */
  readonly #sets = new Map<string, Set<string>>();

  routes(owner: string, listener: string): number {
    return this.#routes.get(owner)?.get(listener)?.size ?? 0;
  }

  sets(gateway: string): number {
    return this.#sets.get(gateway)?.size ?? 0;
  }

  /**
   * An object's outcome changed.
   * @returns keys of the objects whose counts changed
   */
  update(key: string, before: Outcome | undefined, after: Outcome | undefined): Set<string> {
    const touched = new Set<string>();
    for (const [owner, listener] of attachedTo(before)) {
      this.#leave(owner, listener, key);
      touched.add(owner);
    }
    for (const [owner, listener] of attachedTo(after)) {
      this.#join(owner, listener, key);
      touched.add(owner);
    }
    const [left, joined] = [gatewayOf(before), gatewayOf(after)];
    if (left !== joined) {
      if (left !== null) {
        this.#sets.get(left)?.delete(key);
        touched.add(left);
      }
      if (joined !== null) {
        const sets = this.#sets.get(joined) ?? new Set();
        this.#sets.set(joined, sets.add(key));
        touched.add(joined);
      }
    }
    return touched;
  }

  #join(owner: string, listener: string, route: string): void {
    let listeners = this.#routes.get(owner);
    if (listeners === undefined) this.#routes.set(owner, listeners = new Map());
    let routes = listeners.get(listener);
    if (routes === undefined) listeners.set(listener, routes = new Set());
    routes.add(route);
  }

  #leave(owner: string, listener: string, route: string): void {
    const listeners = this.#routes.get(owner);
    const routes = listeners?.get(listener);
    routes?.delete(route);
    if (routes?.size !== 0) return;
    listeners!.delete(listener);
    if (listeners!.size === 0) this.#routes.delete(owner);
  }
}

const ROUTES = new Set(["HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute"]);

/** Owners and listeners that a route is attached to. */
function attachedTo(outcome: Outcome | undefined): [string, string][] {
  if (outcome === undefined || !ROUTES.has(outcome.kind)) return [];
  return outcome.parents.flatMap(({ kind, namespace, name, listeners }) =>
    listeners.map((listener): [string, string] => [`${kind}/${namespace}/${name}`, listener])
  );
}

/** The Gateway that has taken a ListenerSet. */
function gatewayOf(outcome: Outcome | undefined): string | null {
  if (outcome?.kind !== "ListenerSet" || outcome.parents.length === 0) return null;
  const accepted = outcome.conditions.some(({ type, status }) => type === "Accepted" && status);
  const [{ namespace, name }] = outcome.parents;
  return accepted ? `Gateway/${namespace}/${name}` : null;
}
