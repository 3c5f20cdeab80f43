import { Buffer } from "node:buffer";
import { AGAIN, BLOCKED, type Channel, FAILED } from "./channel.ts";
import { type Descriptor, ERRNO, type Libc, SystemError } from "./libc.ts";
import { type OpenSsl, type Pointer, textAt, TLS_1_3 } from "./openssl.ts";

/** What `SSL_get_error` says. */
const ERROR = { library: 1, wantRead: 2, wantWrite: 3, system: 5, zeroReturn: 6 } as const;
/** The stream ended without close_notify (SSL_R_UNEXPECTED_EOF_WHILE_READING). */
const UNEXPECTED_EOF = 294;
/** Up to this length what was read cannot have filled the library's own buffer of a record. */
const SHORT = 8 * 1024;
/**
 * Bytes of records without content that a peer may send beside 32 for each byte of content, which is what a
 * record of one byte takes. Computing new keys costs as much as a request. A part of a record counts until
 * it is whole, 16 KiB at most. Servers send tickets, which may hold a chain of certificates; clients send
 * new keys and alerts.
 */
export const OVERHEAD = { ofClient: 20 * 1024, ofServer: 64 * 1024 } as const;
const OVERHEAD_PER_BYTE = 32;
/**
 * Bytes of content after which the library may read ahead, which saves two calls a read. One call handles all records
 * without content that were read ahead, in spite of the cleared AUTO_RETRY: 500 new keys took 25 ms.
 */
const EARNED = 64 * 1024;
/** Reads of one call that may bring no content. */
const VAIN_READS = 2;

/** Where the library says where the name of a protocol is; names have at most 255 bytes. */
const PLACE = new BigUint64Array(1);
const LENGTH = new Uint32Array(1);
const NAME = Buffer.alloc(255);

/** A stream over TLS. It owns its `SSL`, which `release` frees. */
export class TlsChannel implements Channel {
  readonly #openssl: OpenSsl;
  readonly #libc: Libc;
  readonly #socket: Descriptor;
  #ssl: Pointer;
  /** Nothing may be asked of it any more but to be freed. */
  #broken = false;
  /** The socket takes nothing any more; what it received before can still be read. */
  #unsendable = false;
  #freed = false;
  /** Whether the library has read more than it gave; after a handshake it may have. */
  #keeps = true;
  /** Whether the library reads ahead, and the bytes of content since it did not. */
  #ahead = false;
  #content = 0;
  /** Where the library reads from; null until the handshake is complete. */
  #source: Pointer | null = null;
  /** Bytes that it has read, modulo 2^32. */
  #arrived = 0;
  readonly #mostOverhead: number;
  /** Bytes without content that the peer may still send. */
  #overhead: number;
  /** Gets the session once there is one to resume; null when nobody wants it. */
  #keep: ((session: Pointer) => void) | null;
  drained = false;
  failure: Error | null = null;

  /**
   * @param ssl owned from now on
   * @param socket non-blocking; its owner closes it after `release`
   * @param mostOverhead bytes without content that the peer may send, one of `OVERHEAD`
   * @param keep gets a session to be resumed by another connection, and owns it
   */
  constructor(
    openssl: OpenSsl,
    libc: Libc,
    ssl: Pointer,
    socket: Descriptor,
    mostOverhead: number,
    keep: ((session: Pointer) => void) | null = null,
  ) {
    this.#openssl = openssl;
    this.#libc = libc;
    this.#ssl = ssl;
    this.#socket = socket;
    this.#mostOverhead = mostOverhead;
    this.#overhead = mostOverhead;
    this.#keep = keep;
    openssl.ssl.SSL_set_fd(ssl, socket);
    libc.descriptors.setStream(socket, Deno.UnsafePointer.value(ssl));
  }

