import { Protocol } from "../../proto/gen/novaedge/v1/config.ts";
import { gatewayAddresses } from "./gateway_addresses.ts";
import { classServed } from "./gateway_class.ts";
import { hostnamesMeet } from "./hostnames.ts";
import { classClaims } from "./ingress/class_facts.ts";
import type { ListenerClaim } from "./listener_claim.ts";
import { listenerKey, type ListenerOwner, listenersOfSet, ownListeners } from "./listener_owner.ts";
import { objectKey, type SourceObject } from "./source_object.ts";
import type { View } from "./view.ts";

/** Protocols of listeners that are served. */
export const LISTENER_PROTOCOLS: ReadonlyMap<string, Protocol> = new Map([
  ["HTTP", Protocol.PROTOCOL_HTTP],
  ["HTTPS", Protocol.PROTOCOL_HTTPS],
]);

/** Why a listener cannot be told apart from another one. */
export interface ListenerConflict {
  readonly reason: "ProtocolConflict" | "HostnameConflict";
  readonly message: string;
}

/** The claims of a ProxyGateway's listeners, in their order. */
export function proxyClaims(gateway: SourceObject<"ProxyGateway">): ListenerClaim[] {
  const key = objectKey(gateway);
  return gateway.body.spec.listeners.map((listener) => ({
    key: `${key}/${listener.name}`,
    port: listener.port,
    addresses: [listener.address ?? ""],
    protocol: listener.protocol,
    hostnames: listener.hostnames === undefined || listener.hostnames.length === 0
      ? [""]
      : listener.hostnames.map((hostname) => hostname.toLowerCase()),
    proxyProtocol: proxyProtocolKey(listener.proxyProtocol),
    gateway: key,
    rank: "",
  }));
}

/** The claims of listeners of the Gateway API, in their order. */
export function claimsOf(owner: ListenerOwner, view: View): ListenerClaim[] {
  const addresses = gatewayAddresses(owner.gateway, view);
  const gateway = objectKey(owner.gateway);
  return owner.listeners.map(({ name, port, protocol, hostname = "" }) => ({
    key: listenerKey(owner, name),
    port,
    addresses,
    protocol,
    hostnames: [hostname.toLowerCase()],
    proxyProtocol: "",
    gateway,
    rank: owner.rank,
  }));
}

/** A PROXY header comes before anything that could tell listeners of one port apart. */
function proxyProtocolKey(
  settings:
    | { readonly enabled?: boolean; readonly version?: number; readonly trustedCIDRs?: string[] }
    | undefined,
): string {
  if (settings?.enabled !== true) return "";
  return `${settings.version ?? 0}|${[...(settings.trustedCIDRs ?? [])].sort()}`;
}

/**
 * Claims on a port by the list of the objects that make them: each of the objects asks for them, so that
 * gateways on one port would cost the square of their number.
 */
const listed = new WeakMap<readonly SourceObject[], Map<string, readonly ListenerClaim[]>>();

function servedOf<T extends SourceObject>(
  list: readonly T[],
  port: number,
  facts: string,
  make: (object: T) => readonly ListenerClaim[],
): readonly ListenerClaim[] {
  let known = listed.get(list);
  if (known === undefined) listed.set(list, known = new Map());
  const entry = `port ${port} ${facts}`;
  let claims = known.get(entry);
  if (claims === undefined) known.set(entry, claims = served(list.flatMap(make), port));
  return claims;
}

function served(claims: readonly ListenerClaim[], port: number): ListenerClaim[] {
  return claims.filter((claim) => claim.port === port && LISTENER_PROTOCOLS.has(claim.protocol));
}

/** The claims of what is served on a port, but for those of other controllers' Gateways. */
function servedOn(port: number, view: View): readonly ListenerClaim[] {
  const key = String(port);
  const classes = view.select("IngressClass", "ingress-controller", "ours");
  const proxies = view.select("ProxyGateway", "gateway-port", key);
  const gateways = view.select("Gateway", "gateway-port", key);
  const owners = view.select("ListenerSet", "gateway-port", key)
    .map((set) => listenersOfSet(set, view)).filter((owner) => owner !== null);
  const names = new Set(namesOf(gateways));
  for (const { gateway } of owners) names.add(gateway.body.spec.gatewayClassName);
  const isServed = new Set([...names].filter((name) => classServed(view, name)));
  const ofGateway = (gateway: SourceObject<"Gateway">) =>
    isServed.has(gateway.body.spec.gatewayClassName) ? claimsOf(ownListeners(gateway), view) : [];
  // Addresses that are handed out change without the object.
  const managed = gateways.length > 0 && view.addressesOf(objectKey(gateways[0])) !== null;
  const rest = owners.filter(({ gateway }) => isServed.has(gateway.body.spec.gatewayClassName));
  const parts = [
    served(classes.flatMap((found) => classClaims(found, view)), port),
    servedOf(proxies, port, "", proxyClaims),
    managed
      ? served(gateways.flatMap(ofGateway), port)
      : servedOf(gateways, port, [...isServed].join(), ofGateway),
    served(rest.flatMap((owner) => claimsOf(owner, view)), port),
  ].filter((part) => part.length > 0);
  // Mostly all are of one kind: then there is no list to copy for each of them.
  return parts.length === 1 ? parts[0] : parts.flat();
}

