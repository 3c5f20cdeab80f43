import { Buffer } from "node:buffer";
import { X509Certificate } from "node:crypto";
import type { Secret } from "../../api/core.ts";
import { GATEWAY_API } from "../../api/gateway_api.ts";
import { Kind } from "../../common/delta/resources.ts";
import { Certificate } from "../../proto/gen/novaedge/v1/config.ts";
import { Conditions } from "./conditions.ts";
import type { Derived } from "./derived.ts";
import { classServed } from "./gateway_class.ts";
import { mayRefer } from "./grants.ts";
import { listenersOfSet } from "./listener_owner.ts";
import { type PemPair, readPemPair } from "./pem_pair.ts";
import { secretValue } from "./secret_value.ts";
import { fullName, objectKey, type SourceObject } from "./source_object.ts";
import type { View } from "./view.ts";

const TLS_TYPE = "kubernetes.io/tls";
const NOTHING = Buffer.alloc(0);

const pairs = new WeakMap<Secret, PemPair | string>();

/** The certificate of a Secret with its key, or why it cannot serve. The text never contains key material. */
function pairOf(secret: Secret): PemPair | string {
  let pair = pairs.get(secret);
  if (pair === undefined) pairs.set(secret, pair = readPair(secret));
  return pair;
}

function readPair(secret: Secret): PemPair | string {
  if (secret.type !== TLS_TYPE) return `type must be ${TLS_TYPE}`;
  const certificate = secretValue(secret, "tls.crt");
  const key = secretValue(secret, "tls.key");
  if (certificate === null) return "tls.crt is missing";
  return key === null ? "tls.key is missing" : readPemPair(certificate, key);
}

/** Why a Secret cannot serve as our own certificate, or null. The text never contains key material. */
export function certificateProblem(secret: Secret): string | null {
  const pair = pairOf(secret);
  return typeof pair === "string" ? pair : null;
}

/** The certificate that a Secret serves; of one that can. */
function leafOf(secret: Secret): X509Certificate {
  return (pairOf(secret) as PemPair).certificates[0];
}

/** Names of servers that a certificate is for, in lower case; of a Secret that can serve. */
export function serverNames(secret: Secret): string[] {
  const { subjectAltName = "" } = leafOf(secret);
  return [...subjectAltName.matchAll(/DNS:([A-Za-z0-9*.-]+)/g)].map(([, name]) =>
    name.toLowerCase()
  ).sort();
}

/** Kind of a certificate's key, as "rsa" or "ec"; of a Secret that can serve. */
export function keyKind(secret: Secret): string {
  return leafOf(secret).publicKey.asymmetricKeyType ?? "";
}

/** Why a Secret cannot serve as a bundle of authorities, or null. */
export function authoritiesProblem(secret: Secret): string | null {
  return bundleProblem(secretValue(secret, "ca.crt") ?? undefined);
}

/** Why ca.crt cannot serve as a bundle of authorities, or null. */
export function bundleProblem(bundle: string | Uint8Array | undefined): string | null {
  if (bundle === undefined) return "ca.crt is missing";
  try {
    return new X509Certificate(bundle).ca ? null : "ca.crt is not the certificate of a CA";
  } catch {
    return "ca.crt is not a PEM certificate";
  }
}

/** Whether Gateways of ours, or sets of theirs, may refer to the Secret. */
function usedByGateway(secret: SourceObject<"Secret">, view: View): boolean {
  const name = fullName(secret);
  const to = { group: "", kind: "Secret", namespace: secret.namespace, name: secret.name };
  const mayUse = ({ kind, namespace }: SourceObject) =>
    mayRefer(view, { group: GATEWAY_API, kind, namespace }, to);
  if (view.select("Ingress", "gateway-secret", name).length > 0) return true;
  if (view.select("GatewayParameters", "default-certificate", name).length > 0) return true;
  return view.select("Gateway", "gateway-secret", name).some((gateway) =>
    classServed(view, gateway.body.spec.gatewayClassName) && mayUse(gateway)
  ) ||
    view.select("ListenerSet", "gateway-secret", name).some((set) =>
      listenersOfSet(set, view) !== null && mayUse(set)
    );
}

/** Translates a Secret: its certificate and authorities where something refers to it, else nothing. */
export function deriveSecret(secret: SourceObject<"Secret">, view: View): Derived {
  const conditions = new Conditions().expect("Accepted");
  const name = fullName(secret);
  const used = view.select("ProxyGateway", "gateway-secret", name).length > 0 ||
    usedByGateway(secret, view) ||
    view.select("ProxyBackend", "backend-secret", name).length > 0 ||
    view.select("Ingress", "backend-secret", name).length > 0 ||
    view.select("ProxyPolicy", "policy-secret", name).length > 0;
  if (!used) return { outcome: conditions.outcome(secret), resources: [] };
  const { body } = secret;
  const bundle = secretValue(body, "ca.crt");
  const own = secretValue(body, "tls.crt") !== null || bundle === null;
  const problem = own ? certificateProblem(body) : authoritiesProblem(body);
  if (problem !== null) conditions.fail("Accepted", "InvalidCertificate", problem);
  else if (own) {
    const { validTo } = leafOf(body);
    conditions.note("Certificate", "Loaded", `valid until ${new Date(validTo).toISOString()}`);
  }
  const outcome = conditions.outcome(secret);
  if (problem !== null) return { outcome, resources: [] };
  const pair = own ? pairOf(body) as PemPair : null;
  const message = Certificate.create({
    namespace: secret.namespace,
    name: secret.name,
    certPem: pair === null ? NOTHING : Buffer.from(pair.certPem),
    keyPem: pair === null ? NOTHING : Buffer.from(pair.keyPem),
    caPem: bundle !== null && authoritiesProblem(body) === null ? bundle : NOTHING,
    ocspResponse: own ? secretValue(body, "tls.ocsp-staple") ?? NOTHING : NOTHING,
    crlPem: secretValue(body, "ca.crl") ?? NOTHING,
  });
  return {
    outcome,
    resources: [{
      kind: Kind.KIND_CERTIFICATE,
      name: objectKey(secret),
      body: Certificate.encode(message).finish(),
    }],
  };
}

/** Translates a ConfigMap: the authorities that it holds, where something refers to it. */
export function deriveConfigMap(map: SourceObject<"ConfigMap">, view: View): Derived {
  const outcome = new Conditions().outcome(map);
  const bundle = map.body.data?.["ca.crt"];
  const name = fullName(map);
  const used = view.select("Gateway", "config-map-user", name).length > 0 ||
    view.select("BackendTLSPolicy", "config-map-user", name).length > 0;
  if (!used || bundle === undefined || bundleProblem(bundle) !== null) {
    return { outcome, resources: [] };
  }
  const message = Certificate.create({
    namespace: map.namespace,
    name: map.name,
    caPem: Buffer.from(bundle),
  });
  return {
    outcome,
    resources: [{
      kind: Kind.KIND_CERTIFICATE,
      name: objectKey(map),
      body: Certificate.encode(message).finish(),
    }],
  };
}
