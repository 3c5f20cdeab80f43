import type { ProxyRouteRule } from "../../api/proxy_route.ts";
import { Kind } from "../../common/delta/resources.ts";
import { BackendRef, Route } from "../../proto/gen/novaedge/v1/config.ts";
import { admitsNamespace } from "./allowed_routes.ts";
import { Conditions } from "./conditions.ts";
import type { Derived } from "./derived.ts";
import { noteUnserved } from "./gateway.ts";
import { GROUP, mayRefer } from "./grants.ts";
import { hostnamesMeet } from "./hostnames.ts";
import { policiesOf, restricts } from "./policy_targets.ts";
import { translateRule } from "./route_rule.ts";
import type { RefSpec } from "./rule_spec.ts";
import { createdAt, objectKey, type SourceObject } from "./source_object.ts";
import { unservedUses } from "./unserved.ts";
import type { View } from "./view.ts";

type RouteObject = SourceObject<"ProxyRoute">;

/** Translates a ProxyRoute: which listeners it belongs to and where its rules lead. */
export function deriveRoute(route: RouteObject, view: View): Derived {
  const conditions = new Conditions().expect("Accepted").expect("ResolvedRefs");
  const listeners = attachedListeners(route, view, conditions);
  const closed = closedRules(route, conditions);
  const { spec } = route.body;
  const target = { kind: "ProxyRoute", namespace: route.namespace, name: route.name } as const;
  const message = Route.create({
    namespace: route.namespace,
    name: route.name,
    listeners,
    policies: policiesOf(view, target),
    created: createdAt(route),
    hostnames: (spec.hostnames ?? []).map((hostname) => hostname.toLowerCase()),
    rules: spec.rules.map((rule: ProxyRouteRule, index: number) => {
      const section = rule.name === undefined ? null : { ...target, section: rule.name };
      const backends = (rule.backendRefs ?? []).map(({ namespace = route.namespace, name }) =>
        ({ kind: "ProxyBackend", namespace, name }) as const
      );
      const targets = [target, ...(section === null ? [] : [section]), ...backends];
      return translateRule(rule, `spec.rules[${index}]`, {
        conditions,
        backendRef: (ref) => backendRef(route, ref, view, conditions),
        closedReason: closed.get(index) ?? closed.get(-1) ?? "",
        policies: section === null ? [] : policiesOf(view, section),
        restricts: targets.some((of) => restricts(view, of)),
      });
    }),
  });
  const outcome = conditions.outcome(route);
  if (listeners.length === 0) return { outcome, resources: [] };
  const body = Route.encode(message).finish();
  return { outcome, resources: [{ kind: Kind.KIND_ROUTE, name: objectKey(route), body }] };
}

/** Why rules must answer 500, by position; -1 stands for all of them. */
function closedRules(route: RouteObject, conditions: Conditions): Map<number, string> {
  const closed = new Map<number, string>();
  const uses = unservedUses(route);
  for (const { path, restricts } of uses) {
    if (restricts === null) continue;
    const position = /^spec\.rules\[(\d+)\]/.exec(path);
    const index = restricts === "rule" && position !== null ? Number(position[1]) : -1;
    closed.set(index, `${path} is not served yet`);
  }
  noteUnserved(conditions, uses.map(({ path }) => path));
  return closed;
}

interface ParentRef {
  readonly name: string;
  readonly namespace?: string;
  readonly sectionName?: string;
  readonly port?: number;
}

/** Keys of the listeners that the route names and that admit it. */
function attachedListeners(route: RouteObject, view: View, conditions: Conditions): string[] {
  const attached = new Set<string>();
  const refs: readonly ParentRef[] | undefined = route.body.spec.parentRefs;
  if (refs === undefined || refs.length === 0) {
    const gateways = view.select("ProxyGateway", "namespace", route.namespace);
    for (const gateway of gateways) attach(route, gateway, {}, view, attached);
    if (gateways.length === 0) {
      conditions.fail(
        "Accepted",
        "NoMatchingParent",
        `no ProxyGateway in namespace ${route.namespace}`,
      );
    } else if (attached.size === 0) {
      conditions.fail("Accepted", "NotAllowedByListeners", "no listener takes this route");
    }
    return [...attached].sort();
  }
  for (const ref of refs) {
    const namespace = ref.namespace ?? route.namespace;
    const label = `${namespace}/${ref.name}`;
    const gateway = view.get("ProxyGateway", namespace, ref.name);
    if (gateway === null) {
      conditions.fail("Accepted", "NoMatchingParent", `ProxyGateway ${label} not found`);
      continue;
    }
    const reason = attach(route, gateway, ref, view, attached);
    if (reason !== null) {
      conditions.fail("Accepted", reason, `ProxyGateway ${label}: ${MESSAGES[reason]}`);
    }
  }
  return [...attached].sort();
}

const MESSAGES = {
  NoMatchingParent: "no listener has this name or port",
  NotAllowedByListeners: "allowedRoutes does not admit this namespace",
  NoMatchingListenerHostname: "no hostname of the route is served by the listener",
} as const;

/** Attaches to the gateway's listeners that fit; otherwise the reason why none does. */
function attach(
  route: RouteObject,
  gateway: SourceObject<"ProxyGateway">,
  ref: Partial<ParentRef>,
  view: View,
  attached: Set<string>,
): keyof typeof MESSAGES | null {
  let reason: keyof typeof MESSAGES | null = "NoMatchingParent";
  let found = false;
  for (const listener of gateway.body.spec.listeners) {
    if (ref.sectionName !== undefined && ref.sectionName !== listener.name) continue;
    if (ref.port !== undefined && ref.port !== listener.port) continue;
    const { allowedRoutes } = listener;
    if (!admitsNamespace(allowedRoutes, gateway.namespace, route.namespace, view)) {
      reason = "NotAllowedByListeners";
    } else if (!hostnamesMeet(route.body.spec.hostnames ?? [], listener.hostnames ?? [])) {
      reason = "NoMatchingListenerHostname";
    } else {
      attached.add(`${objectKey(gateway)}/${listener.name}`);
      found = true;
    }
  }
  return found ? null : reason;
}

function backendRef(
  route: RouteObject,
  ref: RefSpec,
  view: View,
  conditions: Conditions,
): BackendRef {
  const namespace = ref.namespace ?? route.namespace;
  const label = `${namespace}/${ref.name}`;
  const backend = objectKey({ kind: "ProxyBackend", namespace, name: ref.name });
  const weight = ref.weight ?? 1;
  const from = { group: GROUP, kind: "ProxyRoute", namespace: route.namespace };
  const to = { group: GROUP, kind: "ProxyBackend", namespace, name: ref.name };
  if (!mayRefer(view, from, to)) {
    conditions.fail(
      "ResolvedRefs",
      "RefNotPermitted",
      `no ReferenceGrant for ProxyBackend ${label}`,
    );
    return BackendRef.create({ backend, weight, invalidReason: "RefNotPermitted" });
  }
  if (view.get("ProxyBackend", namespace, ref.name) === null) {
    conditions.fail("ResolvedRefs", "BackendNotFound", `ProxyBackend ${label} not found`);
    return BackendRef.create({ backend, weight, invalidReason: "BackendNotFound" });
  }
  return BackendRef.create({ backend, weight });
}
