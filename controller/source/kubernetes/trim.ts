import type { KindName } from "../../../api/kinds.ts";
import type { ApiObject } from "./api_client.ts";

/** Kinds whose status is ours to write, beside other controllers' parts of it. */
const WITH_STATUS: ReadonlySet<KindName> = new Set<KindName>([
  ...["GatewayClass", "Gateway", "HTTPRoute", "GRPCRoute"] as const,
  ...["ProxyGateway", "ProxyRoute", "ProxyBackend", "ProxyPolicy"] as const,
]);

/** Annotations that other programs keep for themselves, often as large as the object. */
const NOTES = new Set(["kubectl.kubernetes.io/last-applied-configuration"]);

/** An object without what nobody reads: it would be the greater part of what is kept in memory. */
export function trimmed(kind: KindName, object: ApiObject): ApiObject {
  const { status, ...rest } = object;
  const { managedFields: _, ownerReferences: __, finalizers: ___, ...metadata } = object.metadata;
  const annotations = Object.entries(
    (metadata.annotations ?? {}) as Readonly<Record<string, string>>,
  ).filter(([name]) => !NOTES.has(name));
  return {
    ...rest,
    metadata: { ...metadata, annotations: Object.fromEntries(annotations) },
    ...(status !== undefined && WITH_STATUS.has(kind) ? { status } : {}),
  } as ApiObject;
}
