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

/** A set of networks. IPv4 addresses in IPv6 form count as IPv4. */
export class CidrSet {
  readonly #networks: readonly [Address, number][];
  readonly #memo = new Map<string, boolean>();

  /** @throws {CidrError} for a text that is no network */
  constructor(texts: readonly string[]) {
    this.#networks = texts.map(parseCidr);
  }

  get empty(): boolean {
    return this.#networks.length === 0;
  }

  /** Whether a network covers the address; what is no address is in none. */
  has(address: string): boolean {
    if (this.#networks.length === 0) return false;
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
    return this.#networks.some(([network, bits]) =>
      network.kind() === address.kind() && address.match(network, bits)
    );
  }
}
