import { GATEWAY_API } from "../../api/gateway_api.ts";
import { Kind } from "../../common/delta/resources.ts";
import { BackendRef, Policy, Route, type RouteRule } from "../../proto/gen/novaedge/v1/config.ts";
import { Conditions } from "./conditions.ts";
import type { Derived, DerivedResource } from "./derived.ts";
import { backendAs, clientCertificateOf } from "./client_certificate.ts";
import {
  type GatewayRoute,
  type Parent,
  parentOutcome,
  parentsOf,
  routeOutcome,
} from "./gateway_parents.ts";
import { type GatewayRule, grpcRule, httpRule } from "./gateway_rules.ts";
import { GROUP, mayRefer } from "./grants.ts";
import { policiesOf, restricts } from "./policy_targets.ts";
import { translateRule } from "./route_rule.ts";
import { servicePort } from "./service_port.ts";
import { refFilters } from "./ref_filters.ts";
import type { RefSpec, RuleSpec } from "./rule_spec.ts";
import { serviceBackend } from "./service.ts";
import { createdAt, objectKey, type SourceObject } from "./source_object.ts";
import { appProtocolOf } from "./upstream.ts";
import type { View } from "./view.ts";

/** Translates an HTTPRoute or GRPCRoute that belongs to a Gateway of ours. */
export function deriveGatewayRoute(route: GatewayRoute, view: View): Derived {
  const parents = parentsOf(route, view);
  const outcome = routeOutcome(route, view);
  if (parents.length === 0) return { outcome, resources: [] };
  const key = objectKey(route);
  const { spec } = route.body;
  const target = { kind: route.kind, namespace: route.namespace, name: route.name };
  const conditions = new Conditions().expect("Accepted").expect("ResolvedRefs");
  const resources: DerivedResource[] = [];
  const ignored: string[] = [];
  const rules = rulesOf(route).map(({ name, rule, retry, cors, problem, ...rest }, index) => {
    const place = `spec.rules[${index}]`;
    const policies = name === undefined ? [] : policiesOf(view, { ...target, section: name });
    if (problem !== "") conditions.fail("Accepted", "UnsupportedValue", `${place}.${problem}`);
    ignored.push(...rest.ignored.map((field) => `${place}.${field}`));
    if (cors !== undefined) {
      const policy = `${key}/${index}`;
      const message = Policy.create({
        namespace: route.namespace,
        name: route.name,
        rule: { $case: "cors", value: cors },
      });
      const body = Policy.encode(message).finish();
      resources.push({ kind: Kind.KIND_POLICY, name: policy, body });
      policies.push(policy);
    }
    const backends = (rule.backendRefs ?? []).map((ref) => ({
      kind: ref.group === GROUP ? "ProxyBackend" as const : "Service" as const,
      namespace: ref.namespace ?? route.namespace,
      name: ref.name,
    }));
    const section = name === undefined ? [] : [{ ...target, section: name }];
    return translateRule(rule, place, {
      restricts: [target, ...section, ...backends].some((of) => restricts(view, of)),
      conditions,
      backendRef: (ref) => backendRef(route, ref, rule, view, conditions),
      closedReason: problem,
      policies,
      retry,
      mayBeEmpty: true,
    });
  });
  const attached = listenersByCertificate(parents, view);
  for (const [certificate, listeners] of attached) {
    const message = Route.create({
      namespace: route.namespace,
      name: route.name,
      listeners: [...listeners].sort(),
      policies: policiesOf(view, target),
      hostnames: (spec.hostnames ?? []).map((hostname) => hostname.toLowerCase()),
      rules: rules.map((rule) => withCertificate(rule, certificate)),
      // Methods of gRPC rank as their patterns do among themselves: see methodPath.
      regexBeforePrefix: route.kind === "HTTPRoute",
      created: createdAt(route),
    });
    const body = Route.encode(message).finish();
    resources.push({ kind: Kind.KIND_ROUTE, name: backendAs(key, certificate), body });
  }
  const unsupported = conditions.list().find(({ type, status }) => type === "Accepted" && !status);
  const resolved = conditions.list().find(({ type }) => type === "ResolvedRefs")!;
  for (const parent of parents) {
    const own = parent.conditions;
    if (resolved.status) own.expect("ResolvedRefs");
    else own.fail("ResolvedRefs", resolved.reason, resolved.message);
    if (unsupported !== undefined) {
      if (rules.every(({ closedReason }) => closedReason !== "")) {
        own.fail("Accepted", "UnsupportedValue", unsupported.message);
      } else own.note("PartiallyInvalid", "UnsupportedValue", unsupported.message);
    }
    if (ignored.length > 0) own.note("UnsupportedField", "NotServedYet", ignored.join(", "));
    if (route.heldBecause !== "") own.fail("Accepted", "Invalid", route.heldBecause);
  }
  return {
    outcome: { ...outcome, parents: parents.map((parent) => parentOutcome(route, parent)) },
    // Nobody needs the policies of a route that is nowhere.
    resources: attached.size > 0 ? resources : [],
  };
}

