import ipaddr from "ipaddr.js";

const ETHERNET = { arp: [0x08, 0x06], ipv6: [0x86, 0xdd] };
const BROADCAST = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
/** Ethernet address of all nodes of a link (RFC 2464 section 7), and their IPv6 address. */
const ALL_NODES = { ethernet: [0x33, 0x33, 0, 0, 0, 1], ip: "ff02::1" };

function macBytes(mac: string): number[] {
  return mac.split(":").map((byte) => parseInt(byte, 16));
}

/**
 * An Ethernet frame that tells a link who has an address: a gratuitous ARP request (RFC 5227 section 2.3)
 * or an unsolicited neighbour advertisement (RFC 4861 section 7.2.6).
 * @param mac "02:00:00:00:00:01", of the interface that has it
 */
export function announcement(mac: string, address: string): Uint8Array<ArrayBuffer> {
  const parsed = ipaddr.parse(address);
  const own = macBytes(mac);
  const bytes = parsed.toByteArray();
  if (bytes.length === 4) {
    // Ethernet, IPv4, request; both sides are the address itself.
    const arp = [0, 1, 8, 0, 6, 4, 0, 1, ...own, ...bytes, ...BROADCAST, ...bytes];
    return Uint8Array.from([...BROADCAST, ...own, ...ETHERNET.arp, ...arp]);
  }
  const destination = ipaddr.parse(ALL_NODES.ip).toByteArray();
  // Neighbour advertisement with the override flag, the target, and our link-layer address as option.
  const message = [136, 0, 0, 0, 0x20, 0, 0, 0, ...bytes, 2, 1, ...own];
  const sum = checksum([
    ...bytes,
    ...destination,
    0,
    0,
    0,
    message.length,
    0,
    0,
    0,
    58,
    ...message,
  ]);
  [message[2], message[3]] = [sum >> 8, sum & 0xff];
  const header = [0x60, 0, 0, 0, 0, message.length, 58, 255, ...bytes, ...destination];
  return Uint8Array.from([
    ...ALL_NODES.ethernet,
    ...own,
    ...ETHERNET.ipv6,
    ...header,
    ...message,
  ]);
}

/** The Internet checksum (RFC 1071) of an even number of bytes. */
function checksum(bytes: readonly number[]): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += (bytes[i] << 8) | bytes[i + 1];
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum & 0xffff;
}
