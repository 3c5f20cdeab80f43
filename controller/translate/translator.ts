import { isDeepStrictEqual } from "node:util";
import { keyOf, Kind, type Resource } from "../../common/delta/resources.ts";
import { sha256 } from "../../common/hash.ts";
import { redactText } from "../../common/redact.ts";
import { Outcome } from "../../proto/gen/novaedge/v1/distribution.ts";
import { deriveBackend } from "./backend.ts";
import { deriveBackendTlsPolicy } from "./backend_tls_policy.ts";
import { deriveConfigMap, deriveSecret } from "./certificate.ts";
import { Conditions } from "./conditions.ts";
import type { Derived, DerivedResource } from "./derived.ts";
import { type Failure, failuresOf } from "./failures.ts";
import { deriveGatewayApiGateway } from "./gateway_api_gateway.ts";
import { deriveGatewayClass } from "./gateway_class.ts";
import type { AddressBook, AddressRequest } from "./address_book.ts";
import type { GatewayRoute, StreamRoute } from "./gateway_parents.ts";
import { deriveGatewayRoute } from "./gateway_route.ts";
import { deriveNode } from "./node.ts";
import { deriveService } from "./service.ts";
import { deriveGateway } from "./gateway.ts";
import { deriveIngress } from "./ingress/ingress.ts";
import { deriveIngressClass } from "./ingress/ingress_class.ts";
import { deriveListenerSet } from "./listener_set.ts";
import { derivePolicy } from "./policy.ts";
import { deriveRoute } from "./route.ts";
import { deriveStreamRoute } from "./stream_route.ts";
import {
  type ObjectKey,
  objectKey,
  type SourceChange,
  type SourceObject,
} from "./source_object.ts";
import { ObjectStore } from "./object_store.ts";
import { RecordingView } from "./recording_view.ts";
import type { View } from "./view.ts";

/** How reads of single objects begin, and those of kinds that a source reads by reference. */
const OBJECT = "object:";
const WANTED = [`${OBJECT}Secret/`, `${OBJECT}ConfigMap/`];

function isWanted(read: string): boolean {
  return WANTED.some((prefix) => read.startsWith(prefix));
}

/** One change of the translated configuration. */
export interface ResourceUpdate {
  readonly kind: Kind;
  readonly name: string;
  /** Null when the resource is gone. */
  readonly resource: Resource | null;
}

interface Entry {
  readonly failures: readonly Failure[];
  readonly request: AddressRequest | null;
  readonly nodeSelector: Readonly<Record<string, string>> | null;
  readonly reads: ReadonlySet<string>;
  /** Resources of this object, by their keys. */
  readonly resources: ReadonlyMap<string, Resource>;
}

/** What an update did beside its result. */
export interface UpdateTrace {
  /** What was said before against the objects that were derived again. */
  readonly before: Map<string, readonly Failure[]>;
  /** Lookups whose result changed. */
  readonly touched: Set<string>;
}

/** A node refused a resource: the object it came from is not served as it stands. */
export interface Quarantine {
  readonly kind: Kind;
  readonly name: string;
  readonly hash: string;
  readonly reason: string;
}

/** What a translation depends on beside its objects. */
export interface TranslatorOptions {
  /** Of this installation, from which keys are made; the same after a restart. */
  readonly secret: Uint8Array;
  /** Assigns addresses to Gateways; null where they bind what they say. */
  readonly addresses?: AddressBook | null;
  /** Networks (CIDR) that Services of type ExternalName may lead to; empty where they are not served. */
  readonly externalNetworks?: readonly string[];
}

/**
 * Turns source objects into resources, incrementally: every derivation's reads are remembered, and a
 * change recomputes only the derivations that read what changed. Pure: no clock, no I/O.
 */
export class Translator {
  readonly #store = new ObjectStore();
  readonly #entries = new Map<string, Entry>();
  /** Derivations by what they read. */
  readonly #readers = new Map<string, Set<string>>();
  readonly #wanted = new Set<string>();
  readonly #quarantine = new Map<string, Quarantine>();
  /** Derivations computed since the start; tests compare it. */
  derivations = 0;
  readonly #secret: Uint8Array;
  readonly #addresses: AddressBook | null;
  readonly #externalNetworks: readonly string[];

  constructor({ secret, addresses = null, externalNetworks = [] }: TranslatorOptions) {
    this.#secret = secret;
    this.#addresses = addresses;
    this.#externalNetworks = externalNetworks;
  }

  /** Keys of the Secrets and ConfigMaps that derivations look for, whether they are there or not. */
  get wanted(): ReadonlySet<string> {
    return this.#wanted;
  }

