import { Kind, type Version } from "../../common/delta/resources.ts";
import type { Logger } from "../../common/log.ts";
import { Outcome } from "../../proto/gen/novaedge/v1/distribution.ts";
import type { Node } from "../../api/core.ts";
import { AddressAllocator } from "../addresses/address_allocator.ts";
import type { SessionState } from "../distribution/session.ts";
import { DOUBT, Placement } from "../placement/placement.ts";
import type { ApiClient } from "../source/kubernetes/api_client.ts";
import type { KubernetesSource } from "../source/kubernetes/kubernetes_source.ts";
import { ProblemEvents } from "../status/problem_events.ts";
import type { Status } from "../status/status_documents.ts";
import { StatusWriter } from "../status/status_writer.ts";
import { type ObjectKey, objectKey, type SourceChange } from "../translate/source_object.ts";
import type { ResourceUpdate, Translator } from "../translate/translator.ts";
import { Leadership } from "./leadership.ts";
import { Programmed } from "./programmed.ts";

/** Milliseconds between two looks at which nodes are there. */
const TICK = 1_000;

/** What the cluster's side needs of the rest of the controller. */
export interface ClusterOptions {
  readonly client: ApiClient;
  readonly log: Logger;
  /** Every connected agent. */
  readonly sessions: () => SessionState[];
  /** Publishes changes that come from nodes, not from objects. */
  readonly publish: (updates: readonly ResourceUpdate[]) => void;
  /** Where this controller stands in an election; null where there is none, and it leads. */
  readonly election: ElectionSettings | null;
  /** This controller serves agents from now on. @param term null without elections */
  readonly onServe: (term: number | null) => void;
  readonly onStop: () => void;
  /** Another controller leads from now on. */
  readonly onOther: () => void;
}

/** How this controller takes part in elections. */
export interface ElectionSettings {
  readonly namespace: string;
  readonly identity: string;
  /** Where agents reach this controller. */
  readonly address: string;
}

/** What a controller does for a cluster beside translating its objects: addresses, nodes, statuses. */
export class Cluster {
  readonly addresses: AddressAllocator;
  readonly writer: StatusWriter;
  readonly #events: ProblemEvents;
  readonly #options: ClusterOptions;
  readonly #leadership: Leadership | null;
  readonly #placement = new Placement(performance.now());
  readonly #programmed = new Programmed();
  /** Version with which an object's present generation was published. */
  readonly #since = new Map<string, Version>();
  /** Gateway by ListenerSet. */
  readonly #parents = new Map<string, string>();
  /** Addresses by Gateway. */
  readonly #held = new Map<string, readonly string[]>();
  #source: KubernetesSource | null = null;
  #translator: Translator | null = null;
  #alive = "";
  #timer: ReturnType<typeof setInterval> | undefined;
  #doubt: ReturnType<typeof setTimeout> | undefined;

  constructor(options: ClusterOptions) {
    this.#options = options;
    const { client, log, election, onServe, onStop, onOther } = options;
    this.#leadership = election === null ? null : new Leadership({
      ...election,
      client,
      log,
      source: () => this.#source!,
      onServe: (term) => {
        this.#placement.begin(performance.now());
        onServe(term);
        this.writer.touchAll();
        this.#events.tellAll();
        // What waited for nodes that have not come is settled then, and not when somebody looks again.
        clearTimeout(this.#doubt);
        this.#doubt = setTimeout(() => this.#tick(), DOUBT);
      },
      onStop,
      onOther,
    });
    this.addresses = new AddressAllocator((key) => this.#before(key));
    const writing = {
      client,
      log,
      factsOf: (key: ObjectKey) => this.#source?.factsOf(key),
      leads: () => this.leads,
      time: () => new Date().toISOString().replace(/\.\d+Z$/, "Z"),
    };
    this.writer = new StatusWriter({
      ...writing,
      programmed: (key, listener) => this.#programming(key, listener),
      now: () => performance.now(),
    });
    this.#events = new ProblemEvents(writing);
  }

  /** Whether this controller serves agents and writes statuses. */
  get leads(): boolean {
    return this.#leadership?.leads ?? true;
  }

  /** Where the controller is that does, "" when nobody knows. */
  get leaderAddress(): string {
    return this.#leadership?.leaderAddress ?? "";
  }

  /**
   * Whether an agent may wait here until a controller leads: this one is about to, or the one that leads could
   * not be reached and is lost.
   */
  mayWait(unreachable: string): boolean {
    const here = this.#leadership?.holds ?? true;
    return here || (unreachable !== "" && unreachable === this.leaderAddress);
  }

  /** Whether a node serves a gateway, by the gateway resource's name. */
  serves(node: string, gateway: string): boolean {
    // Kinds of our own say nothing of nodes: all of them serve.
    if (gateway.startsWith("ProxyGateway/")) return true;
    return this.#placement.serves(node, this.#parents.get(gateway) ?? gateway);
  }

