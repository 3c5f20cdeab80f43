/** A TLS client by OpenSSL that can do what no honest client does. Needs libssl.so.3. */
import { Buffer } from "node:buffer";

const SSL = {
  TLS_client_method: { parameters: [], result: "pointer" },
  SSL_CTX_new: { parameters: ["pointer"], result: "pointer" },
  SSL_CTX_free: { parameters: ["pointer"], result: "void" },
  SSL_new: { parameters: ["pointer"], result: "pointer" },
  SSL_free: { parameters: ["pointer"], result: "void" },
  SSL_ctrl: { parameters: ["pointer", "i32", "i64", "buffer"], result: "i64" },
  SSL_set_connect_state: { parameters: ["pointer"], result: "void" },
  SSL_set_bio: { parameters: ["pointer", "pointer", "pointer"], result: "void" },
  SSL_do_handshake: { parameters: ["pointer"], result: "i32" },
  SSL_key_update: { parameters: ["pointer", "i32"], result: "i32" },
  SSL_write: { parameters: ["pointer", "buffer", "i32"], result: "i32" },
} as const;

const CRYPTO = {
  BIO_s_mem: { parameters: [], result: "pointer" },
  BIO_new: { parameters: ["pointer"], result: "pointer" },
  BIO_read: { parameters: ["pointer", "buffer", "i32"], result: "i32" },
  BIO_write: { parameters: ["pointer", "buffer", "i32"], result: "i32" },
} as const;

/** SSL_CTRL_SET_TLSEXT_HOSTNAME. */
const SERVER_NAME = 55;

/** The client's end of a stream: bytes to send are taken out, received bytes are put in. */
export class OpenSslClient implements Disposable {
  readonly #ssl = Deno.dlopen("libssl.so.3", SSL);
  readonly #crypto = Deno.dlopen("libcrypto.so.3", CRYPTO);
  readonly #context: Deno.PointerValue;
  readonly #stream: Deno.PointerValue;
  readonly #in: Deno.PointerValue;
  readonly #out: Deno.PointerValue;

  constructor(serverName: string) {
    const { symbols: ssl } = this.#ssl;
    const { symbols: crypto } = this.#crypto;
    this.#context = ssl.SSL_CTX_new(ssl.TLS_client_method());
    this.#stream = ssl.SSL_new(this.#context);
    this.#in = crypto.BIO_new(crypto.BIO_s_mem());
    this.#out = crypto.BIO_new(crypto.BIO_s_mem());
    ssl.SSL_set_bio(this.#stream, this.#in, this.#out);
    ssl.SSL_ctrl(this.#stream, SERVER_NAME, 0n, Buffer.from(`${serverName}\0`));
    ssl.SSL_set_connect_state(this.#stream);
  }

  /** Goes on with the handshake; returns whether it is complete. */
  handshake(received: Uint8Array): boolean {
    if (received.length > 0) {
      this.#crypto.symbols.BIO_write(this.#in, received as BufferSource, received.length);
    }
    return this.#ssl.symbols.SSL_do_handshake(this.#stream) === 1;
  }

  /** Announces new keys as often as asked. */
  updateKeys(times: number): void {
    const { symbols: ssl } = this.#ssl;
    for (let i = 0; i < times; i++) {
      ssl.SSL_key_update(this.#stream, 0);
      ssl.SSL_do_handshake(this.#stream);
    }
  }

  write(text: string): void {
    this.#ssl.symbols.SSL_write(this.#stream, Buffer.from(text), text.length);
  }

  /** What is to be sent. */
  take(): Buffer {
    const pieces: Buffer[] = [];
    for (;;) {
      const piece = Buffer.alloc(65_536);
      const length = this.#crypto.symbols.BIO_read(this.#out, piece, piece.length);
      if (length <= 0) return Buffer.concat(pieces);
      pieces.push(piece.subarray(0, length));
    }
  }

  [Symbol.dispose](): void {
    this.#ssl.symbols.SSL_free(this.#stream);
    this.#ssl.symbols.SSL_CTX_free(this.#context);
    this.#ssl.close();
    this.#crypto.close();
  }
}
