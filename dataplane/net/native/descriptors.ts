/**
 * Which thread holds which descriptor, and the TLS stream over it, in memory that all threads share. The runtime does
 * not know of them: when a thread dies, whoever started it closes what it held, or clients would wait for ever and
 * the kernel would go on giving connections to a listener that nobody looks at.
 */

/** Descriptors that are known; a process may have that many (fs.nr_open). */
const MOST = 1 << 20;
/** Bytes of the owners, and of all. */
const OWNERS = MOST * 2;
export const DESCRIPTORS_SIZE = OWNERS + MOST * 8;

export class Descriptors {
  readonly #owners: Uint16Array;
  readonly #streams: BigUint64Array;
  readonly #owner: number;

  /**
   * @param memory `DESCRIPTORS_SIZE` bytes, touched as far as descriptors go
   * @param owner number of this thread, from 1
   */
  constructor(memory: SharedArrayBuffer, owner: number) {
    this.#owners = new Uint16Array(memory, 0, MOST);
    this.#streams = new BigUint64Array(memory, OWNERS);
    this.#owner = owner;
  }

  /** Notes a descriptor that was opened; false for one that cannot be noted. */
  take(descriptor: number): boolean {
    if (descriptor >= MOST) return false;
    this.#owners[descriptor] = this.#owner;
    return true;
  }

  /** A TLS stream that goes with a descriptor: the address of its `SSL`, 0 for none any more. */
  setStream(descriptor: number, address: bigint): void {
    if (descriptor < MOST) this.#streams[descriptor] = address;
  }

  /** Forgets a descriptor that is about to be closed: its number may be another's then. */
  leave(descriptor: number): void {
    if (descriptor < MOST) this.#owners[descriptor] = 0;
  }

  /**
   * Closes everything that a thread held, which must be over.
   * @param close closes a descriptor
   * @param free frees the `SSL` at an address
   * @returns how many descriptors that were
   */
  closeAll(
    owner: number,
    close: (descriptor: number) => void,
    free: (address: bigint) => void,
  ): number {
    let closed = 0;
    for (let descriptor = 0; descriptor < MOST; descriptor++) {
      if (this.#owners[descriptor] !== owner) continue;
      const stream = this.#streams[descriptor];
      this.#streams[descriptor] = 0n;
      if (stream !== 0n) free(stream);
      close(descriptor);
      closed++;
    }
    return closed;
  }
}
