import type { TlsIdentity } from "../transport.ts";
import { cString, type OpenSsl, pinned, type Pointer, textAt } from "./openssl.ts";

/** Commands of SSL_CTX_ctrl (openssl/ssl.h). */
const CTRL = {
  mode: 33,
  clearMode: 78,
  sessionCacheMode: 44,
  chainCert: 89,
  groups: 92,
  minimumVersion: 123,
} as const;
/** SSL_MODE_ENABLE_PARTIAL_WRITE, ACCEPT_MOVING_WRITE_BUFFER, NO_AUTO_CHAIN and RELEASE_BUFFERS. */
const MODES = 0x1n | 0x2n | 0x8n | 0x10n;
/** SSL_MODE_AUTO_RETRY: a read would go on as long as a peer sends records without content. */
const AUTO_RETRY = 0x4n;
/** SSL_OP_NO_COMPRESSION, NO_RENEGOTIATION and PRIORITIZE_CHACHA. */
const OPTIONS = 1n << 17n | 1n << 30n | 1n << 21n;
/** SSL_OP_CIPHER_SERVER_PREFERENCE. */
const OUR_PREFERENCE = 1n << 22n;
const VERSIONS = { "TLSv1.2": 0x303n, "TLSv1.3": 0x304n } as const;
/** Suites of TLS 1.2 with forward secrecy and authenticated encryption; those of 1.3 all have both. */
const CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL:!PSK";

/** What contexts of both sides have in common. */
export interface ContextSettings {
  readonly server: boolean;
  readonly minVersion: keyof typeof VERSIONS;
  readonly identities: readonly TlsIdentity[];
}

/**
 * A context (`SSL_CTX`) without sessions of its own. The caller owns it; connections that were made of it keep what
 * they need when it is freed.
 * @throws {Error} when the library cannot use a certificate or its key
 */
export function createContext(
  openssl: OpenSsl,
  { server, minVersion, identities }: ContextSettings,
): Pointer {
  const { ssl } = openssl;
  const method = server ? ssl.TLS_server_method() : ssl.TLS_client_method();
  const context = openssl.made("SSL_CTX_new", ssl.SSL_CTX_new(method));
  try {
    ssl.SSL_CTX_ctrl(context, CTRL.mode, MODES, null);
    ssl.SSL_CTX_ctrl(context, CTRL.clearMode, AUTO_RETRY, null);
    ssl.SSL_CTX_ctrl(context, CTRL.sessionCacheMode, 0n, null);
    ssl.SSL_CTX_ctrl(context, CTRL.minimumVersion, VERSIONS[minVersion], null);
    ssl.SSL_CTX_set_options(context, server ? OPTIONS | OUR_PREFERENCE : OPTIONS);
    openssl.made("ciphers", ssl.SSL_CTX_set_cipher_list(context, cString(CIPHERS)));
    for (const identity of identities) useIdentity(openssl, context, identity);
    return context;
  } catch (error) {
    ssl.SSL_CTX_free(context);
    throw error;
  }
}

/** Puts a certificate, its key and its chain into a context beside those for other kinds of keys. */
function useIdentity(openssl: OpenSsl, context: Pointer, { cert, key }: TlsIdentity): void {
  const { ssl, crypto } = openssl;
  const [own, ...chain] = openssl.certificates(cert);
  if (own === undefined) throw new Error("there is no certificate");
  try {
    openssl.made("certificate", ssl.SSL_CTX_use_certificate(context, own));
    const secret = openssl.privateKey(key);
    try {
      openssl.made("private key", ssl.SSL_CTX_use_PrivateKey(context, secret));
    } finally {
      crypto.EVP_PKEY_free(secret);
    }
    // The context counts a reference of its own to each.
    for (const issuer of chain) {
      openssl.made("chain", ssl.SSL_CTX_ctrl(context, CTRL.chainCert, 1n, issuer));
    }
  } finally {
    for (const certificate of [own, ...chain]) crypto.X509_free(certificate);
  }
}

/**
 * Leaves a server's context only some suites and groups.
 * @throws {Error} when the library does not know one
 */
export function limitCiphers(
  openssl: OpenSsl,
  context: Pointer,
  { cipherSuites, curves }: { cipherSuites: readonly string[]; curves: readonly string[] },
): void {
  const { ssl } = openssl;
  // Suites of TLS 1.3 say nothing of keys, and have a list of their own.
  const newer = cipherSuites.filter((name) => !name.includes("_WITH_"));
  const older = cipherSuites.filter((name) => name.includes("_WITH_"))
    .map((name) => textAt(ssl.OPENSSL_cipher_name(cString(name))));
  if (newer.length > 0) {
    const list = cString(newer.join(":"));
    openssl.made("cipherSuites", ssl.SSL_CTX_set_ciphersuites(context, list));
  }
  if (older.length > 0) {
    const list = cString(older.join(":"));
    openssl.made("cipherSuites", ssl.SSL_CTX_set_cipher_list(context, list));
  }
  if (curves.length > 0) {
    const list = pinned(cString(curves.join(":")));
    const pointer = Deno.UnsafePointer.of(list);
    openssl.made("curves", ssl.SSL_CTX_ctrl(context, CTRL.groups, 0n, pointer));
  }
}

/** Why a certificate with its key cannot serve, "" when it can. Never with key material. */
export function identityProblem(openssl: OpenSsl, identity: TlsIdentity): string {
  try {
    const settings = { server: true, minVersion: "TLSv1.2", identities: [identity] } as const;
    openssl.ssl.SSL_CTX_free(createContext(openssl, settings));
    return "";
  } catch (error) {
    return (error as Error).message;
  }
}
