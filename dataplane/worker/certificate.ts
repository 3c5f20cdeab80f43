import { Buffer } from "node:buffer";
import { createHash, createPrivateKey, X509Certificate } from "node:crypto";
import { type Certificate as X509, readCertificate } from "../net/x509/certificate.ts";
import { type RevocationList, revocationLists } from "../net/x509/revocation_list.ts";
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
  readonly authorities: readonly X509[];
  /** What tells one set of authorities from another, "" for none. */
  readonly authoritiesKey: string;
  /** What the authorities have taken back. */
  readonly revocations: readonly RevocationList[];
  /** What tells one set of lists from another, "" for none. */
  readonly revocationsKey: string;
}

const PEM = /-----BEGIN CERTIFICATE-----([\s\S]+?)-----END CERTIFICATE-----/g;

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
  const trust = {
    ca,
    authorities: ca === null ? [] : authoritiesOf(ca),
    authoritiesKey: keyOf(message.caPem),
    revocations: message.crlPem.length > 0 ? revocationLists(message.crlPem) : [],
    revocationsKey: keyOf(message.crlPem),
  };
  if (message.certPem.length === 0) {
    if (ca === null) throw new CertificateError("there is neither a certificate nor a CA bundle");
    return { identity: null, keyKind: "", ...trust };
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
  return { identity, keyKind, ...trust };
}

function keyOf(pem: Uint8Array): string {
  return pem.length === 0 ? "" : createHash("sha256").update(pem).digest("base64");
}

function authoritiesOf(bundle: Buffer): X509[] {
  const texts = [...bundle.toString("latin1").matchAll(PEM)];
  if (texts.length === 0) throw new CertificateError("the CA bundle has no certificate");
  return texts.map(([, text], i) => {
    let authority: X509;
    try {
      authority = readCertificate(Buffer.from(text, "base64"));
    } catch (error) {
      const problem = `certificate ${i + 1} of the CA bundle cannot be read`;
      throw new CertificateError(problem, { cause: error });
    }
    if (!authority.extensions.isAuthority) {
      throw new CertificateError(`certificate ${i + 1} of the CA bundle is not a CA's`);
    }
    return authority;
  });
}
