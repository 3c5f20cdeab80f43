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

/** All claims on a port, but for those of other controllers' Gateways. */
function claimsOn(port: number, view: View): ListenerClaim[] {
  const key = String(port);
  const gateways = view.select("Gateway", "gateway-port", key).map(ownListeners);
  const sets = view.select("ListenerSet", "gateway-port", key).map((set) =>
    listenersOfSet(set, view)
  ).filter((owner) => owner !== null);
  const classes = view.select("IngressClass", "ingress-controller", "ours");
  return [
    ...classes.flatMap((found) => classClaims(found, view)),
    ...view.select("ProxyGateway", "gateway-port", key).flatMap(proxyClaims),
    ...[...gateways, ...sets].filter(({ gateway: { body } }) =>
      classServed(view, body.spec.gatewayClassName)
    ).flatMap((owner) => claimsOf(owner, view)),
  ];
}

/**
 * Why claims cannot be told apart from others on their ports, by their positions; null for those that can.
 * Of two such listeners of different gateways neither is served, whichever came first; of one gateway's
 * the one with the lower rank is. What is not served anyway, or is another controller's, takes no port.
 */
export function conflictsOf(
  claims: readonly ListenerClaim[],
  view: View,
): (ListenerConflict | null)[] {
  const servedOn = peersByPort(view);
  return claims.map((claim, index) => {
    const peers = servedOn(claim.port);
    const served = LISTENER_PROTOCOLS.has(claim.protocol);
    // It has no port beside UDP's own in any case.
    if (!served && claim.protocol === "UDP") return null;
    // Of listeners with one name only the later ones are peers: they are this one otherwise.
    const twins = claims.filter(({ key }, i) => key === claim.key && i !== index);
    const others = [...peers.filter(({ key }) => key !== claim.key), ...twins];
    for (const peer of others) {
      // What is not served loses against what comes before it and takes nothing from anybody else.
      const loses = served || (peer.gateway === claim.gateway && peer.rank < claim.rank);
      const meets = loses && overlap(claim, peer, view);
      const conflict = meets ? conflictWith(claim, peer) : null;
      if (conflict !== null) return conflict;
    }
    return null;
  });
}

/**
 * The listeners whose clients may come to this one on a connection that they opened for it, by the positions of
 * the claims: with TLS on the same port, for hostnames that meet its own.
 */
export function overlapsOf(claims: readonly ListenerClaim[], view: View): string[][] {
  const servedOn = peersByPort(view);
  const named = ({ hostnames }: ListenerClaim) => hostnames.filter((hostname) => hostname !== "");
  return claims.map((claim) => {
    if (claim.protocol !== "HTTPS") return [];
    return servedOn(claim.port).filter((peer) =>
      peer.key !== claim.key && peer.protocol === "HTTPS" &&
      hostnamesMeet(named(claim), named(peer)) && overlap(claim, peer, view)
    ).map(({ key }) => key.slice(key.indexOf("/") + 1));
  });
}

/** The claims of what is served on a port, looked up once. */
function peersByPort(view: View): (port: number) => readonly ListenerClaim[] {
  const known = new Map<number, ListenerClaim[]>();
  return (port) => {
    let peers = known.get(port);
    if (peers === undefined) {
      peers = claimsOn(port, view).filter((claim) =>
        claim.port === port && LISTENER_PROTOCOLS.has(claim.protocol)
      );
      known.set(port, peers);
    }
    return peers;
  };
}

function conflictWith(claim: ListenerClaim, peer: ListenerClaim): ListenerConflict | null {
  if (peer.port !== claim.port || !LISTENER_PROTOCOLS.has(peer.protocol)) return null;
  if (peer.gateway === claim.gateway && peer.rank > claim.rank) return null;
  const label = peer.key.slice(peer.key.indexOf("/") + 1);
  if (peer.proxyProtocol !== claim.proxyProtocol) {
    const message = `proxyProtocol differs from that of ${label} on the same port`;
    return { reason: "ProtocolConflict", message };
  }
  if (peer.protocol !== claim.protocol) {
    const message = `port ${claim.port} is ${peer.protocol} at ${label}`;
    return { reason: "ProtocolConflict", message };
  }
  const shared = peer.hostnames.find((hostname) => claim.hostnames.includes(hostname));
  if (shared === undefined) return null;
  const name = shared || "(any)";
  const message = `port ${claim.port} and hostname ${name} are also those of ${label}`;
  return { reason: "HostnameConflict", message };
}

/** Whether two claims are of one address. Gateways with addresses of their own leave the others to others. */
function overlap(a: ListenerClaim, b: ListenerClaim, view: View): boolean {
  const managed = view.addressesOf(a.gateway) !== null;
  return a.addresses.some((x) =>
    b.addresses.some((y) => x === y || (!managed && (x === "" || y === "")))
  );
}
