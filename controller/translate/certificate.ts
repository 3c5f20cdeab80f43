import { Buffer } from "node:buffer";
import { createPrivateKey, X509Certificate } from "node:crypto";
import type { Secret } from "../../api/core.ts";
import { Kind } from "../../common/delta/resources.ts";
import { Certificate } from "../../proto/gen/novaedge/v1/config.ts";
import { Conditions } from "./conditions.ts";
import type { Derived } from "./derived.ts";
import { fullName, type SourceObject } from "./source_object.ts";
import type { View } from "./view.ts";

const TLS_TYPE = "kubernetes.io/tls";

/** Certificate and key of a TLS Secret; null where one is missing. */
function pemOf(secret: Secret, key: string): Buffer | null {
  const plain = secret.stringData?.[key];
  if (plain !== undefined) return Buffer.from(plain);
  const encoded = secret.data?.[key];
  return encoded === undefined ? null : Buffer.from(encoded, "base64");
}

/** Why a Secret cannot serve TLS, or null. The text never contains key material. */
export function certificateProblem(secret: Secret): string | null {
  if (secret.type !== TLS_TYPE) return `type must be ${TLS_TYPE}`;
  const certificate = pemOf(secret, "tls.crt");
  const key = pemOf(secret, "tls.key");
  if (certificate === null) return "tls.crt is missing";
  if (key === null) return "tls.key is missing";
  let parsed: X509Certificate;
  try {
    parsed = new X509Certificate(certificate);
  } catch {
    return "tls.crt is not a PEM certificate";
  }
  try {
    return parsed.checkPrivateKey(createPrivateKey(key))
      ? null
      : "tls.key does not belong to tls.crt";
  } catch {
    return "tls.key is not a PEM private key";
  }
}

/** Translates a Secret: a certificate where a gateway refers to it, else nothing. */
export function deriveSecret(secret: SourceObject<"Secret">, view: View): Derived {
  const conditions = new Conditions().expect("Accepted");
  const used = view.select("ProxyGateway", "gateway-secret", fullName(secret)).length > 0;
  const problem = used ? certificateProblem(secret.body) : null;
  if (problem !== null) conditions.fail("Accepted", "InvalidCertificate", problem);
  const outcome = conditions.outcome(secret);
  if (!used || problem !== null) return { outcome, resource: null };
  const message = Certificate.create({
    namespace: secret.namespace,
    name: secret.name,
    certPem: pemOf(secret.body, "tls.crt")!,
    keyPem: pemOf(secret.body, "tls.key")!,
  });
  return {
    outcome,
    resource: { kind: Kind.KIND_CERTIFICATE, body: Certificate.encode(message).finish() },
  };
}
