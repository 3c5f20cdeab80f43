import type { Buffer } from "node:buffer";
import { createHmac } from "node:crypto";
import type { KindName } from "../../api/kinds.ts";
import {
  fullName,
  type ObjectKey,
  objectKey,
  type SourceChange,
  type SourceObject,
} from "./source_object.ts";

/** Groups of objects that translation looks up together. */
export type Index =
  /** All objects of a kind in a namespace: "Kind/namespace". */
  | "namespace"
  /** ProxyGateways and Gateways with a listener on a port: "8080". */
  | "gateway-port"
  /** ProxyGateways and Gateways that refer to a Secret: "namespace/name". */
  | "gateway-secret"
  /** ProxyBackends that refer to a Secret: "namespace/name". */
  | "backend-secret"
  /** EndpointSlices of a Service: "namespace/name". */
  | "slice-service"
  /** Routes of the Gateway API that name a Service: "namespace/name". */
  | "route-service"
  /** ProxyPolicies by what they are attached to: "Kind/namespace/name". */
  | "policy-target"
  /** ProxyPolicies that refer to the certificate authorities of a Secret: "namespace/name". */
  | "policy-secret";

/** What a derivation may read; each read is remembered as a dependency. */
export interface View {
  get<K extends KindName>(kind: K, namespace: string, name: string): SourceObject<K> | null;
  /** Objects of an index entry, in key order. */
  select<K extends KindName>(kind: K, index: Index, key: string): SourceObject<K>[];
  /** A key for some purpose that nobody outside knows and that stays the same. */
  keyFor(purpose: string): Buffer;
}

const SERVICE_LABEL = "kubernetes.io/service-name";

/** Key of the objects that a policy is attached to in the index of targets; null for none. */
function targetKey({ namespace, body: { spec } }: SourceObject<"ProxyPolicy">): string | null {
  const { targetRef } = spec;
  // Nobody closes or restricts what belongs to another namespace.
  if (targetRef.namespace !== undefined && targetRef.namespace !== namespace) return null;
  return `${targetRef.kind}/${namespace}/${targetRef.name}`;
}

/** Secrets a gateway's listeners name. */
export function secretsOf(gateway: SourceObject<"ProxyGateway">): string[] {
  const names = new Set<string>();
  for (const listener of gateway.body.spec.listeners) {
    const configs = [listener.tls, ...Object.values(listener.tlsCertificates ?? {})];
    for (const config of configs) {
      if (config?.secretRef === undefined) continue;
      const { namespace = gateway.namespace, name } = config.secretRef;
      names.add(`${namespace}/${name}`);
    }
    const { caCertRef, mode } = listener.clientAuth ?? {};
    if (caCertRef !== undefined && mode !== "none") {
      names.add(`${caCertRef.namespace ?? gateway.namespace}/${caCertRef.name}`);
    }
  }
  return [...names];
}

/** Secrets a backend's TLS names; they are in its own namespace. */
export function secretsOfBackend({ namespace, body }: SourceObject<"ProxyBackend">): string[] {
  const { caCertSecretRef, clientCertSecretRef } = body.spec.tls ?? {};
  return [caCertSecretRef, clientCertSecretRef].filter((name) => name !== undefined).map((name) =>
    `${namespace}/${name}`
  );
}

/** Services that a route of the Gateway API names, for requests and for copies of them. */
function servicesOf({ namespace, body }: SourceObject<"HTTPRoute" | "GRPCRoute">): Set<string> {
  const services = new Set<string>();
  for (const { backendRefs = [], filters = [] } of body.spec.rules ?? []) {
    const mirrors = filters.flatMap(({ requestMirror }) =>
      requestMirror === undefined ? [] : [requestMirror.backendRef]
    );
    for (const ref of [...backendRefs, ...mirrors]) {
      if ((ref.kind ?? "Service") !== "Service" || (ref.group ?? "") !== "") continue;
      services.add(`${ref.namespace ?? namespace}/${ref.name}`);
    }
  }
  return services;
}

