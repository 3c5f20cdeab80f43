import { GATEWAY_API } from "../../api/gateway_api.ts";
import { type ClientAuth, ClientAuthMode } from "../../proto/gen/novaedge/v1/config.ts";
import { authoritiesProblem, bundleProblem } from "./certificate.ts";
import type { Conditions } from "./conditions.ts";
import { mayRefer } from "./grants.ts";
import { objectKey, type SourceObject } from "./source_object.ts";
import type { View } from "./view.ts";

type GatewayObject = SourceObject<"Gateway">;
type Frontend = NonNullable<NonNullable<GatewayObject["body"]["spec"]["tls"]>["frontend"]>;
type Validation = NonNullable<Frontend["default"]["validation"]>;
type Ref = Validation["caCertificateRefs"][number];

/** What clients of a port must show: what is said of the port, else what is said of all. */
function validationOf({ body: { spec } }: GatewayObject, port: number): Validation | undefined {
  const frontend = spec.tls?.frontend;
  const own = frontend?.perPort?.find((entry) => entry.port === port);
  return own === undefined ? frontend?.default.validation : own.tls.validation;
}

/** Whether some port lets clients in whose certificate is missing or wrong. */
export function hasFallback({ body: { spec } }: GatewayObject): boolean {
  const { default: all, perPort = [] } = spec.tls?.frontend ?? { default: {} };
  return [all, ...perPort.map(({ tls }) => tls)].some(({ validation }) =>
    validation?.mode === "AllowInsecureFallback"
  );
}

/**
 * What a Gateway asks of client certificates at a port of HTTPS; undefined for nothing. A port of which no
 * authority can be used is not accepted.
 */
export function clientAuthAt(
  gateway: GatewayObject,
  port: number,
  view: View,
  conditions: Conditions,
): ClientAuth | undefined {
  const validation = validationOf(gateway, port);
  if (validation === undefined) return undefined;
  const cas = validation.caCertificateRefs.map((ref) => authorities(gateway, ref, view, conditions))
    .filter((key) => key !== null);
  if (cas.length === 0) {
    conditions.fail("Accepted", "NoValidCACertificate", "no authority for clients can be used");
  }
  const mode = validation.mode === "AllowInsecureFallback"
    ? ClientAuthMode.CLIENT_AUTH_MODE_FALLBACK
    : ClientAuthMode.CLIENT_AUTH_MODE_REQUIRE;
  return { mode, cas, cnPatterns: [], sans: [] };
}

/** Name of the Certificate resource of a reference; null when it cannot be used. */
function authorities(
  gateway: GatewayObject,
  { group = "", kind = "ConfigMap", namespace = gateway.namespace, name }: Ref,
  view: View,
  conditions: Conditions,
): string | null {
  const fail = (reason: string, message: string) => {
    conditions.fail("ResolvedRefs", reason, `${kind} ${namespace}/${name}: ${message}`);
    return null;
  };
  if (group !== "" || (kind !== "ConfigMap" && kind !== "Secret")) {
    return fail("InvalidCACertificateKind", "only ConfigMaps and Secrets hold authorities");
  }
  const from = { group: GATEWAY_API, kind: "Gateway", namespace: gateway.namespace };
  if (!mayRefer(view, from, { group, kind, namespace, name })) {
    return fail("RefNotPermitted", "no ReferenceGrant");
  }
  const found = view.get(kind, namespace, name);
  if (found === null) return fail("InvalidCACertificateRef", "not found");
  const problem = found.kind === "Secret"
    ? authoritiesProblem((found as SourceObject<"Secret">).body)
    : bundleProblem((found as SourceObject<"ConfigMap">).body.data?.["ca.crt"]);
  if (problem !== null) return fail("InvalidCACertificateRef", problem);
  return objectKey({ kind, namespace, name });
}
