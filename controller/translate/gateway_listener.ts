import { GATEWAY_API, type GatewayListener } from "../../api/gateway_api.ts";
import { Listener, Protocol, type SniCertificate } from "../../proto/gen/novaedge/v1/config.ts";
import type { Condition } from "../../proto/gen/novaedge/v1/distribution.ts";
import { ListenerOutcome } from "../../proto/gen/novaedge/v1/distribution.ts";
import { certificateProblem, keyKind, serverNames } from "./certificate.ts";
import { Conditions } from "./conditions.ts";
import { clientAuthAt } from "./frontend_validation.ts";
import { gatewayAddresses } from "./gateway_addresses.ts";
import { mayRefer } from "./grants.ts";
import {
  claimsOf,
  conflictsOf,
  LISTENER_PROTOCOLS,
  type ListenerConflict,
  overlapsOf,
  portClaims,
} from "./listener_claims.ts";
import type { ListenerOwner } from "./listener_owner.ts";
import { policiesOf } from "./policy_targets.ts";
import { objectKey } from "./source_object.ts";
import type { View } from "./view.ts";

/** Kinds of routes that listeners take. */
export const ROUTE_KINDS = ["HTTPRoute", "GRPCRoute"];

/** What became of the listeners of an owner. */
export interface TranslatedListeners {
  readonly listeners: Listener[];
  readonly outcomes: ListenerOutcome[];
  /** Names of those that are not accepted. */
  readonly refused: readonly string[];
}

/** Translates the listeners of a Gateway or a ListenerSet, but for `closed`, of which nothing is served. */
export function translateListeners(
  owner: ListenerOwner,
  closed: boolean,
  view: View,
): TranslatedListeners {
  const listeners: Listener[] = [];
  const refused: string[] = [];
  const claims = claimsOf(owner, view);
  const peersOn = portClaims(view);
  const conflicts = conflictsOf(claims, peersOn, view);
  const overlaps = overlapsOf(claims, peersOn, view);
  const outcomes = owner.listeners.map((listener, index) => {
    const conflict = conflicts[index];
    const conditions = new Conditions().expect("Accepted").expect("ResolvedRefs");
    const { message, kinds } = translate(owner, listener, conflict, view, conditions);
    if (!conditions.holds("Accepted")) refused.push(listener.name);
    if (message === null || closed) notProgrammed(conditions);
    else listeners.push(message);
    if (conflict === null && overlaps[index].length > 0) {
      conditions.note(
        "OverlappingTLSConfig",
        "OverlappingHostnames",
        `hostnames meet those of ${overlaps[index].join(", ")}`,
      );
    }
    return ListenerOutcome.create({
      name: listener.name,
      supportedKinds: kinds,
      conditions: [...conditions.list(), conflictCondition(conflict)],
    });
  });
  return { listeners, outcomes, refused };
}

/** A listener that cannot be served says so where people look, with the reason that it has elsewhere. */
function notProgrammed(conditions: Conditions): void {
  const against = conditions.list().find(({ status }) => !status);
  const { reason = "Invalid", message = "the Gateway is not served" } = against ?? {};
  const known = against?.type === "Accepted" ? reason : "Invalid";
  conditions.fail("Programmed", known, message);
}

function translate(
  owner: ListenerOwner,
  listener: GatewayListener,
  conflict: ListenerConflict | null,
  view: View,
  conditions: Conditions,
): { message: Listener | null; kinds: string[] } {
  const { gateway } = owner;
  const kinds = supportedKinds(listener, conditions);
  const protocol = LISTENER_PROTOCOLS.get(listener.protocol);
  const certificates = certificatesOf(owner, listener, view, conditions);
  if (conflict !== null) conditions.fail("Accepted", conflict.reason, conflict.message);
  if (protocol === undefined) {
    const reason = `protocol ${listener.protocol} is not served`;
    if (conflict === null) conditions.fail("Accepted", "UnsupportedProtocol", reason);
    return { message: null, kinds: [] };
  }
  const https = protocol === Protocol.PROTOCOL_HTTPS;
  const clientAuth = https ? clientAuthAt(gateway, listener.port, view, conditions) : undefined;
  if (!conditions.holds("Accepted") || (https && certificates.length === 0)) {
    return { message: null, kinds };
  }
  const { kind, namespace, name } = gateway;
  // Policies name listeners of the Gateway itself.
  const policies = owner.object.kind === "Gateway"
    ? policiesOf(view, { kind, namespace, name, section: listener.name })
    : [];
  const message = Listener.create({
    name: listener.name,
    port: listener.port,
    protocol,
    hostnames: listener.hostname === undefined ? [] : [listener.hostname.toLowerCase()],
    bindAddresses: gatewayAddresses(gateway, view).filter((address) => address !== ""),
    tls: https
      ? { certificates, minVersion: "", clientAuth, cipherSuites: [], curves: [] }
      : undefined,
    policies,
  });
  return { message, kinds };
}