/** Index entries an object belongs to. */
export function indexKeysOf(object: SourceObject): Set<string> {
  const keys = new Set([`namespace:${object.kind}/${object.namespace}`]);
  if (object.kind === "ProxyGateway") {
    const gateway = object as SourceObject<"ProxyGateway">;
    for (const { port } of gateway.body.spec.listeners) keys.add(`gateway-port:${port}`);
    for (const secret of secretsOf(gateway)) keys.add(`gateway-secret:${secret}`);
  } else if (object.kind === "Gateway") {
    const gateway = object as SourceObject<"Gateway">;
    for (const { port, tls } of gateway.body.spec.listeners) {
      keys.add(`gateway-port:${port}`);
      for (const { namespace = gateway.namespace, name } of tls?.certificateRefs ?? []) {
        keys.add(`gateway-secret:${namespace}/${name}`);
      }
    }
  } else if (object.kind === "HTTPRoute" || object.kind === "GRPCRoute") {
    for (const service of servicesOf(object as SourceObject<"HTTPRoute" | "GRPCRoute">)) {
      keys.add(`route-service:${service}`);
    }
  } else if (object.kind === "ProxyBackend") {
    for (const secret of secretsOfBackend(object as SourceObject<"ProxyBackend">)) {
      keys.add(`backend-secret:${secret}`);
    }
  } else if (object.kind === "ProxyPolicy") {
    const policy = object as SourceObject<"ProxyPolicy">;
    const target = targetKey(policy);
    if (target !== null) keys.add(`policy-target:${target}`);
    const secret = policy.body.spec.forwardAuth?.tls?.caCertSecretRef;
    if (secret !== undefined) keys.add(`policy-secret:${policy.namespace}/${secret}`);
  } else if (object.kind === "EndpointSlice") {
    const service = object.body.metadata.labels?.[SERVICE_LABEL];
    if (service !== undefined) {
      keys.add(`slice-service:${fullName({ namespace: object.namespace, name: service })}`);
    }
  }
  return keys;
}

/** The objects of a source with their indexes. */
export class ObjectStore {
  readonly #objects = new Map<string, SourceObject>();
  readonly #indexes = new Map<string, Map<string, SourceObject>>();

  get(key: string): SourceObject | undefined {
    return this.#objects.get(key);
  }

  values(): Iterable<SourceObject> {
    return this.#objects.values();
  }

  indexed(index: string): SourceObject[] {
    const entry = this.#indexes.get(index);
    if (entry === undefined) return [];
    return [...entry].sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0).map(([, object]) => object);
  }

  /** Applies one change; returns the lookups whose result may differ now. */
  apply({ key, object }: SourceChange): Set<string> {
    const text = objectKey(key);
    const old = this.#objects.get(text);
    const touched = new Set([`object:${text}`]);
    if (old !== undefined) {
      for (const index of indexKeysOf(old)) {
        touched.add(index);
        const entry = this.#indexes.get(index)!;
        entry.delete(text);
        if (entry.size === 0) this.#indexes.delete(index);
      }
      this.#objects.delete(text);
    }
    if (object !== null) {
      this.#objects.set(text, object);
      for (const index of indexKeysOf(object)) {
        touched.add(index);
        let entry = this.#indexes.get(index);
        if (entry === undefined) this.#indexes.set(index, entry = new Map());
        entry.set(text, object);
      }
    }
    return touched;
  }
}

/** A view over a store that records what was read. */
export class RecordingView implements View {
  readonly #store: ObjectStore;
  readonly #secret: Uint8Array;
  readonly reads = new Set<string>();

  /** @param secret from which keys are made */
  constructor(store: ObjectStore, secret: Uint8Array) {
    this.#store = store;
    this.#secret = secret;
  }

  keyFor(purpose: string): Buffer {
    return createHmac("sha256", this.#secret).update(purpose).digest();
  }

  get<K extends KindName>(kind: K, namespace: string, name: string): SourceObject<K> | null {
    const key = objectKey({ kind, namespace, name });
    this.reads.add(`object:${key}`);
    return (this.#store.get(key) as SourceObject<K> | undefined) ?? null;
  }

  select<K extends KindName>(kind: K, index: Index, key: string): SourceObject<K>[] {
    const entry = index === "namespace" ? `namespace:${kind}/${key}` : `${index}:${key}`;
    this.reads.add(entry);
    return this.#store.indexed(entry).filter((object) => object.kind === kind) as SourceObject<K>[];
  }
}

export type { ObjectKey };
