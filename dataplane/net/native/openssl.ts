/**
 * OpenSSL 3 by its shared libraries. What they do is in their manual, section 3; who owns what is said at the
 * wrappers in this folder that call them. Buffers are used during the call only, unless one says otherwise.
 */

const SSL = {
  TLS_server_method: { parameters: [], result: "pointer" },
  TLS_client_method: { parameters: [], result: "pointer" },
  SSL_CTX_new: { parameters: ["pointer"], result: "pointer" },
  SSL_CTX_free: { parameters: ["pointer"], result: "void" },
  SSL_CTX_ctrl: { parameters: ["pointer", "i32", "i64", "pointer"], result: "i64" },
  SSL_CTX_set_options: { parameters: ["pointer", "u64"], result: "u64" },
  SSL_CTX_set_cipher_list: { parameters: ["pointer", "buffer"], result: "i32" },
  SSL_CTX_set_ciphersuites: { parameters: ["pointer", "buffer"], result: "i32" },
  OPENSSL_cipher_name: { parameters: ["buffer"], result: "pointer" },
  SSL_CTX_callback_ctrl: { parameters: ["pointer", "i32", "function"], result: "i64" },
  SSL_get_certificate: { parameters: ["pointer"], result: "pointer" },
  SSL_ctrl_pointer: {
    name: "SSL_ctrl",
    parameters: ["pointer", "i32", "i64", "pointer"],
    result: "i64",
  },
  SSL_CTX_set_timeout: { parameters: ["pointer", "i64"], result: "i64" },
  SSL_CTX_set_num_tickets: { parameters: ["pointer", "usize"], result: "i32" },
  SSL_CTX_set_session_id_context: { parameters: ["pointer", "buffer", "u32"], result: "i32" },
  SSL_CTX_use_certificate: { parameters: ["pointer", "pointer"], result: "i32" },
  SSL_CTX_use_PrivateKey: { parameters: ["pointer", "pointer"], result: "i32" },
  SSL_CTX_set_verify: { parameters: ["pointer", "i32", "function"], result: "void" },
  SSL_CTX_set_alpn_select_cb: { parameters: ["pointer", "function", "pointer"], result: "void" },
  SSL_CTX_get_cert_store: { parameters: ["pointer"], result: "pointer" },
  SSL_CTX_set1_cert_store: { parameters: ["pointer", "pointer"], result: "void" },
  SSL_CTX_set_tlsext_ticket_key_evp_cb: { parameters: ["pointer", "function"], result: "i32" },
  SSL_new: { parameters: ["pointer"], result: "pointer" },
  SSL_free: { parameters: ["pointer"], result: "void" },
  SSL_ctrl: { parameters: ["pointer", "i32", "i64", "buffer"], result: "i64" },
  SSL_set_fd: { parameters: ["pointer", "i32"], result: "i32" },
  SSL_set_accept_state: { parameters: ["pointer"], result: "void" },
  SSL_set_connect_state: { parameters: ["pointer"], result: "void" },
  SSL_set1_host: { parameters: ["pointer", "buffer"], result: "i32" },
  SSL_set_alpn_protos: { parameters: ["pointer", "buffer", "u32"], result: "i32" },
  SSL_get0_param: { parameters: ["pointer"], result: "pointer" },
  // Calls back into JavaScript.
  SSL_do_handshake: { parameters: ["pointer"], result: "i32", callback: true },
  SSL_read: { parameters: ["pointer", "buffer", "i32"], result: "i32" },
  SSL_write: { parameters: ["pointer", "buffer", "i32"], result: "i32" },
  SSL_get_rbio: { parameters: ["pointer"], result: "pointer" },
  SSL_set_read_ahead: { parameters: ["pointer", "i32"], result: "void" },
  SSL_has_pending: { parameters: ["pointer"], result: "i32" },
  SSL_shutdown: { parameters: ["pointer"], result: "i32" },
  SSL_get_error: { parameters: ["pointer", "i32"], result: "i32" },
  SSL_get0_alpn_selected: { parameters: ["pointer", "buffer", "buffer"], result: "void" },
  SSL_version: { parameters: ["pointer"], result: "i32" },
  SSL_session_reused: { parameters: ["pointer"], result: "i32" },
  SSL_get1_peer_certificate: { parameters: ["pointer"], result: "pointer" },
  SSL_get_peer_cert_chain: { parameters: ["pointer"], result: "pointer" },
  SSL_get_verify_result: { parameters: ["pointer"], result: "i64" },
  SSL_get1_session: { parameters: ["pointer"], result: "pointer" },
  SSL_set_session: { parameters: ["pointer", "pointer"], result: "i32" },
  SSL_SESSION_free: { parameters: ["pointer"], result: "void" },
  SSL_SESSION_is_resumable: { parameters: ["pointer"], result: "i32" },
} as const;

