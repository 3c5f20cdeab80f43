import { isIP } from "node:net";
import { LIMIT } from "../config/defaults.ts";
import { ascii } from "../message/bytes.ts";
import { FieldId } from "../message/field_id.ts";
import type { RequestHead } from "../message/request_head.ts";
import type { ListenerTable } from "../router/port_table.ts";
import type { Peer } from "./peer.ts";

/** What a backend is told about a client that our peer speaks for. */
export interface Forwarding {
  /** Address of the client, for logs. */
  readonly client: string;
  /** Field lines, CRLF included. */
  readonly fields: Uint8Array;
}

/** Longest chain of addresses that is passed on, in characters. */
const MAX_CHAIN = 2048;
const SCHEME = /^https?$/;
const PORT = /^\d{1,5}$/;

/**
 * The forwarding fields of one request, or null when those of the connection hold: the peer is not one
 * of the listener's trusted proxies and no Forwarded field is wanted.
 */
export function forwardedFields(
  head: RequestHead,
  peer: Peer,
  { settings }: ListenerTable,
): Forwarding | null {
  const trusted = settings.trustedProxies !== null && settings.trustedProxies.has(peer.address);
  if (!trusted && !settings.forwarded) return null;
  const { block } = head;
  const told = (name: string) => trusted ? block.get(name) : null;
  const chain = told("x-forwarded-for") ?? "";
  const client = trusted ? clientAddress(chain, peer.address, settings.trustedProxies!) : null;
  const proto = told("x-forwarded-proto")?.toLowerCase() ?? "";
  const scheme = SCHEME.test(proto) ? proto : peer.scheme;
  const toldPort = told("x-forwarded-port") ?? "";
  const port = PORT.test(toldPort) ? toldPort : String(peer.listenerPort);
  const host = told("x-forwarded-host") ?? head.host;
  const chained = chain === "" || chain.length > MAX_CHAIN
    ? peer.address
    : `${chain}, ${peer.address}`;
  let lines = `x-forwarded-for: ${chained}\r\nx-real-ip: ${client ?? peer.address}\r\n` +
    `x-forwarded-proto: ${scheme}\r\nx-forwarded-port: ${port}\r\n`;
  if (host !== "") lines += `x-forwarded-host: ${host}\r\n`;
  if (settings.forwarded) lines += forwardedLine(told("forwarded"), peer, head.host);
  lines += peer.certificateFields;
  if (trusted) lines += otherLines(head, settings.forwarded, peer.certificateFields !== "");
  return { client: client ?? peer.label, fields: ascii(lines) };
}

/** The address of the client that sent a request: our peer's, or what trusted proxies tell. */
export function clientOf(head: RequestHead, peer: Peer, { settings }: ListenerTable): string {
  const { trustedProxies } = settings;
  if (trustedProxies === null || !trustedProxies.has(peer.address)) return peer.address;
  return clientAddress(head.block.get("x-forwarded-for") ?? "", peer.address, trustedProxies);
}

/** Our element of Forwarded (RFC 7239 section 4), behind those that a trusted proxy sent. */
function forwardedLine(before: string | null, peer: Peer, host: string): string {
  const address = peer.address.includes(":") ? `"[${peer.address}]"` : peer.address;
  const element = `for=${address};proto=${peer.scheme}` +
    (host === "" ? "" : `;host=${/^[A-Za-z0-9.-]+$/.test(host) ? host : `"${host}"`}`);
  return `forwarded: ${before === null ? "" : `${before}, `}${element}\r\n`;
}

/** What a trusted proxy says beyond the fields that we build ourselves. */
function otherLines({ block }: RequestHead, forwarded: boolean, ownCertificate: boolean): string {
  let lines = "";
  for (let i = 0; i < block.count; i++) {
    const id = block.id(i);
    const passes = id === FieldId.ForwardedOther || id === FieldId.Identity ||
      (id === FieldId.Forwarded && !forwarded) ||
      (id === FieldId.ClientCert && !ownCertificate);
    if (passes) lines += `${block.name(i)}: ${block.value(i)}\r\n`;
  }
  return lines;
}

/**
 * The client's address: from the right of the chain as long as the elements are trusted proxies; the
 * first that is not is the client. A malformed element ends the walk at what is known, and so does the
 * limit on trusted elements. Elements left of the client are not read.
 */
export function clientAddress(
  chain: string,
  peer: string,
  trusted: { has(address: string): boolean },
): string {
  let client = peer;
  let end = chain.length;
  for (let hops = 0; hops < LIMIT.forwardedHops; hops++) {
    const comma = chain.lastIndexOf(",", end - 1);
    const address = bareAddress(chain.slice(comma + 1, end).trim());
    if (address === null) return client;
    client = address;
    if (comma < 0 || !trusted.has(address)) return client;
    end = comma;
  }
  return client;
}

const V4_WITH_PORT = /^([\d.]+):\d{1,5}$/;
const BRACKETED = /^\[([^\]%]+)\](?::\d{1,5})?$/;

/** Characters of the longest IPv6 address, with an IPv4 address in it, brackets and a port. */
const LONGEST_ELEMENT = 53;

/** The address of an element that may carry a port; null when it is none. */
function bareAddress(element: string): string | null {
  if (element.length > LONGEST_ELEMENT) return null;
  const address = V4_WITH_PORT.exec(element)?.[1] ?? BRACKETED.exec(element)?.[1] ?? element;
  return isIP(address) === 0 || address.includes("%") ? null : address;
}
