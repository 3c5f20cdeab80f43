import { GATEWAY_API, type GatewayListener } from "../../api/gateway_api.ts";
import { Kind } from "../../common/delta/resources.ts";
import {
  Gateway,
  Listener,
  Protocol,
  type SniCertificate,
} from "../../proto/gen/novaedge/v1/config.ts";
import { ListenerOutcome } from "../../proto/gen/novaedge/v1/distribution.ts";
import { isIP } from "node:net";
import { certificateProblem, serverNames } from "./certificate.ts";
import { Conditions } from "./conditions.ts";
import type { Derived } from "./derived.ts";
import { classOurs, classServed } from "./gateway_class.ts";
import { mayRefer } from "./grants.ts";
import {
  addressOf,
  claimsOf,
  conflictOf,
  LISTENER_PROTOCOLS,
  type ListenerConflict,
} from "./listener_claims.ts";
import { policiesOf } from "./policy_targets.ts";
import { objectKey, type SourceObject } from "./source_object.ts";
import type { View } from "./view.ts";

type GatewayObject = SourceObject<"Gateway">;

/** Kinds of routes that listeners take. */
export const ROUTE_KINDS = ["HTTPRoute", "GRPCRoute"];

/** Translates a Gateway of our class. */
export function deriveGatewayApiGateway(gateway: GatewayObject, view: View): Derived {
  const { spec } = gateway.body;
  if (!classOurs(view, spec.gatewayClassName)) {
    return { outcome: new Conditions().outcome(gateway), resources: [] };
  }
  const conditions = new Conditions().expect("Accepted");
  const problem = gatewayProblem(gateway, view);
  if (problem !== null) conditions.fail("Accepted", problem.reason, problem.message);
  const claims = claimsOf(gateway);
  const target = { kind: "Gateway", namespace: gateway.namespace, name: gateway.name } as const;
  const listeners: Listener[] = [];
  const invalid: string[] = [];
  const outcomes = spec.listeners.map((listener, index) => {
    const own = new Conditions().expect("Accepted").expect("ResolvedRefs");
    const conflict = conflictOf(claims[index], index, view);
    const kinds = supportedKinds(listener, own);
    const protocol = LISTENER_PROTOCOLS.get(listener.protocol);
    const certificates = certificatesOf(gateway, listener, view, own);
    if (protocol === undefined) {
      own.fail("Accepted", "UnsupportedProtocol", `protocol ${listener.protocol} is not served`);
    }
    if (conflict !== null) own.fail("Accepted", conflict.reason, conflict.message);
    const accepted = own.holds("Accepted");
    if (!accepted) invalid.push(listener.name);
    const https = protocol === Protocol.PROTOCOL_HTTPS;
    const served = accepted && problem === null && (!https || certificates.length > 0);
    if (served && protocol !== undefined) {
      listeners.push(Listener.create({
        name: listener.name,
        port: listener.port,
        protocol,
        hostnames: listener.hostname === undefined ? [] : [listener.hostname.toLowerCase()],
        bindAddress: addressOf(spec),
        tls: https ? { certificates, minVersion: "", clientAuth: undefined } : undefined,
        closedReason: closedReason(gateway, https),
        policies: policiesOf(view, { ...target, section: listener.name }),
      }));
    }
    return ListenerOutcome.create({
      name: listener.name,
      supportedKinds: protocol === undefined ? [] : kinds,
      conditions: [...own.list(), conflictCondition(conflict)],
    });
  });
  if (problem === null && invalid.length > 0) {
    // A Gateway of which something can be served is accepted all the same.
    const say = invalid.length < spec.listeners.length ? conditions.note : conditions.fail;
    say.call(conditions, "Accepted", "ListenersNotValid", `listener ${invalid.join(", ")}`);
  }
  const message = Gateway.create({
    namespace: gateway.namespace,
    name: gateway.name,
    listeners,
    accessLog: { disabled: false },
    policies: policiesOf(view, target),
  });
  return {
    outcome: { ...conditions.outcome(gateway), listeners: outcomes },
    resources: [{
      kind: Kind.KIND_GATEWAY,
      name: objectKey(gateway),
      body: Gateway.encode(message).finish(),
    }],
  };
}

interface GatewayProblem {
  readonly reason: string;
  readonly message: string;
}

/** Why nothing of a Gateway can be served, or null. */
function gatewayProblem({ body: { spec } }: GatewayObject, view: View): GatewayProblem | null {
  if (!classServed(view, spec.gatewayClassName)) {
    const message = `GatewayClass ${spec.gatewayClassName} is not accepted`;
    return { reason: "InvalidParameters", message };
  }
  const { parametersRef } = (spec.infrastructure ?? {}) as { parametersRef?: unknown };
  if (parametersRef !== undefined) {
    const message = "spec.infrastructure.parametersRef is not served yet";
    return { reason: "InvalidParameters", message };
  }
  for (const { type = "IPAddress", value = "" } of spec.addresses ?? []) {
    if (type !== "IPAddress" || (value !== "" && isIP(value) === 0)) {
      const message = `address "${value}" of type ${type} cannot be bound`;
      return { reason: "UnsupportedAddress", message };
    }
  }
  return null;
}

/** What a listener restricts and cannot keep yet. */
function closedReason({ body: { spec } }: GatewayObject, https: boolean): string {
  const { frontend } = (spec.tls ?? {}) as { frontend?: unknown };
  return https && frontend !== undefined ? "spec.tls.frontend is not served yet" : "";
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
  gateway: GatewayObject,
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
  for (
    const { group = "", kind = "Secret", namespace = gateway.namespace, name } of certificateRefs
  ) {
    const label = `${kind} ${namespace}/${name}`;
    const fail = (reason: string, message: string) =>
      conditions.fail("ResolvedRefs", reason, `${label}: ${message}`);
    const from = { group: GATEWAY_API, kind: "Gateway", namespace: gateway.namespace };
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
        // The first is for names that none of them has.
        const names = certificateRefs.length > 1 ? serverNames(secret!.body) : [];
        for (const serverName of found.length === 0 ? ["", ...names] : names) {
          const taken = found.some((other) => other.serverName === serverName);
          if (!taken) found.push({ serverName, certificate });
        }
      }
    }
  }
  return found;
}

function conflictCondition(conflict: ListenerConflict | null) {
  return conflict === null
    ? { type: "Conflicted", status: false, reason: "NoConflicts", message: "" }
    : { type: "Conflicted", status: true, reason: conflict.reason, message: conflict.message };
}
