import type { EndpointSlice, ReferenceGrant, Secret, Service } from "./core.ts";
import { ENDPOINT_SLICE, REFERENCE_GRANT, SECRET, SERVICE } from "./core.ts";
import type { KindDefinition } from "./kind.ts";
import { PROXY_BACKEND, type ProxyBackend } from "./proxy_backend.ts";
import { PROXY_GATEWAY, type ProxyGateway } from "./proxy_gateway.ts";
import { PROXY_POLICY, type ProxyPolicy } from "./proxy_policy.ts";
import { PROXY_ROUTE, type ProxyRoute } from "./proxy_route.ts";

/** The types by kind name. */
export interface KindTypes {
  readonly ProxyGateway: ProxyGateway;
  readonly ProxyRoute: ProxyRoute;
  readonly ProxyBackend: ProxyBackend;
  readonly ProxyPolicy: ProxyPolicy;
  readonly Secret: Secret;
  readonly Service: Service;
  readonly EndpointSlice: EndpointSlice;
  readonly ReferenceGrant: ReferenceGrant;
}

export type KindName = keyof KindTypes;

/** Every kind that is read. */
export const KINDS: Readonly<Record<KindName, KindDefinition>> = {
  ProxyGateway: PROXY_GATEWAY,
  ProxyRoute: PROXY_ROUTE,
  ProxyBackend: PROXY_BACKEND,
  ProxyPolicy: PROXY_POLICY,
  Secret: SECRET,
  Service: SERVICE,
  EndpointSlice: ENDPOINT_SLICE,
  ReferenceGrant: REFERENCE_GRANT,
};

export function isKindName(text: string): text is KindName {
  return Object.hasOwn(KINDS, text);
}
