import { createHash } from "node:crypto";
import type { TlsChoice, TlsIdentity } from "../transport.ts";
import type { Descriptor, Libc } from "./libc.ts";
import { type OpenSsl, pinned, type Pointer } from "./openssl.ts";
import { createContext, limitCiphers } from "./tls_context.ts";
import { Stapling } from "./stapling.ts";
import { OVERHEAD, TlsChannel } from "./tls_channel.ts";
import type { TicketCallback } from "./ticket_callback.ts";

const VERIFY_NONE = 0;
/** SSL_VERIFY_PEER, and SSL_VERIFY_FAIL_IF_NO_PEER_CERT. */
const VERIFY_PEER = 1;
const MUST_HAVE_ONE = 2;
/** SSL_OP_NO_TICKET. */
const NO_TICKET = 1n << 14n;
/** Results of the callback that chooses a protocol (openssl/tls1.h). */
const ALPN = { chosen: 0, refused: 2 } as const;

const ALPN_CALLBACK = {
  parameters: ["pointer", "pointer", "pointer", "pointer", "u32", "pointer"],
  result: "i32",
} as const;
const VERIFY_CALLBACK = { parameters: ["i32", "pointer"], result: "i32" } as const;

/** A context with what it was made of. */
interface Made {
  readonly context: Pointer;
  readonly others: readonly TlsIdentity[];
}

/** Our side of handshakes with clients, for one thread. */
export class TlsServer implements Disposable {
  readonly #openssl: OpenSsl;
  readonly #libc: Libc;
  readonly #tickets: TicketCallback;
  /** Contexts by certificate, then by what they serve. */
  readonly #contexts = new WeakMap<TlsIdentity, Map<string, Made>>();
  /** Contexts of certificates that nobody has any more. Connections keep theirs. */
  readonly #forgotten: FinalizationRegistry<Map<string, Made>>;
  readonly #protocols = new Map<string, ProtocolChoice>();
  readonly #stapling: Stapling;
  /** Who a client is gets judged by the engine: every certificate whose key was proven passes here. */
  readonly #anyone = new Deno.UnsafeCallback(VERIFY_CALLBACK, () => 1);

