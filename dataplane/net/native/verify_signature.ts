import type { Certificate } from "../x509/certificate.ts";
import { acceptsAlgorithm, type VerifySignature } from "../x509/verify_signature.ts";
import { type OpenSsl, pinned, type Pointer } from "./openssl.ts";

/**
 * Returns a check by the library, which knows more kinds of keys than the runtime: P-521, brainpool,
 * RSA-PSS, RSA of any size, Ed448.
 */
export function opensslVerifier(openssl: OpenSsl): VerifySignature {
  const { crypto } = openssl;
  return (certificate, issuer) => {
    if (!acceptsAlgorithm(certificate.algorithm)) return false;
    const own = decode(openssl, certificate);
    const other = decode(openssl, issuer);
    try {
      if (own === null || other === null) return false;
      const key = crypto.X509_get0_pubkey(other);
      return key !== null && crypto.X509_verify(own, key) === 1;
    } finally {
      crypto.X509_free(own);
      crypto.X509_free(other);
      // What the library says of a wrong signature must not be taken for an error of a stream.
      crypto.ERR_clear_error();
    }
  };
}

/** A certificate of the library's, to be freed; null when it cannot read it. */
function decode({ crypto }: OpenSsl, { raw }: Certificate): Pointer | null {
  const bytes = pinned(raw);
  const place = new BigUint64Array([Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes))]);
  return crypto.d2i_X509(null, place, BigInt(bytes.length));
}
