import { isDeepStrictEqual } from "node:util";
import type { ResourceView } from "../../common/delta/delta_sender.ts";
import type { ResourceStore } from "../../common/delta/resource_store.ts";
import { Kind } from "../../common/delta/resources.ts";
import { type References, referencesOf } from "./references.ts";

/** Says whether a node serves a gateway, by the gateway resource's name. */
export type Serves = (node: string, gateway: string) => boolean;

/** What nodes that serve the same gateways get. */
interface Scope {
  readonly gateways: ReadonlySet<string>;
  keys: ReadonlySet<string>;
  outdated: boolean;
}

/**
 * What each node needs of the published resources: the gateways that it serves, the routes that these take,
 * and what all of these refer to. Nothing else leaves the controller.
 */
export class NodeScopes {
  readonly #store: ResourceStore;
  readonly #serves: Serves;
  readonly #references = new Map<string, References>();
  /** Names of all gateways. */
  readonly #gateways = new Set<string>();
  /** Scopes by the gateways that they serve. */
  readonly #scopes = new Map<string, Scope>();
  readonly #ofNode = new Map<string, Scope>();
  /** Keys that each node was last told of. */
  readonly #told = new Map<string, ReadonlySet<string>>();

  constructor(store: ResourceStore, serves: Serves) {
    this.#store = store;
    this.#serves = serves;
  }

  /** What a node may see. */
  viewFor(node: string): ResourceView {
    const store = this.#store;
    const allowed = (key: string) => this.#scope(node).keys.has(key);
    return {
      get version() {
        return store.version;
      },
      get: (key) => allowed(key) ? store.get(key) : undefined,
      keys: () => [...this.#scope(node).keys],
    };
  }

  /**
   * Resources changed, or which nodes serve which gateways.
   * @param keys of the resources that changed
   * @returns by node, the keys that changed for it
   */
  refresh(keys: readonly string[], nodes: Iterable<string>): Map<string, Set<string>> {
    if (this.#readReferences(keys)) {
      for (const scope of this.#scopes.values()) scope.outdated = true;
    }
    const changed = new Map<string, Set<string>>();
    const used = new Set<Scope>();
    for (const node of nodes) {
      const had = this.#told.get(node) ?? new Set<string>();
      const after = this.#assign(node);
      this.#told.set(node, after.keys);
      used.add(after);
      const differing = new Set(keys);
      // Scopes are replaced as a whole: the same set of keys is the same object.
      if (had !== after.keys) {
        for (const key of had) if (!after.keys.has(key)) differing.add(key);
        for (const key of after.keys) if (!had.has(key)) differing.add(key);
      }
      changed.set(node, differing);
    }
    for (const node of this.#ofNode.keys()) {
      if (changed.has(node)) continue;
      this.#ofNode.delete(node);
      this.#told.delete(node);
    }
    for (const [text, scope] of this.#scopes) if (!used.has(scope)) this.#scopes.delete(text);
    return changed;
  }

  #scope(node: string): Scope {
    return this.#ofNode.get(node) ?? this.#assign(node);
  }

  #assign(node: string): Scope {
    const gateways = new Set<string>();
    for (const name of this.#gateways) if (this.#serves(node, name)) gateways.add(name);
    const text = [...gateways].sort().join("|");
    let scope = this.#scopes.get(text);
    if (scope === undefined) {
      scope = { gateways, keys: new Set(), outdated: true };
      this.#scopes.set(text, scope);
    }
    if (scope.outdated) {
      scope.keys = this.#closure(scope.gateways);
      scope.outdated = false;
    }
    this.#ofNode.set(node, scope);
    return scope;
  }

  /** Takes in changed resources; returns whether anything refers to something else now. */
  #readReferences(keys: readonly string[]): boolean {
    let differs = false;
    for (const key of keys) {
      const resource = this.#store.get(key);
      const before = this.#references.get(key);
      if (resource === undefined) {
        if (key.startsWith(GATEWAY)) this.#gateways.delete(key.slice(GATEWAY.length));
        if (this.#references.delete(key)) differs = true;
        continue;
      }
      if (resource.kind === Kind.KIND_GATEWAY) this.#gateways.add(resource.name);
      const after = referencesOf(resource);
      if (before !== undefined && isDeepStrictEqual(before, after)) continue;
      this.#references.set(key, after);
      differs = true;
    }
    return differs;
  }

  #closure(gateways: ReadonlySet<string>): Set<string> {
    const keys = new Set<string>();
    const addresses = new Set<string>();
    const open: string[] = [];
    const add = (key: string) => {
      if (keys.has(key) || this.#store.get(key) === undefined) return;
      keys.add(key);
      open.push(key);
    };
    for (const [key, { gateways: takers, addresses: bound }] of this.#references) {
      const name = key.slice(key.indexOf("|") + 1);
      if (key.startsWith(GATEWAY) && gateways.has(name)) {
        add(key);
        for (const address of bound) addresses.add(address);
      } else if (takers.some((gateway) => gateways.has(gateway))) add(key);
    }
    for (let key = open.pop(); key !== undefined; key = open.pop()) {
      for (const needed of this.#references.get(key)?.needs ?? []) add(needed);
    }
    const objects = new Set(Array.from(keys, objectOf));
    for (const [key, { addresses: own }] of this.#references) {
      const [kind, name] = [key.slice(0, key.indexOf("|") + 1), key.slice(key.indexOf("|") + 1)];
      const wanted = kind === PROBLEM || (kind === OUTCOME && objects.has(name)) ||
        (kind === VIP && own.some((address) => addresses.has(address)));
      if (wanted) keys.add(key);
    }
    return keys;
  }
}

const GATEWAY = `${Kind.KIND_GATEWAY}|`;
const OUTCOME = `${Kind.KIND_OUTCOME}|`;
const PROBLEM = `${Kind.KIND_SOURCE_ERROR}|`;
const VIP = `${Kind.KIND_VIP}|`;

/** Key of the object that a resource comes from: its name without what tells its parts apart. */
function objectOf(key: string): string {
  const name = key.slice(key.indexOf("|") + 1);
  const [kind, namespace, rest = ""] = name.split("/");
  return `${kind}/${namespace}/${rest.replace(/[:@].*$/, "")}`;
}
