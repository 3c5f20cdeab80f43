import { TICKET_LIFETIME, type TicketKey, type TicketKeys } from "../ticket_keys.ts";
import { cString, type OpenSsl, pinned, type Pointer, TLS_1_3 } from "./openssl.ts";

const CALLBACK = {
  parameters: ["pointer", "pointer", "pointer", "pointer", "pointer", "i32"],
  result: "i32",
} as const;
/** What the callback may say (SSL_CTX_set_tlsext_ticket_key_evp_cb(3)). */
const RESULT = { failed: -1, unknown: 0, usable: 1, usableAndRenewed: 2 } as const;
/** Bytes of a key's name and of an initialization vector. */
const PIECE = 16n;
/** `OSSL_PARAM` and its types (openssl/core.h). */
const PARAM_SIZE = 40;
const PARAM = { utf8: 4, octets: 5 } as const;

/**
 * Makes and opens session tickets with keys that all threads share. The library would have keys of its own for each
 * context, and change none of them.
 */
export class TicketCallback implements Disposable {
  readonly #openssl: OpenSsl;
  readonly #keys: TicketKeys;
  readonly #callback: Deno.UnsafeCallback<typeof CALLBACK>;
  readonly #cipher: Pointer;
  readonly #name = new Uint8Array(Number(PIECE));
  /** Parameters for a key of the MAC, made once for each key. */
  readonly #macs = new WeakMap<TicketKey, MacParameters>();

  constructor(openssl: OpenSsl, keys: TicketKeys) {
    this.#openssl = openssl;
    this.#keys = keys;
    this.#cipher = openssl.made("AES", openssl.crypto.EVP_aes_256_cbc());
    this.#callback = new Deno.UnsafeCallback(
      CALLBACK,
      (ssl, name, vector, cipher, mac, making) =>
        making === 1
          ? this.#make(name!, vector!, cipher!, mac!)
          : this.#open(ssl!, name!, vector!, cipher!, mac!),
    );
  }

  /** Tickets of a context are made here from now on. */
  install(context: Pointer): void {
    const { ssl } = this.#openssl;
    ssl.SSL_CTX_set_timeout(context, BigInt(TICKET_LIFETIME));
    ssl.SSL_CTX_set_num_tickets(context, 1n);
    ssl.SSL_CTX_set_tlsext_ticket_key_evp_cb(context, this.#callback.pointer);
  }

  [Symbol.dispose](): void {
    this.#callback.close();
  }

  #make(name: Pointer, vector: Pointer, cipher: Pointer, mac: Pointer): number {
    const [key] = this.#keys.all();
    const { memory, crypto } = this.#openssl;
    memory.copyIn(name, key.name, PIECE);
    if (crypto.RAND_bytes(vector, Number(PIECE)) !== 1) return RESULT.failed;
    const done = crypto.EVP_EncryptInit_ex(cipher, this.#cipher, null, key.cipher, vector);
    return done === 1 && this.#sign(mac, key) ? RESULT.usable : RESULT.failed;
  }

  #open(
    ssl: Pointer,
    name: Pointer,
    vector: Pointer,
    cipher: Pointer,
    mac: Pointer,
  ): number {
    this.#openssl.memory.copyOut(this.#name, name, PIECE);
    const at = this.#keys.find(this.#name);
    if (at < 0) return RESULT.unknown;
    const key = this.#keys.all()[at];
    const done = this.#openssl.crypto.EVP_DecryptInit_ex(
      cipher,
      this.#cipher,
      null,
      key.cipher,
      vector,
    );
    if (done !== 1 || !this.#sign(mac, key)) return RESULT.failed;
    // Clients use a ticket of TLS 1.3 once only (RFC 8446 appendix C.4): without another one every second
    // connection would have none.
    const single = this.#openssl.ssl.SSL_version(ssl) === TLS_1_3;
    return at === 0 && !single ? RESULT.usable : RESULT.usableAndRenewed;
  }

  #sign(mac: Pointer, key: TicketKey): boolean {
    let parameters = this.#macs.get(key);
    if (parameters === undefined) {
      this.#macs.set(key, parameters = new MacParameters(key.mac));
    }
    return this.#openssl.crypto.EVP_MAC_CTX_set_params(mac, parameters.list) === 1;
  }
}

/** An array of `OSSL_PARAM` that gives a MAC its key and its digest. It points into memory of its own. */
class MacParameters {
  readonly list = new Uint8Array(new ArrayBuffer(3 * PARAM_SIZE));
  readonly #texts = {
    key: pinned(cString("key")),
    digest: pinned(cString("digest")),
    sha256: pinned(cString("SHA256")),
  };
  readonly #secret: Uint8Array<ArrayBuffer>;

  constructor(secret: Uint8Array<ArrayBuffer>) {
    this.#secret = secret;
    const { key, digest, sha256 } = this.#texts;
    this.#put(0, key, PARAM.octets, this.#secret, this.#secret.length);
    this.#put(1, digest, PARAM.utf8, sha256, sha256.length - 1);
  }

  #put(
    at: number,
    name: Uint8Array<ArrayBuffer>,
    type: number,
    data: Uint8Array<ArrayBuffer>,
    length: number,
  ): void {
    const view = new DataView(this.list.buffer, at * PARAM_SIZE);
    const address = (bytes: Uint8Array<ArrayBuffer>) =>
      Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes));
    view.setBigUint64(0, address(name), true);
    view.setUint32(8, type, true);
    view.setBigUint64(16, address(data), true);
    view.setBigUint64(24, BigInt(length), true);
    // Nothing was changed yet (OSSL_PARAM_UNMODIFIED).
    view.setBigInt64(32, -1n, true);
  }
}
