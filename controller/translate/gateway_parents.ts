import { GATEWAY_API, type GatewayListener, type ParentRef } from "../../api/gateway_api.ts";
import { ParentOutcome } from "../../proto/gen/novaedge/v1/distribution.ts";
import { admitsNamespace } from "./allowed_routes.ts";
import { Conditions } from "./conditions.ts";
import { ROUTE_KINDS } from "./gateway_api_gateway.ts";
import { classOurs } from "./gateway_class.ts";
import { hostnamesMeet } from "./hostnames.ts";
import { objectKey, type SourceObject } from "./source_object.ts";
import type { View } from "./view.ts";

/** Routes of the Gateway API. */
export type GatewayRoute = SourceObject<"HTTPRoute"> | SourceObject<"GRPCRoute">;

/** A parent of ours, and what becomes of the route there. */
export interface Parent {
  readonly ref: ParentRef;
  readonly conditions: Conditions;
  /** Keys of the listeners that take the route. */
  readonly listeners: readonly string[];
}

type Refused = "NoMatchingParent" | "NotAllowedByListeners" | "NoMatchingListenerHostname";

const MESSAGES: Readonly<Record<Refused, string>> = {
  NoMatchingParent: "no listener has this name or port",
  NotAllowedByListeners: "no listener allows this route",
  NoMatchingListenerHostname: "no hostname of the route is served by a listener",
};

/** The parents of a route that are Gateways of ours; others are nobody's business here. */
export function parentsOf(route: GatewayRoute, view: View): Parent[] {
  const parents: Parent[] = [];
  for (const ref of route.body.spec.parentRefs ?? []) {
    const { group = GATEWAY_API, kind = "Gateway", namespace = route.namespace, name } = ref;
    if (group !== GATEWAY_API || kind !== "Gateway") continue;
    const gateway = view.get("Gateway", namespace, name);
    if (gateway === null || !classOurs(view, gateway.body.spec.gatewayClassName)) continue;
    const conditions = new Conditions().expect("Accepted");
    const found = attach(route, gateway, ref, view);
    if (typeof found === "string") conditions.fail("Accepted", found, MESSAGES[found]);
    parents.push({ ref, conditions, listeners: typeof found === "string" ? [] : found });
  }
  return parents;
}

/** Keys of the listeners that take the route, or why none does. */
function attach(
  route: GatewayRoute,
  gateway: SourceObject<"Gateway">,
  { sectionName, port }: ParentRef,
  view: View,
): string[] | Refused {
  const attached: string[] = [];
  let reason: Refused = "NoMatchingParent";
  for (const listener of gateway.body.spec.listeners) {
    if (sectionName !== undefined && sectionName !== listener.name) continue;
    if (port !== undefined && port !== listener.port) continue;
    const hostnames = listener.hostname === undefined ? [] : [listener.hostname];
    const { allowedRoutes } = listener;
    const admitted = admitsNamespace(allowedRoutes, gateway.namespace, route.namespace, view);
    if (!takesKind(listener, route.kind) || !admitted) {
      if (reason === "NoMatchingParent") reason = "NotAllowedByListeners";
    } else if (!hostnamesMeet(route.body.spec.hostnames ?? [], hostnames)) {
      reason = "NoMatchingListenerHostname";
    } else attached.push(`${objectKey(gateway)}/${listener.name}`);
  }
  return attached.length > 0 ? attached : reason;
}

function takesKind({ protocol, allowedRoutes }: GatewayListener, kind: string): boolean {
  if (protocol !== "HTTP" && protocol !== "HTTPS") return false;
  const { kinds = [] } = allowedRoutes ?? {};
  if (kinds.length === 0) return ROUTE_KINDS.includes(kind);
  return kinds.some((allowed) =>
    (allowed.group ?? GATEWAY_API) === GATEWAY_API && allowed.kind === kind
  );
}

/** What the route's status says of a parent. */
export function parentOutcome(
  route: GatewayRoute,
  { ref, conditions, listeners }: Parent,
): ParentOutcome {
  return ParentOutcome.create({
    kind: ref.kind ?? "Gateway",
    namespace: ref.namespace ?? route.namespace,
    name: ref.name,
    sectionName: ref.sectionName ?? "",
    port: ref.port ?? 0,
    conditions: conditions.list(),
    listeners: listeners.map((key) => key.slice(key.lastIndexOf("/") + 1)),
  });
}