  constructor(openssl: OpenSsl, libc: Libc, tickets: TicketCallback) {
    this.#openssl = openssl;
    this.#libc = libc;
    this.#tickets = tickets;
    this.#stapling = new Stapling(openssl);
    this.#forgotten = new FinalizationRegistry((made) => {
      for (const { context } of made.values()) openssl.ssl.SSL_CTX_free(context);
    });
  }

  /**
   * Begins a handshake on an accepted socket.
   * @throws {Error} when the library cannot use the certificate
   */
  accept(choice: TlsChoice, alpn: readonly string[], socket: Descriptor): TlsChannel {
    const { ssl } = this.#openssl;
    const stream = this.#openssl.made("SSL_new", ssl.SSL_new(this.#contextOf(choice, alpn)));
    ssl.SSL_set_accept_state(stream);
    return new TlsChannel(this.#openssl, this.#libc, stream, socket, OVERHEAD.ofClient);
  }

  [Symbol.dispose](): void {
    this.#anyone.close();
    this.#stapling[Symbol.dispose]();
    for (const protocols of this.#protocols.values()) protocols[Symbol.dispose]();
  }

  #contextOf(choice: TlsChoice, alpn: readonly string[]): Pointer {
    const [first, ...others] = choice.identities;
    let contexts = this.#contexts.get(first);
    if (contexts === undefined) {
      this.#contexts.set(first, contexts = new Map());
      this.#forgotten.register(first, contexts);
    }
    const key = keyOf(choice);
    const known = contexts.get(key);
    if (known !== undefined && same(known.others, others)) return known.context;
    const context = this.#create(choice, alpn, key);
    if (known !== undefined) this.#openssl.ssl.SSL_CTX_free(known.context);
    contexts.set(key, { context, others });
    return context;
  }

  #create(choice: TlsChoice, alpn: readonly string[], key: string): Pointer {
    const { ssl } = this.#openssl;
    const { minVersion, identities, requestsCertificate, requiresCertificate } = choice;
    const context = createContext(this.#openssl, { server: true, minVersion, identities });
    try {
      limitCiphers(this.#openssl, context, choice);
    } catch (error) {
      ssl.SSL_CTX_free(context);
      throw error;
    }
    if (identities.some(({ ocspResponse }) => ocspResponse !== null)) {
      this.#stapling.install(context, identities);
    }
    ssl.SSL_CTX_set_alpn_select_cb(context, this.#choiceAmong(alpn).pointer, null);
    // What a session was begun under is what it resumes under.
    const name = createHash("sha256").update(key).digest();
    ssl.SSL_CTX_set_session_id_context(context, name, name.length);
    if (requestsCertificate) {
      const mode = requiresCertificate ? VERIFY_PEER | MUST_HAVE_ONE : VERIFY_PEER;
      ssl.SSL_CTX_set_verify(context, mode, this.#anyone.pointer);
      // A resumed session would show the client's own certificate without those that lead to an authority.
      ssl.SSL_CTX_set_options(context, NO_TICKET);
      ssl.SSL_CTX_set_num_tickets(context, 0n);
    } else {
      ssl.SSL_CTX_set_verify(context, VERIFY_NONE, null);
      this.#tickets.install(context);
    }
    return context;
  }

  #choiceAmong(alpn: readonly string[]): ProtocolChoice {
    const key = alpn.join();
    let choice = this.#protocols.get(key);
    if (choice === undefined) this.#protocols.set(key, choice = new ProtocolChoice(alpn));
    return choice;
  }
}

/** Whatever makes contexts of one certificate differ. */
function keyOf(choice: TlsChoice): string {
  const { listener, minVersion, cipherSuites, curves } = choice;
  const { requestsCertificate, requiresCertificate } = choice;
  return [listener, minVersion, requestsCertificate, requiresCertificate, cipherSuites, curves]
    .join("|");
}

function same(some: readonly TlsIdentity[], others: readonly TlsIdentity[]): boolean {
  return some.length === others.length && some.every((one, i) => one === others[i]);
}

/** Chooses the best of our protocols that a client offers (RFC 7301 section 3.2). */
class ProtocolChoice implements Disposable {
  /** Names of ours, each behind its length. */
  readonly #names: readonly Uint8Array<ArrayBuffer>[];
  readonly #callback: Deno.UnsafeCallback<typeof ALPN_CALLBACK>;

  constructor(protocols: readonly string[]) {
    this.#names = protocols.map((name) =>
      pinned(new Uint8Array([name.length, ...new TextEncoder().encode(name)]))
    );
    this.#callback = new Deno.UnsafeCallback(
      ALPN_CALLBACK,
      (_ssl, out, outLength, offered, length) => {
        const list = new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(offered!, length));
        const chosen = this.#names.find((name) => includes(list, name));
        if (chosen === undefined) return ALPN.refused;
        const place = Deno.UnsafePointer.value(Deno.UnsafePointer.of(chosen)) + 1n;
        new BigUint64Array(Deno.UnsafePointerView.getArrayBuffer(out!, 8))[0] = place;
        new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(outLength!, 1))[0] = chosen[0];
        return ALPN.chosen;
      },
    );
  }

  get pointer(): Pointer {
    return this.#callback.pointer;
  }

  [Symbol.dispose](): void {
    this.#callback.close();
  }
}

/** Whether a list of names, each behind its length, has one. */
function includes(list: Uint8Array, name: Uint8Array): boolean {
  for (let at = 0; at < list.length; at += 1 + list[at]) {
    if (name.every((byte, i) => list[at + i] === byte)) return true;
  }
  return false;
}
