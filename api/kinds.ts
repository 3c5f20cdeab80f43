import { BACKEND_TLS_POLICY, type BackendTlsPolicy } from "./backend_tls_policy.ts";
import type {
  ConfigMap,
  CustomResourceDefinition,
  EndpointSlice,
  Namespace,
  Node,
  ReferenceGrant,
  Secret,
  Service,
} from "./core.ts";
import {
  CONFIG_MAP,
  CUSTOM_RESOURCE_DEFINITION,
  ENDPOINT_SLICE,
  NAMESPACE,
  NODE,
  REFERENCE_GRANT,
  SECRET,
  SERVICE,
} from "./core.ts";
import type { Gateway, GatewayClass, ListenerSet } from "./gateway_api.ts";
import { GATEWAY, GATEWAY_CLASS, LISTENER_SET } from "./gateway_api.ts";
import type { GrpcRoute, HttpRoute, TcpRoute, TlsRoute, UdpRoute } from "./gateway_api_routes.ts";
import { GRPC_ROUTE, HTTP_ROUTE, TCP_ROUTE, TLS_ROUTE, UDP_ROUTE } from "./gateway_api_routes.ts";
import { GATEWAY_PARAMETERS, type GatewayParameters } from "./gateway_parameters.ts";
import { INGRESS, type Ingress, INGRESS_CLASS, type IngressClass } from "./ingress.ts";
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
  readonly GatewayParameters: GatewayParameters;
  readonly GatewayClass: GatewayClass;
  readonly Gateway: Gateway;
  readonly HTTPRoute: HttpRoute;
  readonly ListenerSet: ListenerSet;
  readonly GRPCRoute: GrpcRoute;
  readonly TLSRoute: TlsRoute;
  readonly TCPRoute: TcpRoute;
  readonly UDPRoute: UdpRoute;
  readonly BackendTLSPolicy: BackendTlsPolicy;
  readonly Ingress: Ingress;
  readonly IngressClass: IngressClass;
  readonly Namespace: Namespace;
  readonly Node: Node;
  readonly ConfigMap: ConfigMap;
  readonly CustomResourceDefinition: CustomResourceDefinition;
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
  GatewayParameters: GATEWAY_PARAMETERS,
  GatewayClass: GATEWAY_CLASS,
  Gateway: GATEWAY,
  HTTPRoute: HTTP_ROUTE,
  ListenerSet: LISTENER_SET,
  GRPCRoute: GRPC_ROUTE,
  TLSRoute: TLS_ROUTE,
  TCPRoute: TCP_ROUTE,
  UDPRoute: UDP_ROUTE,
  BackendTLSPolicy: BACKEND_TLS_POLICY,
  Ingress: INGRESS,
  IngressClass: INGRESS_CLASS,
  Namespace: NAMESPACE,
  Node: NODE,
  ConfigMap: CONFIG_MAP,
  CustomResourceDefinition: CUSTOM_RESOURCE_DEFINITION,
  Secret: SECRET,
  Service: SERVICE,
  EndpointSlice: ENDPOINT_SLICE,
  ReferenceGrant: REFERENCE_GRANT,
};

export function isKindName(text: string): text is KindName {
  return Object.hasOwn(KINDS, text);
}
