import type { ProxyListener } from "../../api/proxy_gateway.ts";
import {
  Gateway,
  Listener,
  Protocol,
  type SniCertificate,
} from "../../proto/gen/novaedge/v1/config.ts";
import { certificateProblem } from "./certificate.ts";
import { Conditions } from "./conditions.ts";
import type { Derived } from "./derived.ts";
import { Kind } from "../../common/delta/resources.ts";
import { GROUP, mayRefer } from "./grants.ts";
import type { SourceObject } from "./source_object.ts";
import { unservedUses } from "./unserved.ts";
import type { View } from "./view.ts";

type GatewayObject = SourceObject<"ProxyGateway">;

const PROTOCOLS: Readonly<Record<string, Protocol>> = {
  HTTP: Protocol.PROTOCOL_HTTP,
  HTTPS: Protocol.PROTOCOL_HTTPS,
};

/** Translates a ProxyGateway: its listeners that can be served, and why the others cannot. */
export function deriveGateway(gateway: GatewayObject, view: View): Derived {
  const conditions = new Conditions().expect("Accepted").expect("ResolvedRefs");
  const closed = closedListeners(gateway, conditions);
  const listeners: Listener[] = [];
  const { spec } = gateway.body;
  spec.listeners.forEach((listener, index) => {
    const fail = (type: string, reason: string, message: string) =>
      conditions.fail(type, reason, `listener ${listener.name}: ${message}`);
    if (spec.listeners.findIndex(({ name }) => name === listener.name) !== index) {
      fail("Accepted", "Conflicted", "another listener of this gateway has the same name");
      return;
    }
    const protocol = PROTOCOLS[listener.protocol];
    if (protocol === undefined) {
      fail("Accepted", "UnsupportedProtocol", `protocol ${listener.protocol} is not served yet`);
      return;
    }
    const conflict = conflictOf(gateway, listener, index, view);
    if (conflict !== null) {
      fail("Accepted", "Conflicted", conflict);
      return;
    }
    const certificates = protocol === Protocol.PROTOCOL_HTTPS
      ? certificatesOf(gateway, listener, view, fail)
      : [];
    if (protocol === Protocol.PROTOCOL_HTTPS && certificates.length === 0) return;
    listeners.push(Listener.create({
      name: listener.name,
      port: listener.port,
      protocol,
      hostnames: (listener.hostnames ?? []).map((hostname) => hostname.toLowerCase()),
      bindAddress: listener.address ?? "",
      tls: protocol === Protocol.PROTOCOL_HTTPS
        ? { certificates, minVersion: listener.tls?.minVersion ?? "" }
        : undefined,
      closedReason: closed.get(index) ?? closed.get(-1) ?? "",
    }));
  });
  const message = Gateway.create({
    namespace: gateway.namespace,
    name: gateway.name,
    listeners,
    accessLog: { disabled: spec.accessLog?.enabled === false },
  });
  return {
    outcome: conditions.outcome(gateway),
    resource: { kind: Kind.KIND_GATEWAY, body: Gateway.encode(message).finish() },
  };
}

/** Why listeners must answer 500, by position; -1 stands for all of them. */
function closedListeners(gateway: GatewayObject, conditions: Conditions): Map<number, string> {
  const closed = new Map<number, string>();
  const uses = unservedUses(gateway);
  for (const { path, restricts } of uses) {
    if (restricts === null) continue;
    const position = /^spec\.listeners\[(\d+)\]/.exec(path);
    closed.set(position === null ? -1 : Number(position[1]), `${path} is not served yet`);
  }
  noteUnserved(conditions, uses.map(({ path }) => path));
  return closed;
}

/** Says which set fields have no effect yet. */
export function noteUnserved(conditions: Conditions, paths: readonly string[]): void {
  if (paths.length > 0) conditions.note("UnsupportedField", "NotServedYet", paths.join(", "));
}

/**
 * Why the listener cannot be told apart from another one on its port, or null. Neither of two such
 * listeners is served, whichever came first.
 */
function conflictOf(
  gateway: GatewayObject,
  listener: ProxyListener,
  index: number,
  view: View,
): string | null {
  for (const other of view.select("ProxyGateway", "gateway-port", String(listener.port))) {
    for (const [i, peer] of other.body.spec.listeners.entries()) {
      const itself = other.namespace === gateway.namespace && other.name === gateway.name &&
        i === index;
      if (itself || peer.port !== listener.port || !overlaps(listener.address, peer.address)) {
        continue;
      }
      const label = `${other.namespace}/${other.name}/${peer.name}`;
      if (peer.protocol !== listener.protocol) {
        return `port ${listener.port} is ${peer.protocol} at ${label}`;
      }
      const mine = hostnamesOf(listener);
      const shared = hostnamesOf(peer).find((hostname) => mine.includes(hostname));
      if (shared !== undefined) {
        return `port ${listener.port} and hostname ${shared || "(any)"} are also those of ${label}`;
      }
    }
  }
  return null;
}

function hostnamesOf({ hostnames }: ProxyListener): string[] {
  return hostnames === undefined || hostnames.length === 0
    ? [""]
    : hostnames.map((hostname) => hostname.toLowerCase());
}

function overlaps(a: string | undefined, b: string | undefined): boolean {
  return (a ?? "") === (b ?? "") || (a ?? "") === "" || (b ?? "") === "";
}

function certificatesOf(
  gateway: GatewayObject,
  listener: ProxyListener,
  view: View,
  fail: (type: string, reason: string, message: string) => void,
): SniCertificate[] {
  const found: SniCertificate[] = [];
  const wanted: [string, ProxyListener["tls"]][] = [
    ["", listener.tls],
    ...Object.entries(listener.tlsCertificates ?? {}),
  ];
  for (const [serverName, tls] of wanted) {
    if (tls?.secretRef === undefined) continue;
    const { namespace = gateway.namespace, name } = tls.secretRef;
    const label = `${namespace}/${name}`;
    const from = { group: GROUP, kind: "ProxyGateway", namespace: gateway.namespace };
    if (!mayRefer(view, from, { group: "", kind: "Secret", namespace, name })) {
      fail("ResolvedRefs", "RefNotPermitted", `no ReferenceGrant for Secret ${label}`);
      continue;
    }
    const secret = view.get("Secret", namespace, name);
    const problem = secret === null ? "not found" : certificateProblem(secret.body);
    if (problem !== null) {
      fail("ResolvedRefs", "InvalidCertificateRef", `Secret ${label}: ${problem}`);
    } else found.push({ serverName: serverName.toLowerCase(), certificate: label });
  }
  if (wanted.every(([, tls]) => tls?.secretRef === undefined)) {
    fail("ResolvedRefs", "InvalidCertificateRef", "an HTTPS listener needs tls.secretRef");
  }
  return found;
}
