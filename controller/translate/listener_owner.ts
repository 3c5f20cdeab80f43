import { GATEWAY_API, type GatewayListener } from "../../api/gateway_api.ts";
import { admitsNamespace } from "./allowed_routes.ts";
import { classOurs } from "./gateway_class.ts";
import { createdAt, fullName, objectKey, type SourceObject } from "./source_object.ts";
import type { View } from "./view.ts";

/** Whose listeners they are: a Gateway's own, or those that a ListenerSet adds to it. */
export interface ListenerOwner {
  readonly object: SourceObject<"Gateway"> | SourceObject<"ListenerSet">;
  /** Itself, or the parent. */
  readonly gateway: SourceObject<"Gateway">;
  readonly listeners: readonly GatewayListener[];
  /** Orders the owners of one Gateway: of two listeners that cannot be told apart, the first one's counts. */
  readonly rank: string;
}

/** A Gateway with its own listeners. */
export function ownListeners(gateway: SourceObject<"Gateway">): ListenerOwner {
  return { object: gateway, gateway, listeners: gateway.body.spec.listeners, rank: "" };
}

/** The Gateway of ours that a ListenerSet wants to add to, whether it may or not; null where there is none. */
export function gatewayOf(
  set: SourceObject<"ListenerSet">,
  view: View,
): SourceObject<"Gateway"> | null {
  const { group = GATEWAY_API, kind = "Gateway", namespace = set.namespace, name } =
    set.body.spec.parentRef;
  if (group !== GATEWAY_API || kind !== "Gateway") return null;
  const gateway = view.get("Gateway", namespace, name);
  return gateway !== null && classOurs(view, gateway.body.spec.gatewayClassName) ? gateway : null;
}

/** Whether a Gateway takes listeners from the namespace of a set; by default from none. */
export function admitsSet(
  gateway: SourceObject<"Gateway">,
  set: SourceObject<"ListenerSet">,
  view: View,
): boolean {
  const { namespaces = { from: "None" as const } } = gateway.body.spec.allowedListeners ?? {};
  // Without a word the field stands for None, not for Same as it does for routes.
  const { from = "None" as const } = namespaces;
  return admitsNamespace(
    { namespaces: { ...namespaces, from } },
    gateway.namespace,
    set.namespace,
    view,
  );
}

/** The listeners of a set at its Gateway; null where they are not admitted. */
export function listenersOfSet(set: SourceObject<"ListenerSet">, view: View): ListenerOwner | null {
  const gateway = gatewayOf(set, view);
  if (gateway === null || !admitsSet(gateway, set, view)) return null;
  return {
    object: set,
    gateway,
    listeners: set.body.spec.listeners,
    rank: `${createdAt(set)}|${fullName(set)}`,
  };
}

/** Key of a listener, unique over all owners. */
export function listenerKey({ object }: Pick<ListenerOwner, "object">, name: string): string {
  return `${objectKey(object)}/${name}`;
}