  start(source: KubernetesSource, translator: Translator): void {
    this.#source = source;
    this.#translator = translator;
    this.#timer = setInterval(() => this.#tick(), TICK);
    this.#events.start();
    this.#leadership?.start();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    clearTimeout(this.#doubt);
    await this.#leadership?.stop();
    this.writer.stop();
    this.#events.stop();
  }

  /** Objects of the source changed. */
  taken(changes: readonly SourceChange[]): void {
    for (const { key, object } of changes) {
      if (key.kind !== "Node") continue;
      this.#placement.setNode(key.name, object === null ? null : object.body as Node);
    }
  }

  /** Something changed of an object that is not translated. */
  touched(key: ObjectKey): void {
    this.writer.touch(objectKey(key));
  }

  /** What has to be published with these updates: who holds which address. */
  place(updates: readonly ResourceUpdate[]): ResourceUpdate[] {
    for (const { kind, name, resource } of updates) {
      if (kind !== Kind.KIND_OUTCOME) continue;
      if (/^(Gateway|IngressClass)\//.test(name)) this.#placeGateway(name, resource?.body ?? null);
      else if (name.startsWith("ListenerSet/")) this.#placeSet(name, resource?.body ?? null);
    }
    return this.#placement.settle(performance.now());
  }

  /** Updates were published as this version. */
  published(updates: readonly ResourceUpdate[], version: Version): void {
    const moved = new Set<string>();
    for (const { kind, name, resource } of updates) {
      if (kind === Kind.KIND_VIP) moved.add(name);
      else if (kind === Kind.KIND_OUTCOME && /^(Gateway|ListenerSet)\//.test(name)) {
        if (resource !== null) this.#since.set(name, version);
        else {
          this.#since.delete(name);
          this.#programmed.forget(name);
        }
      }
    }
    for (const [key, addresses] of this.#held) {
      if (addresses.some((address) => moved.has(address))) this.#since.set(key, version);
    }
    this.writer.update(updates);
    this.#events.update(updates);
    if (moved.size > 0) this.writer.touchServed();
  }

  /** A node's agent came or said something. */
  heard(node: string): void {
    this.#placement.heard(node, performance.now());
    this.writer.touchServed();
  }

  /** A node's agent came, and holds these addresses. */
  arrived(node: string, addresses: readonly string[]): void {
    this.#placement.heard(node, performance.now());
    this.#placement.adopt(node, addresses);
    this.#tick();
    this.writer.touchServed();
  }

  /** A node ends: its addresses move at once. */
  left(node: string): void {
    this.#placement.left(node);
    this.#tick();
  }

  #tick(): void {
    const now = performance.now();
    const updates = this.#placement.settle(now);
    if (updates.length > 0) this.#options.publish(updates);
    const alive = [...this.#held.keys()].map((key) => this.#placement.nodesOf(key, now)).join("|");
    if (alive === this.#alive) return;
    this.#alive = alive;
    this.writer.touchServed();
  }

  #placeGateway(key: string, body: Uint8Array | null): void {
    const nodeSelector = this.#translator!.nodeSelectorOf(key);
    if (body === null || nodeSelector === null) {
      this.#placement.setGateway(key, null);
      this.#held.delete(key);
      return;
    }
    const { addresses } = Outcome.decode(body);
    this.#held.set(key, addresses);
    this.#placement.setGateway(key, { addresses, earlier: this.#before(key), nodeSelector });
  }

  #placeSet(key: string, body: Uint8Array | null): void {
    const [parent] = body === null ? [] : Outcome.decode(body).parents;
    if (parent === undefined) this.#parents.delete(key);
    else this.#parents.set(key, `Gateway/${parent.namespace}/${parent.name}`);
  }

  #programming(key: string, listener: string) {
    const gateway = this.#parents.get(key) ?? key;
    const [kind, namespace, name] = key.split("/") as [ObjectKey["kind"], string, string];
    const sessions = new Map(this.#options.sessions().map((state) => [state.node, state]));
    return this.#programmed.of(
      {
        key,
        generation: this.#source?.factsOf({ kind, namespace, name })?.generation ?? 0,
        since: this.#since.get(key),
        nodes: this.#placement.nodesOf(gateway, performance.now()),
        addresses: this.#held.get(gateway) ?? [],
      },
      listener,
      sessions,
    );
  }

  /** The addresses that a Gateway had before this controller began. */
  #before(key: string): string[] {
    const [kind, namespace, name] = key.split("/");
    if (kind === "IngressClass") return this.#beforeOfClass(name);
    const facts = this.#source?.factsOf({ kind: "Gateway", namespace, name });
    const { addresses = [] } = (facts?.status ?? {}) as Status;
    return addresses.map(({ value }) => value);
  }

  /** Classes have no status: their Ingresses say it. */
  #beforeOfClass(name: string): string[] {
    for (const ingress of this.#translator?.ingressesOf(name) ?? []) {
      const { loadBalancer } = (this.#source?.factsOf(ingress)?.status ?? {}) as Status;
      const found = (loadBalancer?.ingress ?? []).flatMap(({ ip }) => ip === undefined ? [] : [ip]);
      if (found.length > 0) return found;
    }
    return [];
  }
}
