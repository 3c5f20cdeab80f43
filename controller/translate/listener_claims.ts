import { Protocol } from "../../proto/gen/novaedge/v1/config.ts";
import { classServed } from "./gateway_class.ts";
import { objectKey, type SourceObject } from "./source_object.ts";
import type { View } from "./view.ts";

/** Protocols of listeners that are served. */
export const LISTENER_PROTOCOLS: ReadonlyMap<string, Protocol> = new Map([
  ["HTTP", Protocol.PROTOCOL_HTTP],
  ["HTTPS", Protocol.PROTOCOL_HTTPS],
]);

/** What a listener takes of its port, whichever kind of gateway it belongs to. */
export interface ListenerClaim {
  /** "kind/namespace/gateway/listener" */
  readonly key: string;
  readonly port: number;
  /** Address to bind, "" for every one. */
  readonly address: string;
  readonly protocol: string;
  /** In lower case; "" for any. */
  readonly hostnames: readonly string[];
  /** From whom a PROXY header is taken; "" for nobody. */
  readonly proxyProtocol: string;
}

/** Why a listener cannot be told apart from another one. */
export interface ListenerConflict {
  readonly reason: "ProtocolConflict" | "HostnameConflict";
  readonly message: string;
}

/** The claims of a gateway's listeners, in their order. */
export function claimsOf(
  gateway: SourceObject<"ProxyGateway"> | SourceObject<"Gateway">,
): ListenerClaim[] {
  const key = objectKey(gateway);
  if (gateway.kind === "ProxyGateway") {
    return (gateway as SourceObject<"ProxyGateway">).body.spec.listeners.map((listener) => ({
      key: `${key}/${listener.name}`,
      port: listener.port,
      address: listener.address ?? "",
      protocol: listener.protocol,
      hostnames: listener.hostnames === undefined || listener.hostnames.length === 0
        ? [""]
        : listener.hostnames.map((hostname) => hostname.toLowerCase()),
      proxyProtocol: proxyProtocolKey(listener.proxyProtocol),
    }));
  }
  const { spec } = (gateway as SourceObject<"Gateway">).body;
  return spec.listeners.map((listener) => ({
    key: `${key}/${listener.name}`,
    port: listener.port,
    address: addressOf(spec),
    protocol: listener.protocol,
    hostnames: [(listener.hostname ?? "").toLowerCase()],
    proxyProtocol: "",
  }));
}

/** The address that a Gateway's listeners bind; "" for every one. */
export function addressOf(spec: SourceObject<"Gateway">["body"]["spec"]): string {
  const [first] = (spec.addresses ?? []).filter(({ type = "IPAddress" }) => type === "IPAddress");
  return first?.value ?? "";
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
 * Why the claim cannot be told apart from another one on its port, or null. Neither of two such listeners
 * is served, whichever came first. What is not served anyway, or is another controller's, takes no port.
 */
export function conflictOf(
  claim: ListenerClaim,
  index: number,
  view: View,
): ListenerConflict | null {
  const port = String(claim.port);
  const gateways = [
    ...view.select("ProxyGateway", "gateway-port", port),
    ...view.select("Gateway", "gateway-port", port).filter(({ body }) =>
      classServed(view, body.spec.gatewayClassName)
    ),
  ];
  if (!LISTENER_PROTOCOLS.has(claim.protocol)) return null;
  for (const gateway of gateways) {
    for (const [i, peer] of claimsOf(gateway).entries()) {
      const itself = peer.key === claim.key && i === index;
      if (itself || !LISTENER_PROTOCOLS.has(peer.protocol)) continue;
      if (peer.port !== claim.port || !overlaps(claim.address, peer.address)) continue;
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
      if (shared !== undefined) {
        const name = shared || "(any)";
        const message = `port ${claim.port} and hostname ${name} are also those of ${label}`;
        return { reason: "HostnameConflict", message };
      }
    }
  }
  return null;
}

function overlaps(a: string, b: string): boolean {
  return a === b || a === "" || b === "";
}
