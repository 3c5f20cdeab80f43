import type { Node } from "../../../api/core.ts";
import { type KindName, KINDS } from "../../../api/kinds.ts";
import type { ApiObject } from "./api_client.ts";

/** Kinds whose status is ours to write, beside other controllers' parts of it. */
export const WITH_STATUS: ReadonlySet<KindName> = new Set<KindName>([
  ...["GatewayClass", "Gateway", "ListenerSet", "BackendTLSPolicy"] as const,
  ...["HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute"] as const,
  ...["ProxyGateway", "ProxyRoute", "ProxyBackend", "ProxyPolicy", "Ingress"] as const,
]);

/** What people write of metadata, and what somebody here reads. */
const METADATA = ["name", "namespace", "labels", "annotations", "creationTimestamp"];
/** Annotations that other programs keep for themselves, often as large as the object. */
const NOTES = new Set(["kubectl.kubernetes.io/last-applied-configuration"]);

/** An object in parts. */
export interface Trimmed {
  /** Without what nobody reads: it would be the greater part of what is kept in memory. */
  readonly body: Readonly<Record<string, unknown>>;
  /** Where it is ours to write; undefined otherwise. */
  readonly status: unknown;
}

/** Takes an object apart. Those of lists do not say what they are; the body does. */
export function trimmed(kind: KindName, object: ApiObject): Trimmed {
  const { group, version } = KINDS[kind];
  const { status, ...rest } = object;
  const body = {
    ...rest,
    apiVersion: group === "" ? version : `${group}/${version}`,
    kind,
    metadata: metadataOf(object),
  };
  if (kind === "Node") return { body: nodeOf(body, status), status: undefined };
  return { body, status: WITH_STATUS.has(kind) ? status : undefined };
}

function metadataOf({ metadata }: ApiObject): Record<string, unknown> {
  const kept = Object.fromEntries(
    METADATA.filter((name) => metadata[name] !== undefined).map((name) => [name, metadata[name]]),
  );
  const { annotations } = kept as { annotations?: Record<string, string> };
  if (annotations === undefined) return kept;
  const own = Object.entries(annotations).filter(([name]) => !NOTES.has(name));
  return { ...kept, annotations: Object.fromEntries(own) };
}

/** Of a node its labels, addresses and whether it is ready: the rest changes all the time. */
function nodeOf(
  { apiVersion, kind, metadata }: { apiVersion: string; kind: string; metadata: object },
  status: unknown,
): Trimmed["body"] {
  const { addresses = [], conditions = [] } = (status ?? {}) as NonNullable<Node["status"]>;
  const { name, labels } = metadata as Node["metadata"];
  const ready = conditions.filter(({ type }) => type === "Ready");
  return {
    apiVersion,
    kind,
    metadata: labels === undefined ? { name } : { name, labels },
    status: { addresses, conditions: ready.map(({ type, status }) => ({ type, status })) },
  };
}
