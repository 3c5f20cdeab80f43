import { isIP } from "node:net";
import ipaddr from "ipaddr.js";

type Address = ReturnType<typeof ipaddr.parse>;

/** A list of networks that cannot be read. */
export class CidrError extends Error {
  readonly code = "CIDR";
}

/**
 * Parses "192.0.2.0/24", "2001:db8::/32" or a single address.
 * @throws {CidrError} naming the text
 */
function parseCidr(text: string): [Address, number] {
  const parts = /^([^/%]+)(?:\/(\d{1,3}))?$/.exec(text);
  // The library also takes shortened and octal forms, which would be other networks than meant.
  const version = parts === null ? 0 : isIP(parts[1]);
  const longest = version === 4 ? 32 : 128;
  const bits = parts?.[2] === undefined ? longest : Number(parts[2]);
  if (version === 0 || bits > longest) throw new CidrError(`"${text}" is not an address or CIDR`);
  const address = ipaddr.parse(parts![1]);
  if (address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress() && bits >= MAPPED_BITS) {
    return [address.toIPv4Address(), bits - MAPPED_BITS];
  }
  return [address, bits];
}

/** Why one of the texts is no network, or null. */
export function cidrProblem(texts: readonly string[]): string | null {
  for (const text of texts) {
    try {
      parseCidr(text);
    } catch (error) {
      return (error as Error).message;
    }
  }
  return null;
}

/** Bits before the IPv4 address in its IPv6 form. */
const MAPPED_BITS = 96;

/** Addresses remembered with their answer; more start over. */
const MEMO = 4096;

/** Networks of one family by their bits: a walk of as many steps as the longest has bits. */
class Trie {
  /** Two children a node; 0 for none, for the root is nobody's child. */
  #children = new Int32Array(64);
  /** 1 where a network ends. */
  #ends = new Uint8Array(32);
  #nodes = 1;

  add(bytes: readonly number[], bits: number): void {
    let node = 0;
    for (let i = 0; i < bits; i++) {
      // A network within one that is there says nothing new.
      if (this.#ends[node] === 1) return;
      const slot = node * 2 + bitOf(bytes, i);
      if (this.#children[slot] === 0) {
        const made = this.#node();
        this.#children[slot] = made;
      }
      node = this.#children[slot];
    }
    this.#ends[node] = 1;
  }

  has(bytes: readonly number[]): boolean {
    let node = 0;
    for (let i = 0; i < bytes.length * 8; i++) {
      if (this.#ends[node] === 1) return true;
      node = this.#children[node * 2 + bitOf(bytes, i)];
      if (node === 0) return false;
    }
    return this.#ends[node] === 1;
  }

  #node(): number {
    if (this.#nodes === this.#ends.length) {
      const children = new Int32Array(this.#children.length * 2);
      children.set(this.#children);
      this.#children = children;
      const ends = new Uint8Array(this.#ends.length * 2);
      ends.set(this.#ends);
      this.#ends = ends;
    }
    return this.#nodes++;
  }
}

function bitOf(bytes: readonly number[], index: number): number {
  return (bytes[index >> 3] >> (7 - (index & 7))) & 1;
}

/** A set of networks. IPv4 addresses in IPv6 form count as IPv4. */
export class CidrSet {
  readonly #v4 = new Trie();
  readonly #v6 = new Trie();
  readonly #memo = new Map<string, boolean>();
  readonly empty: boolean;

  /** @throws {CidrError} for a text that is no network */
  constructor(texts: readonly string[]) {
    this.empty = texts.length === 0;
    for (const text of texts) {
      const [address, bits] = parseCidr(text);
      this.#of(address).add(address.toByteArray(), bits);
    }
  }

  /** Whether a network covers the address; what is no address is in none. */
  has(address: string): boolean {
    if (this.empty) return false;
    const known = this.#memo.get(address);
    if (known !== undefined) return known;
    const found = this.#find(address);
    if (this.#memo.size >= MEMO) this.#memo.clear();
    this.#memo.set(address, found);
    return found;
  }

  #find(text: string): boolean {
    if (!ipaddr.isValid(text)) return false;
    const address = ipaddr.process(text);
    return this.#of(address).has(address.toByteArray());
  }

  #of(address: Address): Trie {
    return address.kind() === "ipv4" ? this.#v4 : this.#v6;
  }
}
