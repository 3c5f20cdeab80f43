import type { UpstreamTls } from "../../proto/gen/novaedge/v1/config.ts";
import { ParentOutcome } from "../../proto/gen/novaedge/v1/distribution.ts";
import { bundleProblem } from "./certificate.ts";
import { Conditions } from "./conditions.ts";
import type { Derived } from "./derived.ts";
import { type GatewayRoute, parentsOf } from "./gateway_parents.ts";
import { createdAt, fullName, objectKey, type SourceObject } from "./source_object.ts";
import type { View } from "./view.ts";

type Policy = SourceObject<"BackendTLSPolicy">;
type Service = SourceObject<"Service">;
type Target = Policy["body"]["spec"]["targetRefs"][number];

/** Most ancestors that a status takes. */
const ANCESTORS = 16;

/** How the endpoints of a Service's port are met by TLS, or why they cannot be. */
export interface PolicyTls {
  readonly tls: UpstreamTls;
  /** Non-empty when they must not be met at all. */
  readonly closedReason: string;
}

function targets(policy: Policy, service: string, section: string | undefined): boolean {
  return policy.body.spec.targetRefs.some((ref) =>
    ofService(ref) && `${policy.namespace}/${ref.name}` === service && ref.sectionName === section
  );
}

function ofService({ group, kind }: Target): boolean {
  return group === "" && kind === "Service";
}

/** The policy that counts for a port's name, or for a whole Service: the oldest. */
function ruling(service: string, section: string | undefined, view: View): Policy | null {
  const candidates = view.select("BackendTLSPolicy", "tls-policy", service)
    .filter((policy) => targets(policy, service, section));
  const age = (policy: Policy) => `${createdAt(policy)}|${fullName(policy)}`;
  candidates.sort((a, b) => age(a) < age(b) ? -1 : 1);
  return candidates[0] ?? null;
}

/** The TLS that a policy asks for at a port of a Service; null where there is none. */
export function policyTls(
  service: Service,
  portName: string | undefined,
  view: View,
): PolicyTls | null {
  const name = fullName(service);
  const own = portName === undefined ? null : ruling(name, portName, view);
  const policy = own ?? ruling(name, undefined, view);
  if (policy === null) return null;
  const conditions = new Conditions();
  const ca = authorityOf(policy, view, conditions);
  const { hostname, subjectAltNames = [] } = policy.body.spec.validation;
  const sans = subjectAltNames.map(({ type, hostname = "", uri = "" }) =>
    type === "URI" ? uri : hostname
  );
  return {
    tls: { serverName: hostname, ca: ca ?? "", clientCertificate: "", insecure: false, sans },
    closedReason: conditions.holds("Accepted") ? "" : `BackendTLSPolicy ${policy.name} is invalid`,
  };
}

/**
 * Name of the Certificate resource with the authorities, "" for the system's; null when none can be used.
 */
function authorityOf(
  { namespace, body }: Policy,
  view: View,
  conditions: Conditions,
): string | null {
  const { caCertificateRefs = [], wellKnownCACertificates } = body.spec.validation;
  if (caCertificateRefs.length === 0) {
    if (wellKnownCACertificates === "System") return "";
    const message = `wellKnownCACertificates "${wellKnownCACertificates ?? ""}" is not known`;
    conditions.fail("Accepted", "Invalid", message);
    return null;
  }
  const found: string[] = [];
  for (const { group, kind, name } of caCertificateRefs) {
    const label = `${kind} ${namespace}/${name}`;
    if (group !== "" || kind !== "ConfigMap") {
      conditions.fail("ResolvedRefs", "InvalidKind", `${label}: only ConfigMaps hold authorities`);
      continue;
    }
    const map = view.get("ConfigMap", namespace, name);
    const problem = map === null ? "not found" : bundleProblem(map.body.data?.["ca.crt"]);
    if (problem === null) found.push(objectKey({ kind, namespace, name }));
    else conditions.fail("ResolvedRefs", "InvalidCACertificateRef", `${label}: ${problem}`);
  }
  if (found.length > 0) return found[0];
  conditions.fail("Accepted", "NoValidCACertificate", "none of caCertificateRefs can be used");
  return null;
}

/** What becomes of a BackendTLSPolicy, at each Gateway of ours from which its Services are reached. */
export function deriveBackendTlsPolicy(policy: Policy, view: View): Derived {
  const conditions = new Conditions().expect("Accepted").expect("ResolvedRefs");
  const refs = policy.body.spec.targetRefs;
  const gateways = new Map<string, SourceObject>();
  for (const ref of refs) {
    if (!ofService(ref)) {
      const message = `${ref.group}/${ref.kind} ${ref.name}: only Services are met by TLS`;
      conditions.fail("Accepted", "Invalid", message);
      continue;
    }
    const service = `${policy.namespace}/${ref.name}`;
    const first = ruling(service, ref.sectionName, view);
    if (first !== null && objectKey(first) !== objectKey(policy)) {
      const message = `${first.name} is for the same part of Service ${ref.name} and older`;
      conditions.fail("Accepted", "Conflicted", message);
    }
    for (const kind of ["HTTPRoute", "GRPCRoute"] as const) {
      for (const route of view.select(kind, "route-service", service)) {
        for (const { gateway } of parentsOf(route as GatewayRoute, view)) {
          gateways.set(objectKey(gateway), gateway);
        }
      }
    }
  }
  authorityOf(policy, view, conditions);
  const parents = [...gateways.values()].slice(0, ANCESTORS).map(({ namespace, name }) =>
    ParentOutcome.create({ kind: "Gateway", namespace, name, conditions: conditions.list() })
  );
  return { outcome: { ...new Conditions().outcome(policy), parents }, resources: [] };
}
