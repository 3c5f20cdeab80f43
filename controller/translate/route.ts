import type { ProxyListener } from "../../api/proxy_gateway.ts";
import type { ProxyRouteRule } from "../../api/proxy_route.ts";
import { bytesOf, milliseconds } from "../../api/schema.ts";
import { cidrProblem } from "../../common/cidr.ts";
import { Kind } from "../../common/delta/resources.ts";
import {
  BackendRef,
  PathMatchType,
  Route,
  type RouteMatch,
  RouteRule,
  ValueMatch,
  ValueMatchType,
} from "../../proto/gen/novaedge/v1/config.ts";
import { Conditions } from "./conditions.ts";
import type { Derived } from "./derived.ts";
import { noteUnserved } from "./gateway.ts";
import { GROUP, mayRefer } from "./grants.ts";
import { policiesOf } from "./policy_targets.ts";
import { routeRetry } from "./retry.ts";
import { translateFilters } from "./route_filters.ts";
import { objectKey, type SourceObject } from "./source_object.ts";
import { unservedUses } from "./unserved.ts";
import type { View } from "./view.ts";

type RouteObject = SourceObject<"ProxyRoute">;

const PATH_TYPES: Readonly<Record<string, PathMatchType>> = {
  Exact: PathMatchType.PATH_MATCH_TYPE_EXACT,
  PathPrefix: PathMatchType.PATH_MATCH_TYPE_PREFIX,
  RegularExpression: PathMatchType.PATH_MATCH_TYPE_REGEX,
};

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
    hostnames: (spec.hostnames ?? []).map((hostname) => hostname.toLowerCase()),
    rules: spec.rules.map((rule: ProxyRouteRule, index: number): RouteRule => {
      const place = `spec.rules[${index}]`;
      const { filters, problem, answers, mirrors } = translateFilters(rule, place);
      for (const { ref, percent } of mirrors) {
        const { backend, invalidReason } = backendRef(route, ref, view, conditions);
        // A mirror that cannot be reached takes nothing from anybody.
        if (invalidReason === "") filters?.mirrors.push({ backend, percent });
      }
      const unclear = matchProblem(rule, place);
      if (problem !== "") conditions.fail("Accepted", "InvalidFilter", problem);
      if (unclear !== "") conditions.fail("Accepted", "InvalidMatch", unclear);
      const { backendRefs = [] } = rule;
      if (backendRefs.length === 0 && !answers) {
        conditions.fail("Accepted", "NoBackend", `${place} has neither backendRefs nor an answer`);
      }
      return RouteRule.create({
        matches: matchesOf(rule, place, conditions),
        backendRefs: backendRefs.map((ref: BackendName) =>
          backendRef(route, ref, view, conditions)
        ),
        requestTimeoutMs: milliseconds(rule.timeout ?? rule.limits?.requestTimeout ?? "0"),
        backendTimeoutMs: milliseconds(rule.backendTimeout ?? "0"),
        maxRequestBodyBytes: smallest([
          rule.maxRequestBodySize ?? 0,
          bytesOf(rule.limits?.maxRequestBodySize ?? "0"),
        ]),
        closedReason: closed.get(index) ?? closed.get(-1) ?? (problem || unclear),
        upgrades: rule.upgrades ?? [],
        retry: retryOf(rule, place, conditions),
        policies: rule.name === undefined
          ? []
          : policiesOf(view, { ...target, section: rule.name }),
        // What cannot be made would be refused with the whole route.
        filters: problem === "" ? filters : undefined,
      });
    }),
  });
  const outcome = conditions.outcome(route);
  if (listeners.length === 0) return { outcome, resources: [] };
  const body = Route.encode(message).finish();
  return { outcome, resources: [{ kind: Kind.KIND_ROUTE, name: objectKey(route), body }] };
}

function retryOf({ retry }: ProxyRouteRule, place: string, conditions: Conditions) {
  if (retry === undefined) return undefined;
  const { policy, problem } = routeRetry(retry);
  if (problem !== "") conditions.fail("Accepted", "InvalidRetry", `${place}.retry: ${problem}`);
  return policy;
}

interface BackendName {
  readonly name: string;
  readonly namespace?: string;
  readonly weight?: number;
}