/** The listeners that take a route, by the certificate that their Gateway shows backends, "" for none. */
function listenersByCertificate(
  parents: readonly Parent[],
  view: View,
): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  for (const { gateway, listeners } of parents) {
    if (listeners.length === 0) continue;
    const certificate = clientCertificateOf(gateway, view, new Conditions()) ?? "";
    let group = found.get(certificate);
    if (group === undefined) found.set(certificate, group = new Set());
    for (const listener of listeners) group.add(listener);
  }
  return found;
}

/** A rule that leads to the same Services under a Gateway's own certificate. */
function withCertificate(rule: RouteRule, certificate: string): RouteRule {
  if (certificate === "") return rule;
  const renamed = <T extends { backend: string }>(ref: T): T =>
    ref.backend.startsWith("Service/")
      ? { ...ref, backend: backendAs(ref.backend, certificate) }
      : ref;
  const { filters } = rule;
  return {
    ...rule,
    backendRefs: rule.backendRefs.map(renamed),
    filters: filters && { ...filters, mirrors: filters.mirrors.map(renamed) },
  };
}

function rulesOf(route: GatewayRoute): (GatewayRule & { readonly name: string | undefined })[] {
  // A route without rules is one that leads nowhere, as the API's default rule without backends.
  if (route.kind === "HTTPRoute") {
    const { spec } = (route as SourceObject<"HTTPRoute">).body;
    return (spec.rules ?? [{}]).map((rule) => ({ ...httpRule(rule), name: rule.name }));
  }
  const { spec } = (route as SourceObject<"GRPCRoute">).body;
  return (spec.rules ?? [{}]).map((rule) => ({ ...grpcRule(rule), name: rule.name }));
}

function backendRef(
  route: GatewayRoute,
  ref: RefSpec,
  rule: RuleSpec,
  view: View,
  conditions: Conditions,
): BackendRef {
  const { group = "", kind = "Service", namespace = route.namespace, name, weight = 1 } = ref;
  const label = `${kind} ${namespace}/${name}`;
  const refused = (reason: string, message: string) => {
    conditions.fail("ResolvedRefs", reason, `${label}: ${message}`);
    return BackendRef.create({ backend: "", weight, invalidReason: reason });
  };
  const ours = group === GROUP && kind === "ProxyBackend";
  if (!ours && (group !== "" || kind !== "Service")) {
    return refused("InvalidKind", "only Services and ProxyBackends can be backends");
  }
  const from = { group: GATEWAY_API, kind: route.kind, namespace: route.namespace };
  if (!mayRefer(view, from, { group, kind, namespace, name })) {
    return refused("RefNotPermitted", "no ReferenceGrant");
  }
  const edits = refFilters(ref.filters ?? [], rule, route.kind);
  if (typeof edits === "string") {
    conditions.fail("Accepted", "UnsupportedValue", `${label}: ${edits}`);
    return BackendRef.create({ backend: "", weight, invalidReason: "UnsupportedValue" });
  }
  if (ours) {
    if (view.get("ProxyBackend", namespace, name) === null) {
      return refused("BackendNotFound", "not found");
    }
    const backend = objectKey({ kind: "ProxyBackend", namespace, name });
    return BackendRef.create({ backend, weight, ...edits });
  }
  const found = servicePort(view.get("Service", namespace, name), ref.port, view);
  if ("reason" in found) return refused(found.reason, found.message);
  const { service, port } = found;
  if (appProtocolOf(port.appProtocol ?? "") === null) {
    return refused("UnsupportedProtocol", `appProtocol "${port.appProtocol}" is not served`);
  }
  const backend = serviceBackend(service, port.port, route.kind === "GRPCRoute");
  return BackendRef.create({ backend, weight, ...edits });
}
