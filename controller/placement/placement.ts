import type { Node } from "../../api/core.ts";
import { Kind } from "../../common/delta/resources.ts";
import { sha256 } from "../../common/hash.ts";
import { Vip } from "../../proto/gen/novaedge/v1/config.ts";
import type { ResourceUpdate } from "../translate/translator.ts";
import { holderOf } from "./rendezvous.ts";

/** Milliseconds after its start in which a controller waits for who holds an address: agents tell it. */
export const DOUBT = 4_000;
/** Milliseconds without a word from an agent after which its node no longer counts. */
export const LOST_AFTER = 10_000;

/** Where a Gateway is served. */
export interface PlacedGateway {
  readonly addresses: readonly string[];
  /** Those of them that it had before this controller began: a node may hold them. */
  readonly earlier: readonly string[];
  /** Labels that nodes must have. */
  readonly nodeSelector: Readonly<Record<string, string>>;
}

interface NodeState {
  readonly labels: Readonly<Record<string, string>>;
  readonly addresses: ReadonlySet<string>;
  readonly ready: boolean;
}

/** A node of which the cluster says nothing. */
const UNKNOWN: NodeState = { labels: {}, addresses: new Set(), ready: true };

/**
 * Which nodes serve which Gateways, and which of them holds an address. Pure: times are given in
 * milliseconds of a clock that never goes back.
 */
export class Placement {
  #began: number;
  readonly #nodes = new Map<string, NodeState>();
  /** When each node's agent was last heard. */
  readonly #heard = new Map<string, number>();
  readonly #gateways = new Map<string, PlacedGateway>();
  /** Node by address. */
  readonly #holders = new Map<string, string>();
  /** Nodes that told that they hold an address, until that was settled. */
  readonly #kept = new Map<string, string>();
  /** Addresses that there were when this controller took over: a node may hold them. */
  #taken: ReadonlySet<string> = new Set();

  /** @param now from when on agents may come */
  constructor(now: number) {
    this.#began = now;
  }

  /** Another controller decided until now: what agents hold is as they tell, and counts. */
  begin(now: number): void {
    this.#began = now;
    this.#holders.clear();
    this.#taken = new Set([...this.#gateways.values()].flatMap(({ addresses }) => addresses));
  }

  /** A node's agent tells which addresses it holds: it keeps them where nobody else has them. */
  adopt(node: string, addresses: readonly string[]): void {
    for (const address of addresses) {
      if ((this.#holders.get(address) ?? "") === "") this.#kept.set(address, node);
    }
  }

  /** The cluster's word on a node; null when it is gone. */
  setNode(name: string, node: Node | null): void {
    if (node === null) {
      this.#nodes.delete(name);
      return;
    }
    const { conditions = [], addresses = [] } = node.status ?? {};
    this.#nodes.set(name, {
      labels: node.metadata.labels ?? {},
      addresses: new Set(addresses.map(({ address }) => address)),
      // Of a node that cannot reach the API server nothing is known; its agent may be here all the same.
      ready: conditions.every(({ type, status }) => type !== "Ready" || status !== "False"),
    });
  }

  /** A Gateway came or changed; null when it is gone. */
  setGateway(key: string, gateway: PlacedGateway | null): void {
    if (gateway === null) this.#gateways.delete(key);
    else this.#gateways.set(key, gateway);
  }

  /** A node's agent said something. */
  heard(node: string, now: number): void {
    this.#heard.set(node, now);
  }

  /** A node's agent said that it ends. */
  left(node: string): void {
    this.#heard.set(node, -LOST_AFTER);
  }

  /** Whether a node has the labels that a Gateway asks for. */
  serves(node: string, key: string): boolean {
    const gateway = this.#gateways.get(key);
    const { labels } = this.#nodes.get(node) ?? UNKNOWN;
    return gateway !== undefined &&
      Object.entries(gateway.nodeSelector).every(([label, value]) =>
        Object.hasOwn(labels, label) && labels[label] === value
      );
  }

  /** The nodes that serve a Gateway now: ready, and their agent was heard lately. */
  nodesOf(key: string, now: number): string[] {
    return this.#heardLately(now).filter((node) =>
      (this.#nodes.get(node) ?? UNKNOWN).ready && this.serves(node, key)
    );
  }

  /**
   * Settles who holds what; returns what changed. An address stays where it is as long as that node's agent is
   * there, whatever the cluster says of the node meanwhile: each move costs connections. It moves to ready nodes only.
   */
  settle(now: number): ResourceUpdate[] {
    const wanted = new Map<string, Set<string>>();
    const keepers = new Map<string, Set<string>>();
    const complete = new Map<string, boolean>();
    for (const [key, { addresses, earlier }] of this.#gateways) {
      const nodes = new Set(this.nodesOf(key, now));
      const here = new Set(this.#heardLately(now).filter((node) => this.serves(node, key)));
      const known = this.#isComplete(key, now);
      for (const address of addresses) {
        const held = earlier.includes(address) || this.#taken.has(address);
        complete.set(address, known || !held);
        // An address that Gateways share is where all of them are.
        wanted.set(address, wanted.get(address)?.intersection(nodes) ?? nodes);
        keepers.set(address, keepers.get(address)?.intersection(here) ?? here);
      }
    }
    const updates: ResourceUpdate[] = [];
    for (const address of this.#holders.keys()) {
      if (wanted.has(address)) continue;
      this.#holders.delete(address);
      updates.push({ kind: Kind.KIND_VIP, name: address, resource: null });
    }
    for (const [address, candidates] of wanted) {
      const held = this.#kept.get(address) ?? this.#holders.get(address) ?? "";
      this.#kept.delete(address);
      const chosen = complete.get(address)! ? holderOf(address, candidates) : null;
      const node = this.#ownerOf(address, candidates) ??
        (keepers.get(address)!.has(held) ? held : chosen ?? "");
      if (this.#holders.get(address) === node) continue;
      this.#holders.set(address, node);
      const body = Vip.encode(Vip.create({ address, node })).finish();
      const resource = { kind: Kind.KIND_VIP, name: address, body, hash: sha256(body) };
      updates.push({ kind: Kind.KIND_VIP, name: address, resource });
    }
    return updates;
  }

  /** The node whose own address it is. */
  #ownerOf(address: string, candidates: ReadonlySet<string>): string | null {
    for (const node of candidates) {
      if (this.#nodes.get(node)?.addresses.has(address) === true) return node;
    }
    return null;
  }

  #heardLately(now: number): string[] {
    return [...this.#heard].filter(([, at]) => now - at < LOST_AFTER).map(([node]) => node);
  }

  /** Whether every node that may hold a Gateway's addresses was heard, or had the time. */
  #isComplete(key: string, now: number): boolean {
    if (now - this.#began >= DOUBT) return true;
    return [...this.#nodes].every(([name, { ready }]) =>
      !ready || !this.serves(name, key) || this.#heard.has(name)
    );
  }
}