/** The smallest of limits of which 0 means none. */
function smallest(limits: readonly number[]): number {
  const set = limits.filter((limit) => limit > 0);
  return set.length === 0 ? 0 : Math.min(...set);
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
    for (const gateway of gateways) attach(route, gateway, {}, attached);
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
    const reason = attach(route, gateway, ref, attached);
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
  attached: Set<string>,
): keyof typeof MESSAGES | null {
  let reason: keyof typeof MESSAGES | null = "NoMatchingParent";
  let found = false;
  for (const listener of gateway.body.spec.listeners) {
    if (ref.sectionName !== undefined && ref.sectionName !== listener.name) continue;
    if (ref.port !== undefined && ref.port !== listener.port) continue;
    if (!admits(listener, gateway.namespace, route.namespace)) reason = "NotAllowedByListeners";
    else if (!hostnamesMeet(route.body.spec.hostnames ?? [], listener.hostnames ?? [])) {
      reason = "NoMatchingListenerHostname";
    } else {
      attached.add(`${objectKey(gateway)}/${listener.name}`);
      found = true;
    }
  }
  return found ? null : reason;
}

/** `Selector` is not served yet and admits nothing (its listener is closed besides). */
function admits(
  listener: ProxyListener,
  gatewayNamespace: string,
  routeNamespace: string,
): boolean {
  const from = listener.allowedRoutes?.namespaces?.from ?? "Same";
  return from === "All" || (from === "Same" && gatewayNamespace === routeNamespace);
}

/** Whether a request exists that both sets of hostnames cover; an empty set covers all. */
export function hostnamesMeet(a: readonly string[], b: readonly string[]): boolean {
  if (a.length === 0 || b.length === 0) return true;
  return a.some((x) => b.some((y) => meet(x.toLowerCase(), y.toLowerCase())));
}

function meet(a: string, b: string): boolean {
  if (a === b) return true;
  if (a.endsWith(".*")) return meetPrefix(a, b);
  if (b.endsWith(".*")) return meetPrefix(b, a);
  const wildA = a.startsWith("*.");
  const wildB = b.startsWith("*.");
  if (wildA && wildB) return a.endsWith(b.slice(1)) || b.endsWith(a.slice(1));
  if (wildA) return b.endsWith(a.slice(1));
  return wildB && a.endsWith(b.slice(1));
}

/** "api.*" and a suffix always meet: "api." in front of the suffix's name is one of both. */
function meetPrefix(prefix: string, other: string): boolean {
  if (other.startsWith("*.")) return true;
  const start = prefix.slice(0, -1);
  return other.startsWith(start) || (other.endsWith(".*") && start.startsWith(other.slice(0, -1)));
}

/** A rule without matches matches every path, as Gateway API has it. */
function matchesOf(rule: ProxyRouteRule, place: string, conditions: Conditions): RouteMatch[] {
  const matches = rule.matches === undefined || rule.matches.length === 0 ? [{}] : rule.matches;
  return matches.map(
    (match: RuleMatch, position): RouteMatch => {
      const path = match.path ?? { type: "PathPrefix" as const, value: "/" };
      if (path.type !== "RegularExpression" && !path.value.startsWith("/")) {
        conditions.fail(
          "Accepted",
          "InvalidPath",
          `${place}.matches[${position}].path.value must begin with /`,
        );
      }
      return {
        path: { type: PATH_TYPES[path.type], value: path.value },
        method: match.method ?? "",
        headers: (match.headers ?? []).map(valueMatch),
        queryParams: (match.queryParams ?? []).map(valueMatch),
        clientCidrs: networkProblem(match) === null ? match.clientCIDRs ?? [] : [],
      };
    },
  );
}

function networkProblem({ clientCIDRs = [] }: RuleMatch): string | null {
  return cidrProblem(clientCIDRs);
}

/** Networks that cannot be read close their rule: nobody knows whom it was to serve. */
function matchProblem({ matches }: ProxyRouteRule, place: string): string {
  for (const [position, match] of (matches ?? []).entries()) {
    const problem = networkProblem(match);
    if (problem !== null) return `${place}.matches[${position}].clientCIDRs: ${problem}`;
  }
  return "";
}

type RuleMatch = NonNullable<ProxyRouteRule["matches"]>[number];
type ValueCondition = NonNullable<RuleMatch["headers"]>[number];

const VALUE_TYPES: Readonly<Record<string, ValueMatchType>> = {
  Exact: ValueMatchType.VALUE_MATCH_TYPE_EXACT,
  Prefix: ValueMatchType.VALUE_MATCH_TYPE_PREFIX,
  RegularExpression: ValueMatchType.VALUE_MATCH_TYPE_REGEX,
  Present: ValueMatchType.VALUE_MATCH_TYPE_PRESENT,
  Absent: ValueMatchType.VALUE_MATCH_TYPE_PRESENT,
};

function valueMatch({ type = "Exact", name, value = "", invert = false }: ValueCondition) {
  return ValueMatch.create({
    type: VALUE_TYPES[type],
    name,
    value,
    invert: invert !== (type === "Absent"),
  });
}

function backendRef(
  route: RouteObject,
  ref: BackendName,
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