const CRYPTO = {
  OpenSSL_version_num: { parameters: [], result: "u64" },
  ERR_get_error: { parameters: [], result: "u64" },
  ERR_clear_error: { parameters: [], result: "void" },
  ERR_reason_error_string: { parameters: ["u64"], result: "pointer" },
  BIO_s_mem: { parameters: [], result: "pointer" },
  BIO_new: { parameters: ["pointer"], result: "pointer" },
  BIO_write: { parameters: ["pointer", "buffer", "i32"], result: "i32" },
  // The lower half of its 64 bits: differences are what is looked at.
  BIO_number_read: { parameters: ["pointer"], result: "u32" },
  BIO_free: { parameters: ["pointer"], result: "i32" },
  PEM_read_bio_X509: {
    parameters: ["pointer", "pointer", "pointer", "buffer"],
    result: "pointer",
  },
  PEM_read_bio_PrivateKey: {
    parameters: ["pointer", "pointer", "pointer", "buffer"],
    result: "pointer",
  },
  CRYPTO_malloc: { parameters: ["usize", "pointer", "i32"], result: "pointer" },
  X509_free: { parameters: ["pointer"], result: "void" },
  EVP_PKEY_free: { parameters: ["pointer"], result: "void" },
  RAND_bytes: { parameters: ["pointer", "i32"], result: "i32" },
  EVP_aes_256_cbc: { parameters: [], result: "pointer" },
  EVP_EncryptInit_ex: {
    parameters: ["pointer", "pointer", "pointer", "buffer", "pointer"],
    result: "i32",
  },
  EVP_DecryptInit_ex: {
    parameters: ["pointer", "pointer", "pointer", "buffer", "pointer"],
    result: "i32",
  },
  EVP_MAC_CTX_set_params: { parameters: ["pointer", "buffer"], result: "i32" },
  X509_STORE_new: { parameters: [], result: "pointer" },
  X509_STORE_set_flags: { parameters: ["pointer", "u64"], result: "i32" },
  X509_STORE_add_cert: { parameters: ["pointer", "pointer"], result: "i32" },
  X509_VERIFY_PARAM_set1_ip_asc: { parameters: ["pointer", "buffer"], result: "i32" },
  X509_VERIFY_PARAM_set_hostflags: { parameters: ["pointer", "u32"], result: "void" },
  X509_verify_cert_error_string: { parameters: ["i64"], result: "pointer" },
  X509_get0_pubkey: { parameters: ["pointer"], result: "pointer" },
  X509_verify: { parameters: ["pointer", "pointer"], result: "i32" },
  d2i_X509: { parameters: ["pointer", "buffer", "i64"], result: "pointer" },
  i2d_X509: { parameters: ["pointer", "buffer"], result: "i32" },
  OPENSSL_sk_num: { parameters: ["pointer"], result: "i32" },
  OPENSSL_sk_value: { parameters: ["pointer", "i32"], result: "pointer" },
} as const;

const MEMORY = {
  copyOut: { name: "memcpy", parameters: ["buffer", "pointer", "usize"], result: "pointer" },
  copyIn: { name: "memcpy", parameters: ["pointer", "buffer", "usize"], result: "pointer" },
} as const;

/** A pointer of the library's. Types of what it points to are kept apart by the wrappers. */
export type Pointer = NonNullable<Deno.PointerValue>;

/** TLS1_3_VERSION; the only other one that is spoken is 1.2. */
export const TLS_1_3 = 0x304;

