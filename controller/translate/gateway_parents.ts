import { GATEWAY_API, type GatewayListener } from "../../api/gateway_api.ts";
import type { ParentRef } from "../../api/gateway_api_routes.ts";
import { type Outcome, ParentOutcome } from "../../proto/gen/novaedge/v1/distribution.ts";
import { admitsNamespace } from "./allowed_routes.ts";
import { Conditions } from "./conditions.ts";
import { classOurs } from "./gateway_class.ts";
import { ROUTE_KINDS } from "./gateway_listener.ts";
import { hostnamesMeet } from "./hostnames.ts";
import {
  gatewayOf,
  listenerKey,
  type ListenerOwner,
  listenersOfSet,
  ownListeners,
} from "./listener_owner.ts";
import type { SourceObject } from "./source_object.ts";
import type { View } from "./view.ts";

/** Routes of requests of the Gateway API. */
export type GatewayRoute = SourceObject<"HTTPRoute"> | SourceObject<"GRPCRoute">;

/** Routes of connections. */
export type StreamRoute =
  | SourceObject<"TLSRoute">
  | SourceObject<"TCPRoute">
  | SourceObject<"UDPRoute">;

/** A parent of ours, and what becomes of the route there. */
export interface Parent {
  readonly ref: ParentRef;
  readonly gateway: SourceObject<"Gateway">;
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

/** Why a parent is no Gateway of ours, where nobody else can have it; "" where another controller may. */
function missingParent(route: GatewayRoute | StreamRoute, ref: ParentRef, view: View): string {
  const { group = GATEWAY_API, kind = "Gateway", namespace = route.namespace, name } = ref;
  const known = group === GATEWAY_API && (kind === "Gateway" || kind === "ListenerSet");
  if (!view.alone || !known || view.get(kind, namespace, name) !== null) return "";
  return `${kind} ${namespace}/${name}: not found`;
}

/** What is wrong with the parents of a route of a folder, whose routes nobody else serves. */
function missingParents(route: GatewayRoute | StreamRoute, view: View): string[] {
  const { parentRefs = [] } = route.body.spec;
  if (view.alone && parentRefs.length === 0) return ["spec.parentRefs: it names no Gateway"];
  return parentRefs.map((ref) => missingParent(route, ref, view)).filter((text) => text !== "");
}

/** The outcome of a route apart from its parents of ours. */
export function routeOutcome(route: GatewayRoute | StreamRoute, view: View): Outcome {
  const conditions = new Conditions();
  const missing = missingParents(route, view);
  if (missing.length > 0) {
    conditions.expect("Accepted").fail("Accepted", "NoMatchingParent", missing.join("; "));
  }
  return conditions.outcome(route);
}

/** The parents of a route that are Gateways of ours, or sets of theirs; others are nobody's business here. */
export function parentsOf(route: GatewayRoute | StreamRoute, view: View): Parent[] {
  const parents: Parent[] = [];
  for (const ref of route.body.spec.parentRefs ?? []) {
    const found = parentOf(route, ref, view);
    if (found === null) continue;
    const { gateway, owner } = found;
    const conditions = new Conditions().expect("Accepted");
    const attached = owner === null ? "NotAllowedByListeners" : attach(route, owner, ref, view);
    if (typeof attached === "string") conditions.fail("Accepted", attached, MESSAGES[attached]);
    const listeners = typeof attached === "string" ? [] : attached;
    parents.push({ ref, gateway, conditions, listeners });
  }
  return parents;
}

interface FoundParent {
  readonly gateway: SourceObject<"Gateway">;
  /** Null for a set that its Gateway does not take. */
  readonly owner: ListenerOwner | null;
}

function parentOf(
  { namespace: own }: SourceObject,
  { group = GATEWAY_API, kind = "Gateway", namespace = own, name }: ParentRef,
  view: View,
): FoundParent | null {
  if (group !== GATEWAY_API) return null;
  if (kind === "ListenerSet") {
    const set = view.get("ListenerSet", namespace, name);
    const gateway = set === null ? null : gatewayOf(set, view);
    return gateway === null ? null : { gateway, owner: listenersOfSet(set!, view) };
  }
  const gateway = kind === "Gateway" ? view.get("Gateway", namespace, name) : null;
  if (gateway === null || !classOurs(view, gateway.body.spec.gatewayClassName)) return null;
  return { gateway, owner: ownListeners(gateway) };
}

/** Keys of the listeners that take the route, or why none does. */
function attach(
  route: GatewayRoute | StreamRoute,
  owner: ListenerOwner,
  { sectionName, port }: ParentRef,
  view: View,
): string[] | Refused {
  const attached: string[] = [];
  let reason: Refused = "NoMatchingParent";
  for (const listener of owner.listeners) {
    if (sectionName !== undefined && sectionName !== listener.name) continue;
    if (port !== undefined && port !== listener.port) continue;
    const hostnames = listener.hostname === undefined ? [] : [listener.hostname];
    const { namespace } = owner.object;
    const admitted = admitsNamespace(listener.allowedRoutes, namespace, route.namespace, view);
    if (!takesKind(listener, route.kind) || !admitted) {
      if (reason === "NoMatchingParent") reason = "NotAllowedByListeners";
    } else if (!hostnamesMeet(route.body.spec.hostnames ?? [], hostnames)) {
      reason = "NoMatchingListenerHostname";
    } else attached.push(listenerKey(owner, listener.name));
  }
  return attached.length > 0 ? attached : reason;
}

function takesKind({ protocol, allowedRoutes }: GatewayListener, kind: string): boolean {
  if (protocol !== "HTTP" && protocol !== "HTTPS") return false;
  const { kinds = [] } = allowedRoutes ?? {};
  if (!ROUTE_KINDS.includes(kind)) return false;
  return kinds.length === 0 ||
    kinds.some((allowed) =>
      (allowed.group ?? GATEWAY_API) === GATEWAY_API && allowed.kind === kind
    );
}

/** What the route's status says of a parent. */
export function parentOutcome(
  route: GatewayRoute | StreamRoute,
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