  /** The object that is translated now. */
  objectAt(key: string): SourceObject | null {
    return this.#store.get(key) ?? null;
  }

  /** What is said against an object. */
  failuresOf(key: string): readonly Failure[] {
    return this.#entries.get(key)?.failures ?? [];
  }

  /** Lookups that the derivation of an object made. */
  readsOf(key: string): ReadonlySet<string> {
    return this.#entries.get(key)?.reads ?? new Set();
  }

  /**
   * Applies source changes; returns what changed in the configuration.
   * @param trace gets what else there is to know of it
   */
  update(changes: readonly SourceChange[], trace?: UpdateTrace): ResourceUpdate[] {
    const dirty = new Set<string>();
    const touched = new Set<string>();
    for (const change of changes) {
      dirty.add(objectKey(change.key));
      for (const read of this.#store.apply(change)) touched.add(read);
    }
    // Once for each lookup: objects of one index entry all read it, and all may change together.
    for (const read of touched) {
      for (const reader of this.#readers.get(read) ?? []) dirty.add(reader);
      trace?.touched.add(read);
    }
    return this.#recompute(dirty, trace);
  }

  /** Labels of the nodes that serve a Gateway, by its key; null for what is no Gateway of ours. */
  nodeSelectorOf(key: string): Readonly<Record<string, string>> | null {
    return this.#entries.get(key)?.nodeSelector ?? null;
  }

  /** Keys of the Ingresses of a class that name it. */
  ingressesOf(name: string): readonly ObjectKey[] {
    return this.#store.indexed(`ingress-class:${name}`, "Ingress");
  }

  /** Takes over the addresses that another controller handed out; returns what changed. */
  readdress(): ResourceUpdate[] {
    const dirty = new Set<string>();
    for (const gateway of this.#addresses?.adopt() ?? []) {
      for (const reader of this.#readers.get(`address:${gateway}`) ?? []) dirty.add(reader);
    }
    return this.#recompute(dirty);
  }

  /** Takes in a node's refusal; returns what changed (the object's outcome). */
  quarantine(refusal: Quarantine): ResourceUpdate[] {
    this.#quarantine.set(keyOf(refusal), refusal);
    const dirty = new Set<string>();
    for (const object of this.#store.values()) {
      const key = objectKey(object);
      if (this.#entries.get(key)?.resources.has(keyOf(refusal)) === true) dirty.add(key);
    }
    return this.#recompute(dirty);
  }

  #recompute(first: ReadonlySet<string>, trace?: UpdateTrace): ResourceUpdate[] {
    const updates: ResourceUpdate[] = [];
    for (let dirty = first; dirty.size > 0;) {
      const requests = new Map<string, AddressRequest | null>();
      for (const key of trace === undefined ? [] : dirty) {
        if (!trace!.before.has(key)) trace!.before.set(key, this.failuresOf(key));
      }
      for (const update of this.#pass(dirty, requests)) updates.push(update);
      dirty = this.#answered(requests);
    }
    return updates;
  }

  /** Hands on wishes for addresses; returns the derivations that read what came of them. */
  #answered(requests: ReadonlyMap<string, AddressRequest | null>): Set<string> {
    const dirty = new Set<string>();
    if (this.#addresses === null || requests.size === 0) return dirty;
    for (const gateway of this.#addresses.request(requests)) {
      for (const reader of this.#readers.get(`address:${gateway}`) ?? []) dirty.add(reader);
    }
    return dirty;
  }

  /** @param requests gets what derivations ask for anew */
  #pass(
    dirty: ReadonlySet<string>,
    requests: Map<string, AddressRequest | null>,
  ): ResourceUpdate[] {
    const updates: ResourceUpdate[] = [];
    for (const key of dirty) {
      const old = this.#entries.get(key);
      const next = this.#derive(key, old);
      const request = next?.request ?? null;
      if (!isDeepStrictEqual(request, old?.request ?? null)) requests.set(key, request);
      this.#replace(key, old, next);
      for (const [id, { kind, name }] of old?.resources ?? []) {
        if (next?.resources.has(id) !== true) updates.push({ kind, name, resource: null });
      }
      for (const [id, resource] of next?.resources ?? []) {
        if (old?.resources.get(id)?.hash === resource.hash) continue;
        updates.push({ kind: resource.kind, name: resource.name, resource });
      }
    }
    return updates;
  }

  #replace(key: string, old: Entry | undefined, next: Entry | null): void {
    for (const read of old?.reads ?? []) {
      if (next?.reads.has(read) === true) continue;
      const readers = this.#readers.get(read);
      readers?.delete(key);
      if (readers?.size !== 0) continue;
      this.#readers.delete(read);
      if (isWanted(read)) this.#wanted.delete(read.slice(OBJECT.length));
    }
    if (next === null) {
      this.#entries.delete(key);
      return;
    }
    this.#entries.set(key, next);
    for (const read of next.reads) {
      let readers = this.#readers.get(read);
      if (readers === undefined) {
        this.#readers.set(read, readers = new Set());
        if (isWanted(read)) this.#wanted.add(read.slice(OBJECT.length));
      }
      readers.add(key);
    }
  }

  /** @param old what the object became before */
  #derive(key: string, old: Entry | undefined): Entry | null {
    const object = this.#store.get(key);
    if (object === undefined) return null;
    this.derivations++;
    const view = new RecordingView(this.#store, {
      secret: this.#secret,
      addresses: this.#addresses,
      externalNetworks: this.#externalNetworks,
    });
    const derived = derivedOrKept(object, view, old);
    const resources = new Map<string, Resource>();
    const take = (part: DerivedResource): Resource => {
      const resource = { ...part, hash: sha256(part.body) };
      resources.set(keyOf(part), resource);
      return resource;
    };
    let { outcome } = derived;
    for (const part of derived.resources) outcome = this.#withQuarantine(take(part), outcome);
    take({ kind: Kind.KIND_OUTCOME, name: key, body: Outcome.encode(outcome).finish() });
    const { request } = view;
    const nodeSelector = derived.nodeSelector ?? null;
    return { reads: view.reads, resources, request, nodeSelector, failures: failuresOf(outcome) };
  }

  /** A refused resource shows in its object's outcome until the object changes. */
  #withQuarantine(resource: Resource, outcome: Outcome): Outcome {
    const key = keyOf(resource);
    const refusal = this.#quarantine.get(key);
    if (refusal === undefined) return outcome;
    if (refusal.hash !== resource.hash) {
      this.#quarantine.delete(key);
      return outcome;
    }
    const condition = {
      type: "Accepted",
      status: false,
      reason: "RefusedByDataplane",
      message: redactText(refusal.reason),
    };
    const others = outcome.conditions.filter(({ type }) => type !== "Accepted");
    return { ...outcome, conditions: [condition, ...others] };
  }
}

