import { isDeepStrictEqual } from "node:util";
import type { ResourceView } from "../../common/delta/delta_sender.ts";
import type { ResourceStore } from "../../common/delta/resource_store.ts";
import { Kind } from "../../common/delta/resources.ts";
import { type References, referencesOf } from "./references.ts";
import { Scope } from "./scope.ts";

/** Says whether a node serves a gateway, by the gateway resource's name. */
export type Serves = (node: string, gateway: string) => boolean;

const GATEWAY = `${Kind.KIND_GATEWAY}|`;

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
  /** The scope that each node was last told of. */
  readonly #ofNode = new Map<string, Scope>();

  constructor(store: ResourceStore, serves: Serves) {
    this.#store = store;
    this.#serves = serves;
  }

  /** What a node may see. */
  viewFor(node: string): ResourceView {
    const store = this.#store;
    const scope = () => this.#ofNode.get(node) ?? this.#scopeFor(node);
    return {
      get version() {
        return store.version;
      },
      get: (key) => scope().keys.has(key) ? store.get(key) : undefined,
      keys: () => [...scope().keys],
    };
  }

  /**
   * Resources changed, or which nodes serve which gateways.
   * @param keys of the resources that changed
   * @returns by node, the keys that changed for it
   */
  refresh(keys: readonly string[], nodes: Iterable<string>): Map<string, ReadonlySet<string>> {
    for (const key of keys) this.#readReferences(key);
    const touched = new Map<Scope, ReadonlySet<string>>();
    for (const scope of this.#scopes.values()) touched.set(scope, scope.takeTouched());
    /** What changes for nodes that come from one scope to another: the same for all of them. */
    const moves = new Map<Scope | undefined, Map<Scope, ReadonlySet<string>>>();
    const changed = new Map<string, ReadonlySet<string>>();
    const given = new Set(keys);
    for (const node of nodes) {
      const before = this.#ofNode.get(node);
      const after = this.#scopeFor(node);
      this.#ofNode.set(node, after);
      let known = moves.get(before);
      if (known === undefined) moves.set(before, known = new Map());
      let differing = known.get(after);
      if (differing === undefined) {
        // What a scope lost now, a node that had it was told of.
        const lately = (before === undefined ? undefined : touched.get(before)) ?? new Set();
        differing = given.union(lately);
        if (before !== after) {
          const had = before?.keys ?? new Set<string>();
          differing = differing.union(had.symmetricDifference(after.keys));
        }
        known.set(after, differing);
      }
      changed.set(node, differing);
    }
    for (const node of this.#ofNode.keys()) if (!changed.has(node)) this.#ofNode.delete(node);
    const used = new Set(this.#ofNode.values());
    for (const [text, scope] of this.#scopes) if (!used.has(scope)) this.#scopes.delete(text);
    return changed;
  }

  #scopeFor(node: string): Scope {
    const gateways = new Set<string>();
    for (const name of this.#gateways) if (this.#serves(node, name)) gateways.add(name);
    const text = [...gateways].sort().join("|");
    let scope = this.#scopes.get(text);
    if (scope === undefined) {
      scope = new Scope(gateways, this.#references);
      scope.takeTouched();
      this.#scopes.set(text, scope);
    }
    return scope;
  }

  /** Takes in a resource that came, changed or went. */
  #readReferences(key: string): void {
    const resource = this.#store.get(key);
    const before = this.#references.get(key);
    const after = resource === undefined ? undefined : referencesOf(resource);
    if (after === undefined) this.#references.delete(key);
    else this.#references.set(key, after);
    if (key.startsWith(GATEWAY)) {
      const name = key.slice(GATEWAY.length);
      if (after === undefined) this.#gateways.delete(name);
      else this.#gateways.add(name);
    }
    if (isDeepStrictEqual(before, after)) return;
    for (const scope of this.#scopes.values()) scope.replace(key, before, after);
  }
}
