import type { ConditionType } from "../../api/condition_types.ts";
import type { ProxyListener } from "../../api/proxy_gateway.ts";
import {
  type ClientAuth,
  ClientAuthMode,
  type SniCertificate,
} from "../../proto/gen/novaedge/v1/config.ts";
import { authoritiesProblem, certificateProblem } from "./certificate.ts";
import { GROUP, mayRefer } from "./grants.ts";
import { objectKey, type SourceObject } from "./source_object.ts";
import type { View } from "./view.ts";

type GatewayObject = SourceObject<"ProxyGateway">;

/** Records against a condition why something of a listener cannot be served. */
export type Fail = (type: ConditionType, reason: string, message: string) => void;

interface SecretRef {
  readonly name: string;
  readonly namespace?: string;
}

/** The Secret that a gateway names, where it may; its problem is recorded otherwise. */
function secretOf(
  gateway: GatewayObject,
  ref: SecretRef,
  view: View,
  problemOf: typeof certificateProblem,
  fail: Fail,
): string | null {
  const { namespace = gateway.namespace, name } = ref;
  const label = `${namespace}/${name}`;
  const from = { group: GROUP, kind: "ProxyGateway", namespace: gateway.namespace };
  if (!mayRefer(view, from, { group: "", kind: "Secret", namespace, name })) {
    fail("ResolvedRefs", "RefNotPermitted", `no ReferenceGrant for Secret ${label}`);
    return null;
  }
  const secret = view.get("Secret", namespace, name);
  const problem = secret === null ? "not found" : problemOf(secret.body);
  if (problem === null) return objectKey({ kind: "Secret", namespace, name });
  fail("ResolvedRefs", "InvalidCertificateRef", `Secret ${label}: ${problem}`);
  return null;
}

/** Certificates of a listener by server name; those that cannot be used are left out and recorded. */
export function certificatesOf(
  gateway: GatewayObject,
  listener: ProxyListener,
  view: View,
  fail: Fail,
): SniCertificate[] {
  const found: SniCertificate[] = [];
  const wanted: [string, ProxyListener["tls"]][] = [
    ["", listener.tls],
    ...Object.entries(listener.tlsCertificates ?? {}),
  ];
  for (const [serverName, tls] of wanted) {
    if (tls?.secretRef === undefined) continue;
    const certificate = secretOf(gateway, tls.secretRef, view, certificateProblem, fail);
    if (certificate !== null) found.push({ serverName: serverName.toLowerCase(), certificate });
  }
  if (wanted.every(([, tls]) => tls?.secretRef === undefined)) {
    fail("ResolvedRefs", "InvalidCertificateRef", "an HTTPS listener needs tls.secretRef");
  }
  return found;
}

const MODES: Readonly<Record<string, ClientAuthMode>> = {
  optional: ClientAuthMode.CLIENT_AUTH_MODE_OPTIONAL,
  require: ClientAuthMode.CLIENT_AUTH_MODE_REQUIRE,
};

/**
 * What a listener asks of client certificates; undefined for nothing. An authority that cannot be used is
 * named all the same: the dataplane then lets nobody in by that name.
 */
export function clientAuthOf(
  gateway: GatewayObject,
  listener: ProxyListener,
  view: View,
  fail: Fail,
): ClientAuth | undefined {
  const auth = listener.clientAuth;
  const mode = MODES[auth?.mode ?? "none"];
  if (auth === undefined || mode === undefined) return undefined;
  const { caCertRef, requiredCNPatterns = [], requiredSANs = [] } = auth;
  if (caCertRef === undefined) {
    fail("ResolvedRefs", "InvalidCACertificateRef", "clientAuth needs caCertRef");
  } else secretOf(gateway, caCertRef, view, authoritiesProblem, fail);
  const ca = caCertRef === undefined ? "missing" : objectKey({
    kind: "Secret",
    namespace: caCertRef.namespace ?? gateway.namespace,
    name: caCertRef.name,
  });
  return { mode, cas: [ca], cnPatterns: requiredCNPatterns, sans: requiredSANs };
}
