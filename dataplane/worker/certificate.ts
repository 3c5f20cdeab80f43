import tls from "node:tls";
import { X509Certificate } from "node:crypto";
import { createPrivateKey } from "node:crypto";
import type { Buffer } from "node:buffer";
import type { Certificate } from "../../proto/gen/novaedge/v1/config.ts";

/** A certificate that cannot serve; the message never contains key material. */
export class CertificateError extends Error {
  readonly code = "CERTIFICATE";
}

/** A certificate ready for handshakes. */
export interface LoadedCertificate {
  readonly context: tls.SecureContext;
}

/**
 * Checks and loads a certificate with its key.
 * @throws {CertificateError} when either cannot be read or they do not belong together
 */
export function loadCertificate({ certPem, keyPem }: Certificate): LoadedCertificate {
  let matches: boolean;
  try {
    const certificate = new X509Certificate(certPem as Buffer);
    matches = certificate.checkPrivateKey(createPrivateKey(keyPem as Buffer));
  } catch {
    throw new CertificateError("certificate or key cannot be read");
  }
  if (!matches) throw new CertificateError("the key does not belong to the certificate");
  try {
    const context = tls.createSecureContext({ cert: certPem as Buffer, key: keyPem as Buffer });
    return { context };
  } catch (error) {
    throw new CertificateError(`TLS cannot use the certificate: ${(error as Error).message}`);
  }
}
