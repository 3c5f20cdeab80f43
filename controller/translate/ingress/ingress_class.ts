import { Kind } from "../../../common/delta/resources.ts";
import {
  Gateway,
  Listener,
  Protocol,
  type SniCertificate,
} from "../../../proto/gen/novaedge/v1/config.ts";
import { Conditions } from "../conditions.ts";
import type { Derived } from "../derived.ts";
import { boundAddresses, requestAddresses } from "../gateway_addresses.ts";
import { NONE } from "../gateway_parameters.ts";
import { conflictsOf, portClaims } from "../listener_claims.ts";
import { objectKey } from "../source_object.ts";
import {
  certificateIn,
  classClaims,
  type ClassObject,
  coveringNames,
  defaultCertificate,
  isDefault,
  isOurs,
  parametersOf,
  type ServedCertificate,
} from "./class_facts.ts";
import type { View } from "../view.ts";

/** Translates a class of ours: one gateway for all of its Ingresses. */
export function deriveIngressClass(found: ClassObject, view: View): Derived {
  if (!isOurs(found)) return { outcome: new Conditions().outcome(found), resources: [] };
  const conditions = new Conditions().expect("Accepted");
  const parameters = parametersOf(found, view);
  const problem = "problem" in parameters;
  if (problem) conditions.fail("Accepted", "InvalidParameters", parameters.problem);
  const { pools, ingressPorts, nodeSelector } = problem ? NONE : parameters;
  const assigned = requestAddresses(found, [], pools, view);
  if (assigned.reason !== "") conditions.fail("Programmed", assigned.reason, assigned.message);
  const conflicts = conflictsOf(classClaims(found, view), portClaims(view), view);
  const bindAddresses = boundAddresses(objectKey(found), [], view).filter((text) => text !== "");
  const standard = defaultCertificate(found, view);
  if (standard !== null && "problem" in standard) {
    const problem = `defaultCertificateRef: ${standard.problem}`;
    conditions.fail("ResolvedRefs", "InvalidCertificateRef", problem);
  }
  const certificates = certificatesOf(found, standard, view);
  const listeners: Listener[] = [];
  for (const [index, name] of ["http", "https"].entries()) {
    const conflict = conflicts[index];
    if (conflict !== null) conditions.fail("Accepted", conflict.reason, conflict.message);
    if (conflict !== null || problem) continue;
    const https = name === "https";
    // Nobody could finish a handshake.
    if (https && certificates.length === 0) continue;
    listeners.push(Listener.create({
      name,
      port: https ? ingressPorts.https : ingressPorts.http,
      protocol: https ? Protocol.PROTOCOL_HTTPS : Protocol.PROTOCOL_HTTP,
      bindAddresses,
      tls: https ? { certificates, minVersion: "", clientAuth: undefined } : undefined,
    }));
  }
  const message = Gateway.create({
    namespace: "",
    name: found.name,
    listeners,
    accessLog: { disabled: false },
  });
  return {
    outcome: { ...conditions.outcome(found), addresses: [...assigned.addresses] },
    resources: [{
      kind: Kind.KIND_GATEWAY,
      name: objectKey(found),
      body: Gateway.encode(message).finish(),
    }],
    nodeSelector,
  };
}

/**
 * The certificates of all Ingresses of a class by the names they are for; of two for one name the older's. Hosts
 * without one get the class's, and so do clients that ask for no name.
 */
function certificatesOf(
  found: ClassObject,
  standard: ServedCertificate | null,
  view: View,
): SniCertificate[] {
  const certificates = new Map<string, string>();
  const fallback = standard !== null && "key" in standard ? standard.key : null;
  const named = view.select("Ingress", "ingress-class", found.name);
  const nameless = isDefault(found) ? view.select("Ingress", "ingress-class", "") : [];
  const without: string[] = [];
  for (const { namespace, body } of [...named, ...nameless]) {
    for (const { hosts = [], secretName } of body.spec?.tls ?? []) {
      const own = secretName === undefined ? null : certificateIn(namespace, secretName, view);
      for (const host of hosts.map((name) => name.toLowerCase())) {
        if (own === null || "problem" in own) without.push(host);
        else if (!certificates.has(host)) certificates.set(host, own.key);
      }
    }
  }
  // Behind all others: an entry without a certificate must not take away another one's.
  const owned = new Set(certificates.keys());
  for (const host of fallback === null ? [] : without) {
    if (!coveringNames(host).some((name) => owned.has(name))) certificates.set(host, fallback!);
  }
  if (fallback !== null && !certificates.has("")) certificates.set("", fallback);
  return [...certificates].map(([serverName, certificate]) => ({ serverName, certificate }));
}
