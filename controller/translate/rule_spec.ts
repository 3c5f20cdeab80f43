import type { GatewayFilter } from "../../api/gateway_api_routes.ts";
import type { ProxyRouteRule } from "../../api/proxy_route.ts";

/** A reference to a backend, of whichever kind. */
export interface RefSpec {
  readonly name: string;
  readonly namespace?: string;
  readonly weight?: number;
  readonly group?: string;
  readonly kind?: string;
  readonly port?: number;
  /** Of the reference alone, where its kind of route has them. */
  readonly filters?: GatewayFilter[];
}

/** A rule in the form of our own kind, which says all that others can; references of any kind. */
export interface RuleSpec
  extends Omit<ProxyRouteRule, "backendRefs" | "filters" | "mirror" | "name" | "bodyTransform"> {
  readonly backendRefs?: readonly RefSpec[];
  readonly filters?: ProxyRouteRule["filters"];
  readonly mirror?: ProxyRouteRule["mirror"];
  /** A redirect without port and scheme names the listener's port, as the Gateway API has it. */
  readonly redirectsToListenerPort?: boolean;
  /** The URL of a redirect has variables, as $host. */
  readonly redirectVariables?: boolean;
}
