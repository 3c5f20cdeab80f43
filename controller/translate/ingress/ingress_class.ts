import { Kind } from "../../../common/delta/resources.ts";
import {
  Gateway,
  Listener,
  Protocol,
  type SniCertificate,
} from "../../../proto/gen/novaedge/v1/config.ts";
import { certificateProblem } from "../certificate.ts";
import { Conditions } from "../conditions.ts";
import type { Derived } from "../derived.ts";
import { boundAddresses, requestAddresses } from "../gateway_addresses.ts";
import { NONE } from "../gateway_parameters.ts";
import { conflictsOf, portClaims } from "../listener_claims.ts";
import { objectKey } from "../source_object.ts";
import { classClaims, type ClassObject, isDefault, isOurs, parametersOf } from "./class_facts.ts";
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
  const certificates = certificatesOf(found, view);
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

/** The certificates of all Ingresses of a class by the names they are for; of two for one name the older's. */
function certificatesOf(found: ClassObject, view: View): SniCertificate[] {
  const certificates = new Map<string, string>();
  const named = view.select("Ingress", "ingress-class", found.name);
  const nameless = isDefault(found) ? view.select("Ingress", "ingress-class", "") : [];
  for (const ingress of [...named, ...nameless]) {
    const { namespace, body } = ingress;
    for (const { hosts = [], secretName } of body.spec?.tls ?? []) {
      if (secretName === undefined) continue;
      const secret = view.get("Secret", namespace, secretName);
      if (secret === null || certificateProblem(secret.body) !== null) continue;
      const key = objectKey({ kind: "Secret", namespace, name: secretName });
      for (const host of hosts) {
        if (!certificates.has(host.toLowerCase())) certificates.set(host.toLowerCase(), key);
      }
    }
  }
  return [...certificates].map(([serverName, certificate]) => ({ serverName, certificate }));
}
