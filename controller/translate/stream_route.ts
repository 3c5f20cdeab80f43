import type { Derived } from "./derived.ts";
import { parentOutcome, parentsOf, routeOutcome, type StreamRoute } from "./gateway_parents.ts";
import type { View } from "./view.ts";

/** Routes of connections are not served: their statuses say so, at each parent of ours. */
export function deriveStreamRoute(route: StreamRoute, view: View): Derived {
  const parents = parentsOf(route, view).map((parent) => {
    parent.conditions.expect("ResolvedRefs");
    return parentOutcome(route, parent);
  });
  return { outcome: { ...routeOutcome(route, view), parents }, resources: [] };
}
