import { type Static, Type } from "typebox";
import type { KindDefinition } from "./kind.ts";
import { bool, choice, integer, list, metadata, optional, port, text } from "./schema.ts";

/** The core kinds that translation reads; fields we do not read may be there. */

const open = Type.Object;

function core<T extends ReturnType<typeof Type.Object>>(
  group: string,
  version: string,
  kind: string,
  plural: string,
  schema: T,
): KindDefinition<T> {
  return {
    group,
    version,
    kind,
    plural,
    shortNames: [],
    schema,
    status: null,
    columns: [],
    rules: [],
    unserved: [],
    strict: false,
  };
}

const secret = open({
  apiVersion: Type.Literal("v1"),
  kind: Type.Literal("Secret"),
  metadata: metadata(),
  type: optional(text()),
  data: optional(Type.Record(Type.String(), Type.String())),
  stringData: optional(Type.Record(Type.String(), Type.String())),
});

export type Secret = Static<typeof secret>;
export const SECRET = core("", "v1", "Secret", "secrets", secret);

const configMap = open({
  apiVersion: Type.Literal("v1"),
  kind: Type.Literal("ConfigMap"),
  metadata: metadata(),
  data: optional(Type.Record(Type.String(), Type.String())),
});

export type ConfigMap = Static<typeof configMap>;
export const CONFIG_MAP = core("", "v1", "ConfigMap", "configmaps", configMap);

const node = open({
  apiVersion: Type.Literal("v1"),
  kind: Type.Literal("Node"),
  metadata: metadata(),
  status: optional(open({
    addresses: optional(list(open({ type: text(), address: text() }))),
    conditions: optional(list(open({ type: text(), status: text() }))),
  })),
});

export type Node = Static<typeof node>;
export const NODE: KindDefinition<typeof node> = {
  ...core("", "v1", "Node", "nodes", node),
  clusterScoped: true,
};

const service = open({
  apiVersion: Type.Literal("v1"),
  kind: Type.Literal("Service"),
  metadata: metadata(),
  spec: open({
    type: optional(text()),
    externalName: optional(text()),
    ports: optional(list(open({
      name: optional(text()),
      port: port(),
      targetPort: optional(Type.Union([Type.Integer(), Type.String()])),
      protocol: optional(text({ default: "TCP" })),
      appProtocol: optional(text()),
    }))),
  }),
});

export type Service = Static<typeof service>;
export const SERVICE = core("", "v1", "Service", "services", service);

const endpointSlice = open({
  apiVersion: Type.Literal("discovery.k8s.io/v1"),
  kind: Type.Literal("EndpointSlice"),
  metadata: metadata(),
  addressType: choice(["IPv4", "IPv6", "FQDN"]),
  ports: optional(list(open({
    name: optional(text()),
    port: optional(port()),
    protocol: optional(text({ default: "TCP" })),
    appProtocol: optional(text()),
  }))),
  endpoints: optional(list(open({
    addresses: list(text(), { minItems: 1 }),
    conditions: optional(open({
      ready: optional(bool()),
      serving: optional(bool()),
      terminating: optional(bool()),
    })),
    nodeName: optional(text()),
    zone: optional(text()),
    weight: optional(integer(0, 1_000_000)),
  }))),
});

export type EndpointSlice = Static<typeof endpointSlice>;
export const ENDPOINT_SLICE = core(
  "discovery.k8s.io",
  "v1",
  "EndpointSlice",
  "endpointslices",
  endpointSlice,
);

const namespaceKind = open({
  apiVersion: Type.Literal("v1"),
  kind: Type.Literal("Namespace"),
  metadata: metadata(),
});

export type Namespace = Static<typeof namespaceKind>;
export const NAMESPACE: KindDefinition<typeof namespaceKind> = {
  ...core("", "v1", "Namespace", "namespaces", namespaceKind),
  clusterScoped: true,
};

const referenceGrant = open({
  apiVersion: Type.Enum(["gateway.networking.k8s.io/v1", "gateway.networking.k8s.io/v1beta1"]),
  kind: Type.Literal("ReferenceGrant"),
  metadata: metadata(),
  spec: open({
    from: list(open({ group: text(), kind: text(), namespace: text() }), { minItems: 1 }),
    to: list(open({ group: text(), kind: text(), name: optional(text()) }), { minItems: 1 }),
  }),
});

export type ReferenceGrant = Static<typeof referenceGrant>;
export const REFERENCE_GRANT = core(
  "gateway.networking.k8s.io",
  "v1",
  "ReferenceGrant",
  "referencegrants",
  referenceGrant,
);

const definition = open({
  apiVersion: Type.Literal("apiextensions.k8s.io/v1"),
  kind: Type.Literal("CustomResourceDefinition"),
  metadata: metadata(),
});

export type CustomResourceDefinition = Static<typeof definition>;
/** Which version of a kind a cluster has; of the definition itself nothing is read. */
export const CUSTOM_RESOURCE_DEFINITION = {
  ...core(
    "apiextensions.k8s.io",
    "v1",
    "CustomResourceDefinition",
    "customresourcedefinitions",
    definition,
  ),
  clusterScoped: true,
};
