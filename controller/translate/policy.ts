import { POLICY_SETTINGS, type ProxyPolicySpec } from "../../api/proxy_policy.ts";
import { Kind } from "../../common/delta/resources.ts";
import { Backend, Policy } from "../../proto/gen/novaedge/v1/config.ts";
import { Conditions } from "./conditions.ts";
import type { Derived, DerivedResource } from "./derived.ts";
import { noteUnserved } from "./gateway.ts";
import { basicAuthRule, forwardAuthRule } from "./policy_auth.ts";
import { jwtRule } from "./policy_jwt.ts";
import { rateLimitRule } from "./policy_rate_limit.ts";
import type { PolicyObject, TranslatedRule } from "./policy_rule.ts";
import { corsRule, ipListRule, requestLimitsRule, securityHeadersRule } from "./policy_rules.ts";
import { supplanter } from "./policy_targets.ts";
import { fullName, objectKey } from "./source_object.ts";
import { unservedUses } from "./unserved.ts";
import type { View } from "./view.ts";

/** Translates a ProxyPolicy. One that cannot be kept becomes one that nobody passes. */
export function derivePolicy(policy: PolicyObject, view: View): Derived {
  const conditions = new Conditions().expect("Accepted").expect("ResolvedRefs");
  const unattached = targetProblem(policy, view);
  if (unattached !== null) {
    conditions.fail("Accepted", unattached.reason, unattached.message);
    return { outcome: conditions.outcome(policy), resources: [] };
  }
  const resources: DerivedResource[] = [];
  const name = objectKey(policy);
  const { message, backend } = policyMessage(policy, name, view, conditions);
  if (backend !== undefined) resources.push({ kind: Kind.KIND_BACKEND, name, body: backend });
  resources.push({ kind: Kind.KIND_POLICY, name, body: Policy.encode(message).finish() });
  return { outcome: conditions.outcome(policy), resources };
}

/** A policy as nodes get it. */
export interface PolicyMessage {
  readonly message: Policy;
  /** The backend that it asks, encoded. */
  readonly backend?: Uint8Array;
}

/**
 * Translates the settings of a policy; those that cannot be kept close what they are attached to.
 * @param name of the resource, and of that of the backend which it asks
 */
export function policyMessage(
  policy: PolicyObject,
  name: string,
  view: View,
  conditions: Conditions,
): PolicyMessage {
  const translated = ruleOf(policy, view, conditions);
  const message = Policy.create({
    namespace: policy.namespace,
    name: policy.name,
    override: policy.body.spec.override === true,
  });
  if ("problem" in translated) {
    const { problem, reason, resolved = true } = translated;
    conditions.fail(resolved ? "Accepted" : "ResolvedRefs", reason, problem);
    return { message: { ...message, closedReason: problem } };
  }
  const { rule, backend, remarks = [] } = translated;
  for (const remark of remarks) conditions.note("PartiallyInvalid", "InvalidCredential", remark);
  const own = rule.$case === "forwardAuth"
    ? { ...rule, value: { ...rule.value, backend: name } }
    : rule;
  return {
    message: { ...message, rule: own },
    ...(backend === undefined ? {} : { backend: Backend.encode(backend).finish() }),
  };
}

interface Unattached {
  readonly reason: string;
  readonly message: string;
}

/** Why a policy holds for nothing, or null. */
function targetProblem(policy: PolicyObject, view: View): Unattached | null {
  const { targetRef } = policy.body.spec;
  const { kind, name, sectionName } = targetRef;
  if ((targetRef.namespace ?? policy.namespace) !== policy.namespace) {
    const message = `a policy can target its own namespace only, not ${targetRef.namespace}`;
    return { reason: "Invalid", message };
  }
  const label = `${kind} ${policy.namespace}/${name}`;
  const notFound = (message: string) => ({ reason: "TargetNotFound", message });
  if (!sectionsOf(view, kind, policy.namespace, name)?.has(sectionName ?? "")) {
    return notFound(
      sectionName === undefined ? `${label} not found` : `${label}: no ${sectionName}`,
    );
  }
  const other = supplanter(policy, view);
  if (other === null) return null;
  const message = `${fullName(other)} of the same type is older and counts for ${label}`;
  return { reason: "Conflicted", message };
}

/** Names of the parts of a target, with "" for itself; null when it does not exist. */
function sectionsOf(
  view: View,
  kind: ProxyPolicySpec["targetRef"]["kind"],
  namespace: string,
  name: string,
): Set<string> | null {
  switch (kind) {
    case "ProxyGateway": {
      const gateway = view.get(kind, namespace, name);
      if (gateway === null) return null;
      return new Set(["", ...gateway.body.spec.listeners.map((listener) => listener.name)]);
    }
    case "ProxyRoute": {
      const route = view.get(kind, namespace, name);
      if (route === null) return null;
      return new Set(["", ...route.body.spec.rules.map((rule) => rule.name ?? "")]);
    }
    case "Gateway": {
      const gateway = view.get(kind, namespace, name);
      if (gateway === null) return null;
      return new Set(["", ...gateway.body.spec.listeners.map((listener) => listener.name)]);
    }
    case "HTTPRoute":
    case "GRPCRoute": {
      const route = view.get(kind, namespace, name);
      if (route === null) return null;
      const rules: readonly { readonly name?: string }[] = route.body.spec.rules ?? [];
      return new Set(["", ...rules.map((rule) => rule.name ?? "")]);
    }
    case "ProxyBackend":
    case "Service":
      return view.get(kind, namespace, name) === null ? null : new Set([""]);
  }
}

function ruleOf(policy: PolicyObject, view: View, conditions: Conditions): TranslatedRule {
  const { spec } = policy.body;
  if (policy.heldBecause !== "" && !Object.hasOwn(TRANSLATORS, spec.type)) {
    return { problem: "the policy cannot be read", reason: "Invalid" };
  }
  const unserved = unservedUses(policy);
  noteUnserved(conditions, unserved.map(({ path }) => path));
  const translate = TRANSLATORS[spec.type];
  if (translate === undefined) {
    return { problem: `policies of type ${spec.type} are not served yet`, reason: "Unsupported" };
  }
  if (unserved.length > 0) {
    return { problem: `${unserved[0].path} is not served yet`, reason: "Unsupported" };
  }
  const settings = POLICY_SETTINGS[spec.type];
  if (spec[settings] === undefined) {
    return { problem: `type ${spec.type} needs spec.${settings}`, reason: "Invalid" };
  }
  return translate(policy, view);
}

type Translate = (policy: PolicyObject, view: View) => TranslatedRule;

const TRANSLATORS: Readonly<Record<string, Translate>> = {
  RateLimit: rateLimitRule,
  DistributedRateLimit: rateLimitRule,
  JWT: jwtRule,
  BasicAuth: basicAuthRule,
  ForwardAuth: forwardAuthRule,
  CORS: corsRule,
  IPAllowList: ipListRule,
  IPDenyList: ipListRule,
  SecurityHeaders: securityHeadersRule,
  RequestLimits: requestLimitsRule,
};
