import { Descriptors } from "./descriptors.ts";
import { Libc } from "./libc.ts";
import { OpenSsl } from "./openssl.ts";

/** Clears up behind threads that died, from the thread that started them. */
export class ThreadRemains {
  readonly #descriptors: Descriptors;
  readonly #libc: Libc;
  readonly #openssl: OpenSsl;

  /** @param memory that the threads note their descriptors in */
  constructor(memory: SharedArrayBuffer) {
    this.#descriptors = new Descriptors(memory, 0);
    this.#libc = new Libc(this.#descriptors);
    this.#openssl = new OpenSsl();
  }

  /** Bytes that the process has from the C library: OpenSSL's are among them. */
  allocatedBytes(): number {
    return this.#libc.allocatedBytes();
  }

  /** Closes what a thread held that is over; returns how many descriptors. */
  clear(owner: number): number {
    return this.#descriptors.closeAll(
      owner,
      (descriptor) => this.#libc.close(descriptor),
      (address) => this.#openssl.ssl.SSL_free(Deno.UnsafePointer.create(address)),
    );
  }
}