/** Names of classes in a list of Gateways, by the list. */
const classNames = new WeakMap<readonly SourceObject[], ReadonlySet<string>>();

function namesOf(gateways: readonly SourceObject<"Gateway">[]): ReadonlySet<string> {
  let names = classNames.get(gateways);
  if (names === undefined) {
    names = new Set(gateways.map(({ body }) => body.spec.gatewayClassName));
    classNames.set(gateways, names);
  }
  return names;
}

/**
 * Why claims cannot be told apart from others on their ports, by their positions; null for those that can.
 * Of two such listeners of different gateways neither is served, whichever came first; of one gateway's
 * the one with the lower rank is. What is not served anyway, or is another controller's, takes no port.
 */
export function conflictsOf(
  claims: readonly ListenerClaim[],
  peersOn: PortClaims,
  view: View,
): (ListenerConflict | null)[] {
  return claims.map((claim, index) => {
    const peers = peersOn(claim.port);
    const served = LISTENER_PROTOCOLS.has(claim.protocol);
    // It has no port beside UDP's own in any case.
    if (!served && claim.protocol === "UDP") return null;
    // Of listeners with one name only the later ones are peers: they are this one otherwise.
    const twins = claims.filter(({ key }, i) => key === claim.key && i !== index);
    const against = (peer: ListenerClaim) => {
      // What is not served loses against what comes before it and takes nothing from anybody else.
      const loses = served || (peer.gateway === claim.gateway && peer.rank < claim.rank);
      return loses && overlap(claim, peer, view) ? conflictWith(claim, peer) : null;
    };
    for (const peer of peers) {
      const conflict = peer.key === claim.key ? null : against(peer);
      if (conflict !== null) return conflict;
    }
    for (const twin of twins) {
      const conflict = against(twin);
      if (conflict !== null) return conflict;
    }
    return null;
  });
}

/**
 * The listeners whose clients may come to this one on a connection that they opened for it, by the positions of
 * the claims: with TLS on the same port, for hostnames that meet its own.
 */
export function overlapsOf(
  claims: readonly ListenerClaim[],
  peersOn: PortClaims,
  view: View,
): string[][] {
  const named = ({ hostnames }: ListenerClaim) => hostnames.filter((hostname) => hostname !== "");
  return claims.map((claim) => {
    if (claim.protocol !== "HTTPS") return [];
    return peersOn(claim.port).filter((peer) =>
      peer.key !== claim.key && peer.protocol === "HTTPS" &&
      hostnamesMeet(named(claim), named(peer)) && overlap(claim, peer, view)
    ).map(({ key }) => key.slice(key.indexOf("/") + 1));
  });
}

/** The claims of what is served on ports, each looked up once. */
export type PortClaims = (port: number) => readonly ListenerClaim[];

/** Looks up claims by port; one lookup serves all questions of a derivation. */
export function portClaims(view: View): PortClaims {
  const ports = new Map<number, readonly ListenerClaim[]>();
  return (port) => {
    let claims = ports.get(port);
    if (claims === undefined) ports.set(port, claims = servedOn(port, view));
    return claims;
  };
}

function conflictWith(claim: ListenerClaim, peer: ListenerClaim): ListenerConflict | null {
  if (peer.port !== claim.port || !LISTENER_PROTOCOLS.has(peer.protocol)) return null;
  if (peer.gateway === claim.gateway && peer.rank > claim.rank) return null;
  const label = ownerLabel(peer.key);
  if (peer.proxyProtocol !== claim.proxyProtocol) {
    const message = `proxyProtocol differs from that of ${label} on the same port`;
    return { reason: "ProtocolConflict", message };
  }
  if (peer.protocol !== claim.protocol) {
    const message = `port ${claim.port} is ${peer.protocol} at ${label} (a port has one protocol)`;
    return { reason: "ProtocolConflict", message };
  }
  const shared = peer.hostnames.find((hostname) => claim.hostnames.includes(hostname));
  if (shared === undefined) return null;
  const whose = shared === "" ? "for every hostname" : `for hostname ${shared}`;
  const message = `port ${claim.port} ${whose} is also that of ${label} ` +
    "(give one of them another port, hostname or address)";
  return { reason: "HostnameConflict", message };
}

/** "Kind/namespace/name/listener" as people say it. */
function ownerLabel(key: string): string {
  const [kind, namespace, name, listener] = key.split("/");
  const owner = namespace === "" ? name : `${namespace}/${name}`;
  return `${kind} ${owner}, listener ${listener}`;
}

/** Whether two claims are of one address. Gateways with addresses of their own leave the others to others. */
function overlap(a: ListenerClaim, b: ListenerClaim, view: View): boolean {
  const managed = view.addressesOf(a.gateway) !== null;
  return a.addresses.some((x) =>
    b.addresses.some((y) => x === y || (!managed && (x === "" || y === "")))
  );
}
