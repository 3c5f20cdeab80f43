import type { ResourceView } from "../../common/delta/delta_sender.ts";
import type { ResourceStore } from "../../common/delta/resource_store.ts";
import { keyOf, Kind, type Resource, type Version } from "../../common/delta/resources.ts";
import { sha256 } from "../../common/hash.ts";
import { Gateway } from "../../proto/gen/novaedge/v1/config.ts";

/** Kinds that stop at the agent. */
const AGENT_ONLY = new Set([Kind.KIND_OUTCOME, Kind.KIND_SOURCE_ERROR]);
const HTTP = 80;
const HTTPS = 443;

/** Ports that listeners for 80 and 443 are bound to on this node. */
export interface PortMap {
  readonly http: number;
  readonly https: number;
}

/** The configuration as this node's dataplane gets it: without what is for the agent, ports remapped. */
export class NodeView implements ResourceView {
  readonly #store: ResourceStore;
  readonly #ports: PortMap;
  readonly #remapped = new Map<string, { from: string; resource: Resource }>();

  constructor(store: ResourceStore, ports: PortMap) {
    this.#store = store;
    this.#ports = ports;
  }

  get version(): Version {
    return this.#store.version;
  }

  get(key: string): Resource | undefined {
    const resource = this.#store.get(key);
    if (resource === undefined || AGENT_ONLY.has(resource.kind)) return undefined;
    return resource.kind === Kind.KIND_GATEWAY ? this.#gateway(key, resource) : resource;
  }

  *keys(): Generator<string> {
    for (const resource of this.#store.values()) {
      if (!AGENT_ONLY.has(resource.kind)) yield keyOf(resource);
    }
  }

  /** The resource as the store has it, for a reference to what the dataplane got. */
  original(
    ref: { kind: Kind; name: string; hash: string },
  ): { kind: Kind; name: string; hash: string } {
    const key = keyOf(ref);
    const entry = this.#remapped.get(key);
    return entry?.resource.hash === ref.hash ? { ...ref, hash: entry.from } : ref;
  }

  #gateway(key: string, resource: Resource): Resource {
    if (this.#ports.http === HTTP && this.#ports.https === HTTPS) return resource;
    const known = this.#remapped.get(key);
    if (known?.from === resource.hash) return known.resource;
    const gateway = Gateway.decode(resource.body);
    for (const listener of gateway.listeners) {
      if (listener.port === HTTP) listener.port = this.#ports.http;
      else if (listener.port === HTTPS) listener.port = this.#ports.https;
    }
    const body = Gateway.encode(gateway).finish();
    const remapped = { ...resource, body, hash: sha256(body) };
    this.#remapped.set(key, { from: resource.hash, resource: remapped });
    return remapped;
  }
}