  /** Goes on with the handshake: 1 when it is complete, else `BLOCKED` or `FAILED`. */
  handshake(): number {
    const { ssl, crypto } = this.#openssl;
    const result = ssl.SSL_do_handshake(this.#held());
    if (result !== 1) return this.#refused(result, "handshake");
    this.#source = ssl.SSL_get_rbio(this.#ssl)!;
    this.#arrived = crypto.BIO_number_read(this.#source);
    return 1;
  }

  receive(into: Uint8Array): number {
    for (let reads = 0; reads < VAIN_READS; reads++) {
      const length = this.#receive(into);
      if (length !== AGAIN) return length;
    }
    return AGAIN;
  }

  /** One read: `AGAIN` when it brought no content and there may be more. */
  #receive(into: Uint8Array): number {
    const { ssl, crypto } = this.#openssl;
    const held = this.#held();
    if (this.#broken) return FAILED;
    this.#libc.errno = 0;
    const length = ssl.SSL_read(held, into as BufferSource, into.length);
    const arrived = crypto.BIO_number_read(this.#source);
    const came = (arrived - this.#arrived) >>> 0;
    this.#arrived = arrived;
    const content = Math.max(length, 0) * OVERHEAD_PER_BYTE;
    this.#overhead = Math.min(this.#mostOverhead, this.#overhead + content - came);
    if (this.#overhead < 0) {
      this.failure = new Error("too many records without content");
      this.#broken = true;
      return FAILED;
    }
    if (length > 0) {
      if (this.#keep !== null) this.#keepSession(this.#keep);
      // With nothing kept it reads as much as it has room for; less than that, and nothing kept, is all there was.
      // With something kept it reads the rest of that record only, and there may be more.
      const keeps = ssl.SSL_has_pending(held) === 1;
      this.drained = this.#ahead && !this.#keeps && !keeps && length < SHORT;
      this.#keeps = keeps;
      if (!this.#ahead && (this.#content += length) >= EARNED) this.#readAhead(true);
      return length;
    }
    const { errno } = this.#libc;
    const refused = this.#refused(length, "read");
    if (refused !== BLOCKED) return refused;
    if (came > 0) this.#readAhead(false);
    // It gives up behind each message without content too, though it has not asked the socket for more.
    return errno === ERRNO.EAGAIN ? BLOCKED : AGAIN;
  }

  #readAhead(ahead: boolean): void {
    this.#content = 0;
    if (this.#ahead === ahead) return;
    this.#ahead = ahead;
    this.#keeps = true;
    this.#openssl.ssl.SSL_set_read_ahead(this.#held(), ahead ? 1 : 0);
  }

  send(bytes: Uint8Array): number {
    if (bytes.length === 0) return 0;
    const held = this.#held();
    if (this.#broken || this.#unsendable) return FAILED;
    const taken = this.#openssl.ssl.SSL_write(held, bytes as BufferSource, bytes.length);
    return taken > 0 ? taken : this.#refused(taken, "write");
  }

  finish(): void {
    this.#sayEnd();
    this.#libc.finish(this.#socket);
  }

  release(orderly: boolean): void {
    if (this.#freed) return;
    if (orderly) this.#sayEnd();
    this.#freed = true;
    this.#libc.descriptors.setStream(this.#socket, 0n);
    this.#openssl.ssl.SSL_free(this.#ssl);
  }

  /** Protocol that was agreed on, "" for none. */
  get alpn(): string {
    const { ssl, memory } = this.#openssl;
    ssl.SSL_get0_alpn_selected(this.#held(), PLACE, LENGTH);
    const [length] = LENGTH;
    if (length === 0) return "";
    memory.copyOut(NAME, Deno.UnsafePointer.create(PLACE[0]), BigInt(length));
    return NAME.toString("latin1", 0, length);
  }

  get protocol(): string {
    return this.#openssl.ssl.SSL_version(this.#held()) === TLS_1_3 ? "TLSv1.3" : "TLSv1.2";
  }

  get resumed(): boolean {
    return this.#openssl.ssl.SSL_session_reused(this.#held()) === 1;
  }

  /** What is wrong with the peer's certificate, "" for nothing. */
  get verifyProblem(): string {
    const result = this.#openssl.ssl.SSL_get_verify_result(this.#held());
    return result === 0n ? "" : textAt(this.#openssl.crypto.X509_verify_cert_error_string(result));
  }

  /** Certificates that the peer sent, in DER, its own first. */
  peerChain(): Uint8Array[] {
    const { ssl, crypto } = this.#openssl;
    const own = ssl.SSL_get1_peer_certificate(this.#held());
    if (own === null) return [];
    const chain = [this.#openssl.encoded(own)];
    crypto.X509_free(own);
    const stack = ssl.SSL_get_peer_cert_chain(this.#held());
    for (let i = 0; stack !== null && i < crypto.OPENSSL_sk_num(stack); i++) {
      const der = this.#openssl.encoded(crypto.OPENSSL_sk_value(stack, i)!);
      // A server sees the client's own certificate beside the others, a client sees the server's among them.
      if (
        i > 0 || der.length !== chain[0].length || !der.every((byte, at) => byte === chain[0][at])
      ) {
        chain.push(der);
      }
    }
    return chain;
  }

  /** Servers give tickets before anything else (RFC 8446 section 4.6.1). */
  #keepSession(keep: (session: Pointer) => void): void {
    this.#keep = null;
    const { ssl } = this.#openssl;
    const session = ssl.SSL_get1_session(this.#held());
    if (session === null) return;
    if (ssl.SSL_SESSION_is_resumable(session) === 1) keep(session);
    else ssl.SSL_SESSION_free(session);
  }

  #held(): Pointer {
    if (this.#freed) throw new Error("a TLS channel was used after its release");
    return this.#ssl;
  }

  #sayEnd(): void {
    if (this.#broken || this.#unsendable) return;
    this.#broken = this.#openssl.ssl.SSL_shutdown(this.#ssl) < 0;
    if (this.#broken) this.#openssl.crypto.ERR_clear_error();
  }

  /** What a call means that did not do what it was to. */
  #refused(result: number, call: string): number {
    const { errno } = this.#libc;
    switch (this.#openssl.ssl.SSL_get_error(this.#ssl, result)) {
      case ERROR.wantRead:
      case ERROR.wantWrite:
        return BLOCKED;
      case ERROR.zeroReturn:
        return 0;
      case ERROR.system:
        this.failure = new SystemError(call, errno);
        if (call !== "write") break;
        this.#openssl.crypto.ERR_clear_error();
        this.#unsendable = true;
        return FAILED;
      default: {
        const { reason, text } = this.#openssl.takeError();
        this.failure = new Error(
          reason === UNEXPECTED_EOF ? "the stream was cut" : `${call}: ${text}`,
        );
      }
    }
    this.#openssl.crypto.ERR_clear_error();
    this.#broken = true;
    return FAILED;
  }
}