/** An object that derivation cannot cope with keeps what it was, and takes nobody else with it. */
function derivedOrKept(object: SourceObject, view: View, old: Entry | undefined): Derived {
  try {
    return derive(object, view);
  } catch (error) {
    const conditions = new Conditions();
    conditions.fail("Accepted", "TranslationFailed", (error as Error).message);
    const kept = [...old?.resources.values() ?? []];
    return {
      outcome: conditions.outcome(object),
      resources: kept.filter(({ kind }) => kind !== Kind.KIND_OUTCOME),
    };
  }
}

function derive(object: SourceObject, view: View): Derived {
  switch (object.kind) {
    case "ProxyGateway":
      return deriveGateway(object as SourceObject<"ProxyGateway">, view);
    case "ProxyRoute":
      return deriveRoute(object as SourceObject<"ProxyRoute">, view);
    case "ProxyBackend":
      return deriveBackend(object as SourceObject<"ProxyBackend">, view);
    case "ProxyPolicy":
      return derivePolicy(object as SourceObject<"ProxyPolicy">, view);
    case "Secret":
      return deriveSecret(object as SourceObject<"Secret">, view);
    case "GatewayClass":
      return deriveGatewayClass(object as SourceObject<"GatewayClass">, view);
    case "Gateway":
      return deriveGatewayApiGateway(object as SourceObject<"Gateway">, view);
    case "ListenerSet":
      return deriveListenerSet(object as SourceObject<"ListenerSet">, view);
    case "TLSRoute":
    case "TCPRoute":
    case "UDPRoute":
      return deriveStreamRoute(object as StreamRoute, view);
    case "BackendTLSPolicy":
      return deriveBackendTlsPolicy(object as SourceObject<"BackendTLSPolicy">, view);
    case "ConfigMap":
      return deriveConfigMap(object as SourceObject<"ConfigMap">, view);
    case "Ingress":
      return deriveIngress(object as SourceObject<"Ingress">, view);
    case "IngressClass":
      return deriveIngressClass(object as SourceObject<"IngressClass">, view);
    case "HTTPRoute":
    case "GRPCRoute":
      return deriveGatewayRoute(object as GatewayRoute, view);
    case "Node":
      return deriveNode(object as SourceObject<"Node">);
    case "Service":
      return deriveService(object as SourceObject<"Service">, view);
    case "Namespace":
    case "EndpointSlice":
    case "ReferenceGrant":
    case "GatewayParameters":
    case "CustomResourceDefinition":
      return { outcome: new Conditions().expect("Accepted").outcome(object), resources: [] };
  }
}
