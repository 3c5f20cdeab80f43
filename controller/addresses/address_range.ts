import ipaddr from "ipaddr.js";

/** Addresses of one family, from first to last, as numbers. */
export interface AddressRange {
  readonly bits: 32 | 128;
  readonly first: bigint;
  readonly last: bigint;
}

function numberOf(bytes: readonly number[]): bigint {
  return bytes.reduce((number, byte) => (number << 8n) | BigInt(byte), 0n);
}

/** The addresses of a network, "192.0.2.0/28", or of one address; the text must be one of both. */
export function rangeOf(text: string): AddressRange {
  const [address, length] = text.split("/");
  const bytes = ipaddr.parse(address).toByteArray();
  const bits = bytes.length === 4 ? 32 : 128;
  const free = BigInt(bits - (length === undefined ? bits : Number(length)));
  const first = (numberOf(bytes) >> free) << free;
  return { bits, first, last: first + (1n << free) - 1n };
}

/** An address in the form that is compared. */
export function canonical(address: string): string {
  return ipaddr.parse(address).toString();
}

function contains({ bits, first, last }: AddressRange, address: string): boolean {
  const range = rangeOf(address);
  return range.bits === bits && range.first >= first && range.first <= last;
}

/** Whether an address is of one of the ranges. */
export function within(ranges: readonly AddressRange[], address: string): boolean {
  return ranges.some((range) => contains(range, address));
}

function textOf(number: bigint, bits: number): string {
  const bytes: number[] = [];
  for (let shift = BigInt(bits - 8); shift >= 0n; shift -= 8n) {
    bytes.push(Number((number >> shift) & 0xffn));
  }
  return ipaddr.fromByteArray(bytes).toString();
}

/** Whether an address of a network is the network's own, for all of its hosts or for all of its routers. */
function special(number: bigint, bits: number, first: bigint): boolean {
  if (bits === 128) return number === first;
  // Most networks are cut at bytes, and devices are known that assume it of all.
  const end = number & 0xffn;
  return end === 0n || end === 255n;
}

/** The first address of the ranges that nobody has; null when there is none. */
export function firstFree(
  ranges: readonly AddressRange[],
  taken: (address: string) => boolean,
): string | null {
  for (const { bits, first, last } of ranges) {
    for (let number = first; number <= last; number++) {
      if (first !== last && special(number, bits, first)) continue;
      const address = textOf(number, bits);
      if (!taken(address)) return address;
    }
  }
  return null;
}
