import type { ResourceView } from "../../common/delta/delta_sender.ts";
import type { ResourceStore } from "../../common/delta/resource_store.ts";
import { keyOf, Kind, type Resource, type Version } from "../../common/delta/resources.ts";
import { sha256 } from "../../common/hash.ts";
import { Gateway, Vip } from "../../proto/gen/novaedge/v1/config.ts";

/** Kinds that stop at the agent. */
const AGENT_ONLY = new Set([Kind.KIND_VIP, Kind.KIND_OUTCOME, Kind.KIND_SOURCE_ERROR]);
const VIP = `${Kind.KIND_VIP}|`;
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
  readonly #node: string;
  /** Node by address, of the addresses that one node of several holds. */
  readonly #holders = new Map<string, string>();
  readonly #remapped = new Map<string, { from: string; resource: Resource }>();

  /** @param node name of this node */
  constructor(store: ResourceStore, node: string, ports: PortMap) {
    this.#store = store;
    this.#node = node;
    this.#ports = ports;
    this.#readHolders();
  }

  /** The addresses that are to be on this node. */
  heldHere(): Set<string> {
    const here = [...this.#holders].filter(([, node]) => node === this.#node);
    return new Set(here.map(([address]) => address));
  }

  /** Whether a key is that of an address that one node of several holds. */
  isAddress(key: string): boolean {
    return key.startsWith(VIP);
  }

  /** Takes in that keys changed in the store; returns the keys that changed for the dataplane. */
  changed(keys: readonly string[]): string[] {
    if (!keys.some((key) => this.isAddress(key))) return [...keys];
    this.#readHolders();
    // Listeners follow the addresses.
    const gateways = [...this.#store.values()].filter(({ kind }) => kind === Kind.KIND_GATEWAY);
    return [...new Set([...keys, ...gateways.map(keyOf)])];
  }

  #readHolders(): void {
    this.#holders.clear();
    for (const { kind, body } of this.#store.values()) {
      if (kind !== Kind.KIND_VIP) continue;
      const { address, node } = Vip.decode(body);
      this.#holders.set(address, node);
    }
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
    const holders = this.#holders;
    const mapped = this.#ports.http !== HTTP || this.#ports.https !== HTTPS;
    if (!mapped && holders.size === 0) return resource;
    const gateway = Gateway.decode(resource.body);
    const elsewhere = (address: string) => (holders.get(address) ?? this.#node) !== this.#node;
    const listeners = gateway.listeners.flatMap((listener) => {
      const bindAddresses = listener.bindAddresses.filter((address) => !elsewhere(address));
      // Without the addresses that are elsewhere it would be open on all.
      if (bindAddresses.length < listener.bindAddresses.length && bindAddresses.length === 0) {
        return [];
      }
      const port = listener.port === HTTP
        ? this.#ports.http
        : listener.port === HTTPS
        ? this.#ports.https
        : listener.port;
      return [{ ...listener, bindAddresses, port }];
    });
    const body = Gateway.encode({ ...gateway, listeners }).finish();
    const remapped = { ...resource, body, hash: sha256(body) };
    this.#remapped.set(key, { from: resource.hash, resource: remapped });
    return remapped;
  }
}
