import { isIP } from "node:net";
import { LIMIT } from "../config/defaults.ts";
import type { RequestHead } from "../message/request_head.ts";
import type { RequestOrigin } from "../policy/policy.ts";
import { hostPort } from "../router/host.ts";
import type { ListenerTable } from "../router/port_table.ts";
import { type ForwardedElement, forwardedEnd } from "./forwarded_elements.ts";
import type { Peer } from "./peer.ts";

/** The origin of a request, with what backends get to know of the proxies before. */
export interface Origin extends RequestOrigin {
  /** The addresses in front of the peer's as they are passed on, "" for none. */
  readonly chain: string;
  /** What was read of Forwarded, "" where X-Forwarded-* were, or nothing. */
  readonly forwarded: string;
}

/** Proxies say so of a WebSocket handshake. */
const SCHEMES: ReadonlyMap<string, "http" | "https"> = new Map([
  ["http", "http"],
  ["https", "https"],
  ["ws", "http"],
  ["wss", "https"],
]);
const PORT = /^\d{1,5}$/;
const HOST = /^[\w.-]{1,255}(?::\d{1,5})?$|^\[[\da-fA-F:.]{2,45}\](?::\d{1,5})?$/;

/** What the fields of a trusted peer say, "" for nothing. */
interface Told {
  readonly client: string;
  readonly scheme: string;
  readonly host: string;
  readonly port: string;
  readonly chain: string;
  readonly forwarded: string;
}

/**
 * By which scheme, host and port the client asked, and who it is: what the connection shows, or what the peer
 * says where it is one of the listener's trusted proxies.
 */
export function originOf(head: RequestHead, peer: Peer, { settings }: ListenerTable): Origin {
  const { trustedProxies } = settings;
  const told = trustedProxies !== null && trustedProxies.has(peer.address)
    ? toldBy(head, peer.address, trustedProxies)
    : NOTHING;
  const client = told.client || peer.address;
  const known = SCHEMES.get(told.scheme.toLowerCase());
  const scheme = known ?? peer.scheme;
  const host = HOST.test(told.host) ? told.host : head.host;
  const port = PORT.test(told.port) ? Number(told.port) : 0;
  // A port in the host is the one that the client wrote.
  const ofHost = hostPort(host);
  const asked = port || ofHost || (scheme === "https" ? 443 : 80);
  return {
    client,
    scheme,
    host,
    port: asked,
    listenerPort: port > 0 || known !== undefined ? asked : peer.listenerPort,
    chain: told.chain,
    forwarded: told.forwarded,
  };
}

const NOTHING: Told = {
  client: "",
  scheme: "",
  host: "",
  port: "",
  chain: "",
  forwarded: "",
};

/** X-Forwarded-* come before Forwarded: more proxies write them, and a field of each would be believed in part. */
function toldBy({ block }: RequestHead, peer: string, trusted: Addresses): Told {
  const chain = block.get("x-forwarded-for") ?? "";
  const scheme = block.get("x-forwarded-proto") ?? "";
  const host = block.get("x-forwarded-host") ?? "";
  const port = block.get("x-forwarded-port") ?? "";
  if (`${chain}${scheme}${host}${port}` === "") {
    const { elements, text } = forwardedEnd(block.get("forwarded") ?? "", LIMIT.forwardedHops);
    return elements.length === 0 ? NOTHING : toldByForwarded(elements, text, peer, trusted);
  }
  const { client, hops } = walk(chain, peer, trusted);
  return {
    client,
    scheme: elementAt(scheme, hops),
    host: elementAt(host, hops),
    port: elementAt(port, hops),
    chain,
    forwarded: "",
  };
}

function toldByForwarded(
  elements: readonly ForwardedElement[],
  text: string,
  peer: string,
  trusted: Addresses,
): Told {
  const chain = elements.map((element) => bareAddress(element.for) ?? "unknown").join(", ");
  const { client, hops } = walk(chain, peer, trusted);
  const { proto, host } = elements[Math.max(0, elements.length - 1 - hops)];
  return { client, scheme: proto, host, port: "", chain, forwarded: text };
}

/** The element of a list that was written together with the one of the chain that names the client. */
function elementAt(list: string, hops: number): string {
  let end = list.length;
  for (let i = 0; i < hops; i++) {
    const comma = list.lastIndexOf(",", end - 1);
    if (comma < 0) break;
    end = comma;
  }
  return list.slice(list.lastIndexOf(",", end - 1) + 1, end).trim();
}

/** Addresses that are asked about. */
interface Addresses {
  has(address: string): boolean;
}

/**
 * The client's address: from the right of the chain as long as the elements are trusted proxies; the
 * first that is not is the client. A malformed element ends the walk at what is known, and so does the
 * limit on trusted elements. Elements left of the client are not read.
 */
export function clientAddress(chain: string, peer: string, trusted: Addresses): string {
  return walk(chain, peer, trusted).client;
}

/** The client's address, and the elements of the chain behind it. */
function walk(
  chain: string,
  peer: string,
  trusted: Addresses,
): { readonly client: string; readonly hops: number } {
  let client = peer;
  let end = chain.length;
  for (let hops = 0; hops < LIMIT.forwardedHops; hops++) {
    const comma = chain.lastIndexOf(",", end - 1);
    const address = bareAddress(chain.slice(comma + 1, end).trim());
    if (address === null) return { client, hops: Math.max(0, hops - 1) };
    client = address;
    if (comma < 0 || !trusted.has(address)) return { client, hops };
    end = comma;
  }
  return { client, hops: LIMIT.forwardedHops - 1 };
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
