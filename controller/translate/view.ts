import type { Buffer } from "node:buffer";
import type { KindName } from "../../api/kinds.ts";
import type { AddressAnswer, AddressRequest } from "./address_book.ts";
import type { SourceObject } from "./source_object.ts";

/** Groups of objects that translation looks up together. */
export type Index =
  /** All objects of a kind in a namespace: "Kind/namespace". */
  | "namespace"
  /** ProxyGateways, Gateways and ListenerSets with a listener on a port: "8080". */
  | "gateway-port"
  /** ProxyGateways, Gateways and ListenerSets that refer to a Secret: "namespace/name". */
  | "gateway-secret"
  /** GatewayParameters whose default certificate is a Secret: "namespace/name". */
  | "default-certificate"
  /** Gateways and BackendTLSPolicies that refer to a ConfigMap: "namespace/name". */
  | "config-map-user"
  /** Gateways that show backends a certificate: "all". */
  | "client-certificate"
  /** ListenerSets of a Gateway: "namespace/name". */
  | "listener-set"
  /** BackendTLSPolicies of a Service: "namespace/name". */
  | "tls-policy"
  /** ProxyBackends, and Ingresses for their backends, that refer to a Secret: "namespace/name". */
  | "backend-secret"
  /** Ingresses by the class that they name, "" for none. */
  | "ingress-class"
  /** Ingresses by the paths that they claim. */
  | "ingress-path"
  /** Ingresses with a Secret for the TLS of a host, as it is written: "host". */
  | "tls-host"
  /** Ingresses that take a part of others' requests: "namespace/host". */
  | "canary"
  /** IngressClasses of ours: "ours". */
  | "ingress-controller"
  /** Definitions of the Gateway API's kinds: "all". */
  | "gateway-api-definition"
  /** IngressClasses that are used where none is named: "all". */
  | "default-class"
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
  /** Whether objects that are not served here are served by nobody: those of a folder, and not of a cluster. */
  readonly alone: boolean;
  /** Networks (CIDR) that Services of type ExternalName may lead to; empty where they are not served. */
  readonly externalNetworks: readonly string[];
  get<K extends KindName>(kind: K, namespace: string, name: string): SourceObject<K> | null;
  /** Objects of an index entry, in key order: the same list until one of them changes. */
  select<K extends KindName>(kind: K, index: Index, key: string): readonly SourceObject<K>[];
  /** A key for some purpose that nobody outside knows and that stays the same. */
  keyFor(purpose: string): Buffer;
  /** The addresses of a Gateway, by its key; null where nobody hands out addresses. */
  addressesOf(gateway: string): AddressAnswer | null;
  /** Says which addresses the Gateway that is being translated wants. */
  requestAddresses(request: AddressRequest): void;
}
