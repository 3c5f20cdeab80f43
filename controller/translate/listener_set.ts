import { Kind } from "../../common/delta/resources.ts";
import { Gateway } from "../../proto/gen/novaedge/v1/config.ts";
import { ParentOutcome } from "../../proto/gen/novaedge/v1/distribution.ts";
import { Conditions } from "./conditions.ts";
import type { Derived } from "./derived.ts";
import { gatewayProblem } from "./gateway_api_gateway.ts";
import { gatewayAddresses } from "./gateway_addresses.ts";
import { translateListeners } from "./gateway_listener.ts";
import { admitsSet, gatewayOf, listenersOfSet } from "./listener_owner.ts";
import { policiesOf } from "./policy_targets.ts";
import { objectKey, type SourceObject } from "./source_object.ts";
import type { View } from "./view.ts";

/** Translates the listeners that a ListenerSet adds to a Gateway of ours. */
export function deriveListenerSet(set: SourceObject<"ListenerSet">, view: View): Derived {
  const gateway = gatewayOf(set, view);
  if (gateway === null) return { outcome: new Conditions().outcome(set), resources: [] };
  const conditions = new Conditions().expect("Accepted").expect("Programmed");
  const refuse = (reason: string, message: string) => {
    conditions.fail("Accepted", reason, message).fail("Programmed", reason, message);
  };
  const parents = [ParentOutcome.create({
    kind: "Gateway",
    namespace: gateway.namespace,
    name: gateway.name,
  })];
  if (!admitsSet(gateway, set, view)) {
    refuse(
      "NotAllowed",
      "the Gateway's spec.allowedListeners does not take sets of this namespace",
    );
    return { outcome: { ...conditions.outcome(set), parents }, resources: [] };
  }
  const problem = gatewayProblem(gateway, view);
  if (problem !== null) refuse("ParentNotAccepted", problem.message);
  const owner = listenersOfSet(set, view)!;
  const { listeners, outcomes, refused } = translateListeners(owner, problem !== null, view);
  if (problem === null && listeners.length < set.body.spec.listeners.length) {
    const message = `listener ${refused.join(", ")}`;
    if (listeners.length === 0) refuse("ListenersNotValid", "none of its listeners can be served");
    else if (refused.length > 0) conditions.note("Accepted", "ListenersNotValid", message);
  }
  if (gatewayAddresses(gateway, view).length === 0) {
    conditions.fail("Programmed", "Pending", "the Gateway has no address");
  }
  const { namespace, name } = gateway;
  const message = Gateway.create({
    namespace: set.namespace,
    name: set.name,
    listeners,
    accessLog: { disabled: false },
    policies: policiesOf(view, { kind: "Gateway", namespace, name }),
  });
  return {
    outcome: { ...conditions.outcome(set), listeners: outcomes, parents },
    resources: [{
      kind: Kind.KIND_GATEWAY,
      name: objectKey(set),
      body: Gateway.encode(message).finish(),
    }],
  };
}
