import { isIPv6 } from "node:net";
import ipaddr from "ipaddr.js";
import { ADDRESS_SIZE } from "./libc.ts";

/** Families as Linux numbers them. */
const V4 = 2;
const V6 = 10;
const V4_SIZE = 16;

/** An address with its port. */
export interface Place {
  readonly address: string;
  readonly port: number;
}

/**
 * An address as the kernel wants it (`sockaddr_in`, `sockaddr_in6`).
 * @param address of either family; "" for every address of both
 * @throws {Error} for a text that is no address
 */
export function encodeAddress(address: string, port: number): Uint8Array {
  const v6 = address === "" || isIPv6(address);
  const bytes = new Uint8Array(v6 ? ADDRESS_SIZE : V4_SIZE);
  bytes[0] = v6 ? V6 : V4;
  bytes[2] = port >> 8;
  bytes[3] = port & 0xff;
  if (address !== "") bytes.set(ipaddr.parse(address).toByteArray(), v6 ? 8 : 4);
  return bytes;
}

/** Whether an encoded address is of IPv6. */
export function isV6(bytes: Uint8Array): boolean {
  return bytes[0] === V6;
}

/** Reads what the kernel wrote; IPv4 addresses in IPv6 form are plain ones (RFC 4291, 2.5.5.2). */
export function decodeAddress(bytes: Uint8Array): Place {
  const port = bytes[2] << 8 | bytes[3];
  if (bytes[0] === V4) return { address: v4(bytes, 4), port };
  if (isMapped(bytes)) return { address: v4(bytes, 20), port };
  return { address: new ipaddr.IPv6([...bytes.subarray(8, 24)]).toRFC5952String(), port };
}

function v4(bytes: Uint8Array, at: number): string {
  return `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`;
}

function isMapped(bytes: Uint8Array): boolean {
  for (let i = 8; i < 18; i++) if (bytes[i] !== 0) return false;
  return bytes[18] === 0xff && bytes[19] === 0xff;
}
