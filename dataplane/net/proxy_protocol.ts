import { Buffer } from "node:buffer";
import { isIP, isIPv4 } from "node:net";

/** An end of a connection as a PROXY header names it. */
export interface ProxyEndpoint {
  readonly address: string;
  readonly port: number;
}

/** What the first bytes of a connection are. */
export type ProxyHeader =
  | { readonly kind: "incomplete" }
  | { readonly kind: "invalid"; readonly reason: string }
  /** `source` is null where the header leaves the connection's own address in place. */
  | { readonly kind: "header"; readonly length: number; readonly source: ProxyEndpoint | null };

const INCOMPLETE: ProxyHeader = { kind: "incomplete" };
const SIGNATURE = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");
const V1_PREFIX = Buffer.from("PROXY ", "latin1");
/** Longest line of version 1, CRLF included. */
const V1_LONGEST = 107;
const V2_FIXED = 16;
/** Bytes of addresses and TLVs that we take; senders use some hundred. */
const V2_LONGEST = 2048;
const TCP4 = 0x11;
const TCP6 = 0x21;

function invalid(reason: string): ProxyHeader {
  return { kind: "invalid", reason };
}

/**
 * Reads a PROXY header (haproxy's proxy-protocol.txt, versions 1 and 2) from the first bytes.
 * @param version 1 or 2, or 0 for either
 */
export function parseProxyHeader(view: Buffer, version: number): ProxyHeader {
  if (view.length === 0) return INCOMPLETE;
  if (version !== 1 && startsWith(view, SIGNATURE)) {
    return view.length < V2_FIXED ? INCOMPLETE : parseV2(view);
  }
  if (version !== 2 && startsWith(view, V1_PREFIX)) return parseV1(view);
  return invalid("no PROXY header");
}

/** Whether the bytes are, or may become, the prefix. */
function startsWith(view: Buffer, prefix: Buffer): boolean {
  const length = Math.min(view.length, prefix.length);
  return view.compare(prefix, 0, length, 0, length) === 0;
}

const V1 = /^PROXY (?:UNKNOWN(?: [^\r\n]*)?|(TCP4|TCP6) (\S+) (\S+) (\d{1,5}) (\d{1,5}))$/;

function parseV1(view: Buffer): ProxyHeader {
  const end = view.subarray(0, V1_LONGEST).indexOf("\r\n");
  if (end < 0) return view.length >= V1_LONGEST ? invalid("line too long") : INCOMPLETE;
  const parts = V1.exec(view.toString("latin1", 0, end));
  if (parts === null) return invalid("malformed line");
  const [, family, source, destination, sourcePort, destinationPort] = parts;
  const length = end + 2;
  if (family === undefined) return { kind: "header", length, source: null };
  const wanted = family === "TCP4" ? 4 : 6;
  // A zone is a matter of one host and means nothing to another.
  if (isIP(source) !== wanted || isIP(destination) !== wanted || source.includes("%")) {
    return invalid("bad address");
  }
  if (Number(sourcePort) > 65_535 || Number(destinationPort) > 65_535) return invalid("bad port");
  return { kind: "header", length, source: { address: source, port: Number(sourcePort) } };
}

function parseV2(view: Buffer): ProxyHeader {
  const version = view[12] >> 4;
  const command = view[12] & 15;
  const family = view[13];
  const size = view.readUInt16BE(14);
  if (version !== 2 || command > 1) return invalid("bad version or command");
  if (size > V2_LONGEST) return invalid("header too long");
  const length = V2_FIXED + size;
  if (view.length < length) return INCOMPLETE;
  // LOCAL: the proxy speaks for itself.
  if (command === 0) return { kind: "header", length, source: null };
  if (family === TCP4) {
    if (size < 12) return invalid("addresses cut short");
    const address = Array.from(view.subarray(16, 20)).join(".");
    return { kind: "header", length, source: { address, port: view.readUInt16BE(24) } };
  }
  if (family === TCP6) {
    if (size < 36) return invalid("addresses cut short");
    return {
      kind: "header",
      length,
      source: { address: ipv6Text(view, 16), port: view.readUInt16BE(48) },
    };
  }
  return { kind: "header", length, source: null };
}

/** Sixteen bytes as text (RFC 5952, without the choice of the longest run left open). */
function ipv6Text(view: Buffer, at: number): string {
  const groups = Array.from({ length: 8 }, (_, i) => view.readUInt16BE(at + 2 * i).toString(16));
  return new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1);
}

/** The bytes of an IPv6 address. */
function ipv6Bytes(address: string): Buffer {
  const out = Buffer.alloc(16);
  const [head, tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split("::");
  const groups = (text: string | undefined) => text ? text.split(":") : [];
  groups(head).forEach((group, i) => out.writeUInt16BE(parseInt(group, 16), 2 * i));
  const last = groups(tail);
  last.forEach((group, i) => out.writeUInt16BE(parseInt(group, 16), 16 - 2 * (last.length - i)));
  return out;
}

/** Writes a PROXY header; addresses of different families are written as IPv6. */
export function proxyHeader(
  version: 1 | 2,
  source: ProxyEndpoint,
  destination: ProxyEndpoint,
): Buffer {
  const v4 = isIPv4(source.address) && isIPv4(destination.address);
  if (version === 1) {
    const [from, to] = v4
      ? [source.address, destination.address]
      : [mapped(source.address), mapped(destination.address)];
    return Buffer.from(
      `PROXY ${v4 ? "TCP4" : "TCP6"} ${from} ${to} ${source.port} ${destination.port}\r\n`,
      "latin1",
    );
  }
  const addresses = v4
    ? [ipv4Bytes(source.address), ipv4Bytes(destination.address)]
    : [ipv6Bytes(mapped(source.address)), ipv6Bytes(mapped(destination.address))];
  const ports = Buffer.alloc(4);
  ports.writeUInt16BE(source.port, 0);
  ports.writeUInt16BE(destination.port, 2);
  const fixed = Buffer.alloc(4);
  fixed[0] = 0x21;
  fixed[1] = v4 ? TCP4 : TCP6;
  fixed.writeUInt16BE(v4 ? 12 : 36, 2);
  return Buffer.concat([SIGNATURE, fixed, ...addresses, ports]);
}

function mapped(address: string): string {
  return isIPv4(address) ? `::ffff:${address}` : address;
}

function ipv4Bytes(address: string): Buffer {
  return Buffer.from(address.split(".").map(Number));
}
