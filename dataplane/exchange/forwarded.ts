import { ascii } from "../message/bytes.ts";
import { FieldId } from "../message/field_id.ts";
import type { RequestHead } from "../message/request_head.ts";
import type { ListenerTable } from "../router/port_table.ts";
import type { Origin } from "./origin.ts";
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

/**
 * The forwarding fields of one request, or null when those of the connection hold: the peer is not one
 * of the listener's trusted proxies and no Forwarded field is wanted.
 */
export function forwardedFields(
  head: RequestHead,
  peer: Peer,
  { settings }: ListenerTable,
  origin: () => Origin,
): Forwarding | null {
  const trusted = settings.trustedProxies !== null && settings.trustedProxies.has(peer.address);
  if (!trusted && !settings.forwarded) return null;
  const { client, scheme, host, listenerPort, chain, forwarded } = origin();
  const chained = chain === "" || chain.length > MAX_CHAIN
    ? peer.address
    : `${chain}, ${peer.address}`;
  let lines = `x-forwarded-for: ${chained}\r\nx-real-ip: ${client}\r\n` +
    `x-forwarded-proto: ${scheme}\r\nx-forwarded-port: ${listenerPort}\r\n`;
  if (host !== "") lines += `x-forwarded-host: ${host}\r\n`;
  // One that came is believed, and passed on, where no X-Forwarded-* came that could say something else.
  if (forwarded !== "") lines += forwardedLine(forwarded, peer.address, origin());
  else if (settings.forwarded) lines += forwardedLine(null, peer.address, origin());
  lines += peer.certificateFields;
  if (trusted) lines += otherLines(head, peer.certificateFields !== "");
  return { client: client === peer.address ? peer.label : client, fields: ascii(lines) };
}

/** Forwarded (RFC 7239 section 4): our element behind those that a trusted proxy sent, or those that X-Forwarded-* give. */
function forwardedLine(
  before: string | null,
  peer: string,
  { client, scheme, host }: Origin,
): string {
  const asked = `;proto=${scheme}` +
    (host === "" ? "" : `;host=${/^[A-Za-z0-9.-]+$/.test(host) ? host : `"${host}"`}`);
  const own = client === peer || before !== null
    ? `${forwardedFor(peer)}${asked}`
    : `${forwardedFor(client)}${asked}, ${forwardedFor(peer)}`;
  return `forwarded: ${before === null ? "" : `${before}, `}${own}\r\n`;
}

function forwardedFor(address: string): string {
  return `for=${address.includes(":") ? `"[${address}]"` : address}`;
}

/** What a trusted proxy says beyond the fields that we build ourselves. */
function otherLines({ block }: RequestHead, ownCertificate: boolean): string {
  let lines = "";
  for (let i = 0; i < block.count; i++) {
    const id = block.id(i);
    const passes = id === FieldId.ForwardedOther || id === FieldId.Identity ||
      (id === FieldId.ClientCert && !ownCertificate);
    if (passes) lines += `${block.name(i)}: ${block.value(i)}\r\n`;
  }
  return lines;
}
