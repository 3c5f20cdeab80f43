import type { GatewayListener } from "../../api/gateway_api.ts";
import type { View } from "./view.ts";

/** From which namespaces a listener takes routes; its own kind and that of the Gateway API say it alike. */
export interface AllowedRoutes {
  readonly namespaces?: {
    readonly from?: "Same" | "All" | "Selector" | "None";
    readonly selector?: Selector;
  };
}

type Selector = NonNullable<
  NonNullable<NonNullable<GatewayListener["allowedRoutes"]>["namespaces"]>["selector"]
>;

/** Whether a listener of a gateway takes routes from a namespace. */
export function admitsNamespace(
  allowedRoutes: AllowedRoutes | undefined,
  gatewayNamespace: string,
  namespace: string,
  view: View,
): boolean {
  const { from = "Same", selector } = allowedRoutes?.namespaces ?? {};
  switch (from) {
    case "All":
      return true;
    case "Same":
      return namespace === gatewayNamespace;
    case "Selector": {
      const labels = view.get("Namespace", "", namespace)?.body.metadata.labels;
      return selector !== undefined && labels !== undefined && selects(selector, labels);
    }
    default:
      return false;
  }
}

/** Whether a label selector selects these labels. */
function selects(selector: Selector, labels: Readonly<Record<string, string>>): boolean {
  const equal = Object.entries(selector.matchLabels ?? {}).every(([key, value]) =>
    Object.hasOwn(labels, key) && labels[key] === value
  );
  return equal && (selector.matchExpressions ?? []).every(({ key, operator, values = [] }) => {
    const has = Object.hasOwn(labels, key);
    switch (operator) {
      case "In":
        return has && values.includes(labels[key]);
      case "NotIn":
        return !has || !values.includes(labels[key]);
      case "Exists":
        return has;
      case "DoesNotExist":
        return !has;
    }
  });
}
