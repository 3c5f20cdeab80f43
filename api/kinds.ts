import type { EndpointSlice, Namespace, ReferenceGrant, Secret, Service } from "./core.ts";
import { ENDPOINT_SLICE, NAMESPACE, REFERENCE_GRANT, SECRET, SERVICE } from "./core.ts";
import type { Gateway, GatewayClass, GrpcRoute, HttpRoute } from "./gateway_api.ts";
import { GATEWAY, GATEWAY_CLASS, GRPC_ROUTE, HTTP_ROUTE } from "./gateway_api.ts";
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
  readonly GatewayClass: GatewayClass;
  readonly Gateway: Gateway;
  readonly HTTPRoute: HttpRoute;
  readonly GRPCRoute: GrpcRoute;
  readonly Namespace: Namespace;
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
  GatewayClass: GATEWAY_CLASS,
  Gateway: GATEWAY,
  HTTPRoute: HTTP_ROUTE,
  GRPCRoute: GRPC_ROUTE,
  Namespace: NAMESPACE,
  Secret: SECRET,
  Service: SERVICE,
  EndpointSlice: ENDPOINT_SLICE,
  ReferenceGrant: REFERENCE_GRANT,
};

export function isKindName(text: string): text is KindName {
  return Object.hasOwn(KINDS, text);
}
