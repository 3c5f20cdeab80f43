/**
 * Keys of session tickets (RFC 5077 section 4, RFC 8446 section 4.6.1) in memory that all threads share, so that a
 * session begun by one resumes at any other. Two are known: new tickets are made with the newer one.
 */

/** Bytes of a key's name, and of its two halves: AES-256 and HMAC-SHA-256. */
const NAME = 16;
const SECRET = 32;
const KEY = NAME + 2 * SECRET;
/** Where keys begin: behind the version, which is odd while they are being changed. */
const START = 8;
const KEYS = 2;

/** Seconds that a session may be resumed, and after which keys change: one key back covers every ticket. */
export const TICKET_LIFETIME = 12 * 3600;

/** One key, with memory of its own. */
export interface TicketKey {
  readonly name: Uint8Array<ArrayBuffer>;
  readonly cipher: Uint8Array<ArrayBuffer>;
  readonly mac: Uint8Array<ArrayBuffer>;
}

/** Bytes that the keys take. */
export const TICKET_KEYS_SIZE = START + KEYS * KEY;

/**
 * Makes a new key the first one, and the first one the second.
 * @param fresh unpredictable bytes, 80 of them
 */
export function rotateTicketKeys(memory: SharedArrayBuffer, fresh: Uint8Array): void {
  if (fresh.length !== KEY) throw new RangeError(`a ticket key has ${KEY} bytes`);
  const version = new Int32Array(memory, 0, 1);
  const keys = new Uint8Array(memory, START);
  Atomics.add(version, 0, 1);
  keys.copyWithin(KEY, 0, KEY);
  keys.set(fresh);
  Atomics.add(version, 0, 1);
}

/** Unpredictable bytes for a key. */
export function freshTicketKey(): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(KEY));
}

/** The keys as one thread sees them. */
export class TicketKeys {
  readonly #memory: SharedArrayBuffer;
  readonly #version: Int32Array;
  #known = -1;
  #keys: readonly TicketKey[] = [];

  /** @param memory `TICKET_KEYS_SIZE` bytes in which a key was made */
  constructor(memory: SharedArrayBuffer) {
    this.#memory = memory;
    this.#version = new Int32Array(memory, 0, 1);
  }

  /** Newest first. */
  all(): readonly TicketKey[] {
    // Who changes them does nothing else meanwhile.
    for (let version: number; (version = Atomics.load(this.#version, 0)) !== this.#known;) {
      if (version % 2 !== 0) continue;
      const bytes = new Uint8Array(this.#memory).slice(START);
      if (Atomics.load(this.#version, 0) !== version) continue;
      this.#keys = Array.from({ length: KEYS }, (_, i) => keyIn(bytes, i * KEY));
      this.#known = version;
    }
    return this.#keys;
  }

  /** Position of the key with a name, -1 for one that is not known. */
  find(name: Uint8Array): number {
    return this.all().findIndex((key) => key.name.every((byte, i) => byte === name[i]));
  }
}

function keyIn(bytes: Uint8Array, at: number): TicketKey {
  const part = (from: number, length: number) => {
    const own = new Uint8Array(new ArrayBuffer(length));
    own.set(bytes.subarray(at + from, at + from + length));
    return own;
  };
  return {
    name: part(0, NAME),
    cipher: part(NAME, SECRET),
    mac: part(NAME + SECRET, SECRET),
  };
}
