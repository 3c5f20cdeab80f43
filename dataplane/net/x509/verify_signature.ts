import { Buffer } from "node:buffer";
import { createPublicKey, type KeyObject, verify } from "node:crypto";
import type { Certificate } from "./certificate.ts";

/**
 * Digests of signature algorithms by object identifier; null where the algorithm has its own. MD5 and
 * SHA-1 are missing on purpose: certificates with the same digest can be made.
 */
const DIGESTS: Readonly<Record<string, string | null>> = {
  "2a864886f70d01010b": "sha256",
  "2a864886f70d01010c": "sha384",
  "2a864886f70d01010d": "sha512",
  "2a8648ce3d040302": "sha256",
  "2a8648ce3d040303": "sha384",
  "2a8648ce3d040304": "sha512",
  "2b6570": null,
};

/** RSASSA-PSS and Ed448, which the runtime does not verify. */
const OTHER_ALGORITHMS: ReadonlySet<string> = new Set(["2a864886f70d01010a", "2b6571"]);

/** Whether the key of `issuer` made the signature of `certificate`; false where that cannot be told. Never throws. */
export type VerifySignature = (certificate: Certificate, issuer: Certificate) => boolean;

/** Digest of a signature algorithm, null where it has its own, undefined where it is not accepted. */
export function digestOf(algorithm: string): string | null | undefined {
  return Object.hasOwn(DIGESTS, algorithm) ? DIGESTS[algorithm] : undefined;
}

/** Whether a signature algorithm counts at all, wherever it can be verified. */
export function acceptsAlgorithm(algorithm: string): boolean {
  return digestOf(algorithm) !== undefined || OTHER_ALGORITHMS.has(algorithm);
}

const keys = new WeakMap<Certificate, KeyObject | null>();

/** The runtime's key of a certificate; null for kinds that it cannot use. */
export function publicKeyOf(certificate: Certificate): KeyObject | null {
  let key = keys.get(certificate);
  if (key === undefined) {
    try {
      const der = Buffer.from(certificate.publicKey);
      key = createPublicKey({ key: der, format: "der", type: "spki" });
    } catch {
      key = null;
    }
    keys.set(certificate, key);
  }
  return key;
}

/** Verifies by the runtime: RSA up to 4,096 bits, P-224, P-256, P-384, secp256k1 and Ed25519 (2.9.3). */
export const verifySignature: VerifySignature = (certificate, issuer) => {
  const digest = digestOf(certificate.algorithm);
  const key = digest === undefined ? null : publicKeyOf(issuer);
  if (digest === undefined || key === null) return false;
  try {
    return verify(digest, certificate.signed, key, certificate.signature);
  } catch {
    return false; // A key of another kind than the algorithm needs.
  }
};