/** The kinds of routes that the listener asks for and that are served. */
function supportedKinds({ allowedRoutes }: GatewayListener, conditions: Conditions): string[] {
  const { kinds = [] } = allowedRoutes ?? {};
  if (kinds.length === 0) return ROUTE_KINDS;
  const served = kinds.filter(({ group = GATEWAY_API, kind }) =>
    group === GATEWAY_API && ROUTE_KINDS.includes(kind)
  ).map(({ kind }) => kind);
  if (served.length < kinds.length) {
    const others = kinds.filter(({ kind }) => !served.includes(kind)).map(({ kind }) => kind);
    conditions.fail("ResolvedRefs", "InvalidRouteKinds", `not served: ${others.join(", ")}`);
  }
  return [...new Set(served)];
}

function certificatesOf(
  { object }: ListenerOwner,
  listener: GatewayListener,
  view: View,
  conditions: Conditions,
): SniCertificate[] {
  if (listener.protocol !== "HTTPS") return [];
  const { mode = "Terminate", certificateRefs = [] } = listener.tls ?? {};
  if (mode !== "Terminate") {
    conditions.fail("Accepted", "UnsupportedValue", `tls.mode ${mode} is not for HTTPS`);
    return [];
  }
  if (certificateRefs.length === 0) {
    conditions.fail("ResolvedRefs", "InvalidCertificateRef", "tls.certificateRefs is empty");
  }
  const found: SniCertificate[] = [];
  /** Names of the first one, and what there is of each name by kind of key. */
  let defaults: string | undefined;
  const taken = new Set<string>();
  for (
    const { group = "", kind = "Secret", namespace = object.namespace, name } of certificateRefs
  ) {
    const label = `${kind} ${namespace}/${name}`;
    const fail = (reason: string, message: string) =>
      conditions.fail("ResolvedRefs", reason, `${label}: ${message}`);
    const from = { group: GATEWAY_API, kind: object.kind, namespace: object.namespace };
    if (group !== "" || kind !== "Secret") {
      fail("InvalidCertificateRef", "only Secrets hold certificates");
    } else if (!mayRefer(view, from, { group: "", kind, namespace, name })) {
      fail("RefNotPermitted", "no ReferenceGrant");
    } else {
      const secret = view.get("Secret", namespace, name);
      const problem = secret === null ? "not found" : certificateProblem(secret.body);
      if (problem !== null) fail("InvalidCertificateRef", problem);
      else {
        const certificate = objectKey({ kind: "Secret", namespace, name });
        const names = certificateRefs.length > 1 ? serverNames(secret!.body) : [];
        // The first is for names that none of them has, and so is one of the same names with another kind of key.
        defaults ??= names.join();
        const kind = certificateRefs.length > 1 ? keyKind(secret!.body) : "";
        for (const serverName of names.join() === defaults ? ["", ...names] : names) {
          const key = `${kind}|${serverName}`;
          if (!taken.has(key)) found.push({ serverName, certificate });
          taken.add(key);
        }
      }
    }
  }
  return found;
}

function conflictCondition(conflict: ListenerConflict | null): Condition {
  return conflict === null
    ? { type: "Conflicted", status: false, reason: "NoConflicts", message: "" }
    : { type: "Conflicted", status: true, reason: conflict.reason, message: conflict.message };
}
