import { Buffer } from "node:buffer";
import { createHash, createPrivateKey, X509Certificate } from "node:crypto";
import { type RevocationList, revocationLists } from "../net/revocation_list.ts";
import type { TlsIdentity, Transport } from "../net/transport.ts";
import type { Certificate } from "../../proto/gen/novaedge/v1/config.ts";

/** A certificate that cannot serve; the message never contains key material. */
export class CertificateError extends Error {
  readonly code = "CERTIFICATE";
}

/** A certificate ready for handshakes, a CA bundle, or both. */
export interface LoadedCertificate {
  /** Null for a bundle without a certificate of our own. */
  readonly identity: TlsIdentity | null;
  /** Kind of its key, as "rsa" or "ec"; "" for a bundle. */
  readonly keyKind: string;
  /** CA certificates in PEM, null for none. */
  readonly ca: Buffer | null;
  readonly authorities: readonly X509Certificate[];
  /** What the authorities have taken back. */
  readonly revocations: readonly RevocationList[];
  /** What tells one set of lists from another, "" for none. */
  readonly revocationsKey: string;
}

const PEM = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/**
 * Checks and loads a certificate with its key, and the CA bundle beside it.
 * @param transport that is to serve it
 * @throws {CertificateError} when one cannot be read or certificate and key do not belong together
 */
export function loadCertificate(
  message: Certificate,
  transport: Pick<Transport, "identityProblem">,
): LoadedCertificate {
  const ca = message.caPem.length > 0 ? Buffer.from(message.caPem) : null;
  const authorities = ca === null ? [] : authoritiesOf(ca);
  const listed = message.crlPem.length > 0;
  const revocations = listed ? revocationLists(message.crlPem) : [];
  const revocationsKey = listed ? createHash("sha256").update(message.crlPem).digest("base64") : "";
  if (message.certPem.length === 0) {
    if (ca === null) throw new CertificateError("there is neither a certificate nor a CA bundle");
    return { identity: null, keyKind: "", ca, authorities, revocations, revocationsKey };
  }
  const cert = Buffer.from(message.certPem);
  const key = Buffer.from(message.keyPem);
  let matches: boolean;
  let keyKind: string;
  try {
    const secret = createPrivateKey(key);
    keyKind = secret.asymmetricKeyType ?? "";
    matches = new X509Certificate(cert).checkPrivateKey(secret);
  } catch {
    throw new CertificateError("certificate or key cannot be read");
  }
  if (!matches) throw new CertificateError("the key does not belong to the certificate");
  const ocspResponse = message.ocspResponse.length > 0 ? Buffer.from(message.ocspResponse) : null;
  const identity = { cert, key, ocspResponse };
  const problem = transport.identityProblem(identity);
  if (problem !== "") throw new CertificateError(`TLS cannot use the certificate: ${problem}`);
  return { identity, keyKind, ca, authorities, revocations, revocationsKey };
}

function authoritiesOf(bundle: Buffer): X509Certificate[] {
  const texts = bundle.toString("latin1").match(PEM) ?? [];
  if (texts.length === 0) throw new CertificateError("the CA bundle has no certificate");
  return texts.map((text) => {
    let authority: X509Certificate;
    try {
      authority = new X509Certificate(text);
    } catch {
      throw new CertificateError("a certificate of the CA bundle cannot be read");
    }
    if (!authority.ca) throw new CertificateError("a certificate of the CA bundle is not a CA's");
    return authority;
  });
}