/** First version that has what is called here. */
const VERSION_3 = 0x30000000n;
/** Bits of an error code that are its reason (openssl/err.h). */
const REASON = 0x7fffffn;

const encoder = new TextEncoder();

/** The libraries of one thread. */
export class OpenSsl {
  /** Copies from or to memory of the library's: views of it cost more than what is copied here. */
  readonly memory: Deno.DynamicLibrary<typeof MEMORY>["symbols"];
  readonly ssl: Deno.DynamicLibrary<typeof SSL>["symbols"];
  readonly crypto: Deno.DynamicLibrary<typeof CRYPTO>["symbols"];
  readonly version: bigint;

  /** @throws {Error} when they are not there, or are of another version */
  constructor() {
    this.memory = Deno.dlopen("libc.so.6", MEMORY).symbols;
    this.ssl = Deno.dlopen("libssl.so.3", SSL).symbols;
    this.crypto = Deno.dlopen("libcrypto.so.3", CRYPTO).symbols;
    this.version = this.crypto.OpenSSL_version_num();
    if (this.version < VERSION_3) throw new Error("OpenSSL is older than version 3");
  }

  /** Reason and text of the first error that the thread has met, which forgets all. */
  takeError(): { readonly reason: number; readonly text: string } {
    const code = this.crypto.ERR_get_error();
    const text = code === 0n ? "" : textAt(this.crypto.ERR_reason_error_string(code));
    this.crypto.ERR_clear_error();
    return { reason: Number(code & REASON), text: text || `error ${code}` };
  }

  /** @throws {Error} with what the library says, when a call gave nothing */
  made(call: string, result: Deno.PointerValue | number | bigint): Pointer {
    if (result === null || result === 0 || result === 0n || result === -1) {
      throw new Error(`${call}: ${this.takeError().text}`);
    }
    return result as Pointer;
  }

  /** Every certificate in a PEM text, to be freed by `X509_free`. */
  certificates(pem: Uint8Array): Pointer[] {
    return this.#read(pem, (bio) => {
      const found: Pointer[] = [];
      for (;;) {
        const certificate = this.crypto.PEM_read_bio_X509(bio, null, null, NO_PASSWORD);
        if (certificate === null) break;
        found.push(certificate);
      }
      // Behind the last one it looks for another.
      this.crypto.ERR_clear_error();
      return found;
    });
  }

  /** The key in a PEM text, to be freed by `EVP_PKEY_free`. @throws {Error} when there is none */
  privateKey(pem: Uint8Array): Pointer {
    return this.#read(
      pem,
      (bio) =>
        this.made(
          "private key",
          this.crypto.PEM_read_bio_PrivateKey(bio, null, null, NO_PASSWORD),
        ),
    );
  }

  /** A certificate in DER. */
  encoded(certificate: Pointer): Uint8Array {
    const length = this.crypto.i2d_X509(certificate, null);
    const bytes = new Uint8Array(Math.max(length, 0));
    if (length > 0) {
      const place = new BigUint64Array([Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes))]);
      this.crypto.i2d_X509(certificate, place);
    }
    return bytes;
  }

  #read<T>(pem: Uint8Array, read: (bio: Pointer) => T): T {
    const bio = this.made("BIO_new", this.crypto.BIO_new(this.crypto.BIO_s_mem()));
    try {
      if (pem.length > 0) {
        this.made("BIO_write", this.crypto.BIO_write(bio, pem as BufferSource, pem.length));
      }
      return read(bio);
    } finally {
      this.crypto.BIO_free(bio);
    }
  }
}

/** Without one the library would ask at the terminal. */
const NO_PASSWORD = cString("");

/** A text as C has it. */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(`${text}\0`);
}

/** Bytes in memory that does not move, and lives as long as they do: pointers to it may be kept. */
export function pinned(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const own = new Uint8Array(new ArrayBuffer(bytes.length));
  own.set(bytes);
  return own;
}

/** The text at a pointer of the library's, "" for none. */
export function textAt(pointer: Deno.PointerValue): string {
  return pointer === null ? "" : Deno.UnsafePointerView.getCString(pointer);
}
