import { Buffer } from "node:buffer";
import type { TlsIdentity } from "../transport.ts";
import type { OpenSsl, Pointer } from "./openssl.ts";

const CALLBACK = { parameters: ["pointer", "pointer"], result: "i32" } as const;
/** SSL_CTRL_SET_TLSEXT_STATUS_REQ_CB and SSL_CTRL_SET_TLSEXT_STATUS_REQ_OCSP_RESP. */
const SET_CALLBACK = 63;
const SET_RESPONSE = 71;
/** SSL_TLSEXT_ERR_OK and SSL_TLSEXT_ERR_NOACK. */
const SHOWN = 0;
const NOT_SHOWN = 3;

/** Responses that are kept: certificates go, and nobody says so here. */
const RESPONSES = 1_024;

/** Shows clients that ask for it what the certificate's authority says of it (RFC 6066 section 8). */
export class Stapling implements Disposable {
  readonly #openssl: OpenSsl;
  readonly #callback: Deno.UnsafeCallback<typeof CALLBACK>;
  /** Responses by the certificate that they are of, in DER. */
  readonly #responses = new Map<string, Uint8Array>();

  constructor(openssl: OpenSsl) {
    this.#openssl = openssl;
    this.#callback = new Deno.UnsafeCallback(CALLBACK, (ssl) => this.#show(ssl!));
  }

  /** The responses of a context's certificates are shown from now on. */
  install(context: Pointer, identities: readonly TlsIdentity[]): void {
    for (const { cert, ocspResponse } of identities) {
      const [own, ...chain] = this.#openssl.certificates(cert);
      const key = keyOf(this.#openssl.encoded(own));
      for (const certificate of [own, ...chain]) this.#openssl.crypto.X509_free(certificate);
      if (ocspResponse === null) this.#responses.delete(key);
      else this.#responses.set(key, ocspResponse);
    }
    for (const oldest of this.#responses.keys()) {
      if (this.#responses.size <= RESPONSES) break;
      this.#responses.delete(oldest);
    }
    const { ssl } = this.#openssl;
    ssl.SSL_CTX_callback_ctrl(context, SET_CALLBACK, this.#callback.pointer);
  }

  [Symbol.dispose](): void {
    this.#callback.close();
  }

  #show(connection: Pointer): number {
    const { ssl, crypto, memory } = this.#openssl;
    const certificate = ssl.SSL_get_certificate(connection);
    if (certificate === null) return NOT_SHOWN;
    const response = this.#responses.get(keyOf(this.#openssl.encoded(certificate)));
    if (response === undefined) return NOT_SHOWN;
    // The library frees it with the connection.
    const copy = crypto.CRYPTO_malloc(BigInt(response.length), null, 0);
    if (copy === null) return NOT_SHOWN;
    memory.copyIn(copy, response as BufferSource, BigInt(response.length));
    ssl.SSL_ctrl_pointer(connection, SET_RESPONSE, BigInt(response.length), copy);
    return SHOWN;
  }
}

function keyOf(der: Uint8Array): string {
  return Buffer.from(der).toString("latin1");
}
