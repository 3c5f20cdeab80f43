import { isIP } from "node:net";
import { Kind } from "../../common/delta/resources.ts";
import { Gateway } from "../../proto/gen/novaedge/v1/config.ts";
import { clientCertificateOf } from "./client_certificate.ts";
import { Conditions } from "./conditions.ts";
import type { Derived } from "./derived.ts";
import { hasFallback } from "./frontend_validation.ts";
import { requestAddresses } from "./gateway_addresses.ts";
import { classOurs, classServed } from "./gateway_class.ts";
import { translateListeners } from "./gateway_listener.ts";
import { gatewayParameters } from "./gateway_parameters.ts";
import { ownListeners } from "./listener_owner.ts";
import { policiesOf } from "./policy_targets.ts";
import { objectKey, type SourceObject } from "./source_object.ts";
import type { View } from "./view.ts";

type GatewayObject = SourceObject<"Gateway">;

/** Translates a Gateway of our class. */
export function deriveGatewayApiGateway(gateway: GatewayObject, view: View): Derived {
  const { spec } = gateway.body;
  if (!classOurs(view, spec.gatewayClassName)) {
    return { outcome: new Conditions().outcome(gateway), resources: [] };
  }
  const conditions = new Conditions().expect("Accepted");
  const problem = gatewayProblem(gateway, view);
  if (problem !== null) conditions.fail("Accepted", problem.reason, problem.message);
  clientCertificateOf(gateway, view, conditions);
  const found = gatewayParameters(gateway, view);
  const parameters = "problem" in found ? { pools: [], nodeSelector: {} } : found;
  const assigned = requestAddresses(gateway, spec.addresses ?? [], parameters.pools, view);
  if (assigned.reason !== "") conditions.fail("Programmed", assigned.reason, assigned.message);
  const { listeners, outcomes, refused } = translateListeners(
    ownListeners(gateway),
    problem !== null,
    view,
  );
  if (problem === null && refused.length > 0) {
    // A Gateway of which something can be served is accepted all the same.
    const say = refused.length < spec.listeners.length ? conditions.note : conditions.fail;
    say.call(conditions, "Accepted", "ListenersNotValid", `listener ${refused.join(", ")}`);
  }
  if (
    listeners.length === 0 &&
    view.select("ListenerSet", "listener-set", named(gateway)).length === 0
  ) {
    conditions.fail("Programmed", "Invalid", "none of its listeners can be served");
  }
  if (hasFallback(gateway)) {
    conditions.note(
      "InsecureFrontendValidationMode",
      "ConfigurationChanged",
      "clients without a valid certificate are let in",
    );
  }
  const target = { kind: "Gateway", namespace: gateway.namespace, name: gateway.name } as const;
  const message = Gateway.create({
    namespace: gateway.namespace,
    name: gateway.name,
    listeners,
    accessLog: { disabled: false },
    policies: policiesOf(view, target),
  });
  return {
    outcome: {
      ...conditions.outcome(gateway),
      listeners: outcomes,
      addresses: [...assigned.addresses],
    },
    resources: [{
      kind: Kind.KIND_GATEWAY,
      name: objectKey(gateway),
      body: Gateway.encode(message).finish(),
    }],
    nodeSelector: parameters.nodeSelector,
  };
}

function named({ namespace, name }: GatewayObject): string {
  return `${namespace}/${name}`;
}

interface GatewayProblem {
  readonly reason: string;
  readonly message: string;
}

/** Why nothing of a Gateway can be served, or null. */
export function gatewayProblem(gateway: GatewayObject, view: View): GatewayProblem | null {
  const { spec } = gateway.body;
  if (!classServed(view, spec.gatewayClassName)) {
    const message = `GatewayClass ${spec.gatewayClassName} is not accepted`;
    return { reason: "InvalidParameters", message };
  }
  const parameters = gatewayParameters(gateway, view);
  if ("problem" in parameters) return { reason: "InvalidParameters", message: parameters.problem };
  for (const { type = "IPAddress", value = "" } of spec.addresses ?? []) {
    if (type !== "IPAddress" || (value !== "" && isIP(value) === 0)) {
      const message = `address "${value}" of type ${type} cannot be bound`;
      return { reason: "UnsupportedAddress", message };
    }
  }
  return null;
}
