import { GATEWAY_API } from "../../api/gateway_api.ts";
import { certificateProblem } from "./certificate.ts";
import type { Conditions } from "./conditions.ts";
import { mayRefer } from "./grants.ts";
import { objectKey, type SourceObject } from "./source_object.ts";
import type { View } from "./view.ts";

type GatewayObject = SourceObject<"Gateway">;

/** The certificate that tells backends who we are; what cannot be used is said in the Gateway's conditions. */
export function clientCertificateOf(
  gateway: GatewayObject,
  view: View,
  conditions: Conditions,
): string | null {
  const ref = gateway.body.spec.tls?.backend?.clientCertificateRef;
  if (ref === undefined) return null;
  conditions.expect("ResolvedRefs");
  const { group = "", kind = "Secret", namespace = gateway.namespace, name } = ref;
  const fail = (reason: string, message: string) => {
    conditions.fail("ResolvedRefs", reason, `${kind} ${namespace}/${name}: ${message}`);
    return null;
  };
  if (group !== "" || kind !== "Secret") {
    return fail("InvalidClientCertificateRef", "only Secrets hold certificates");
  }
  const from = { group: GATEWAY_API, kind: "Gateway", namespace: gateway.namespace };
  if (!mayRefer(view, from, { group, kind, namespace, name })) {
    return fail("RefNotPermitted", "no ReferenceGrant");
  }
  const secret = view.get("Secret", namespace, name);
  const problem = secret === null ? "not found" : certificateProblem(secret.body);
  if (problem !== null) return fail("InvalidClientCertificateRef", problem);
  return objectKey({ kind: "Secret", namespace, name });
}

/** Name of a backend as Gateways with a certificate of their own meet it. */
export function backendAs(backend: string, certificate: string): string {
  return certificate === "" ? backend : `${backend}@${certificate}`;
}
