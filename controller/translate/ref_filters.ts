import type { GatewayFilter } from "../../api/gateway_api_routes.ts";
import type { BackendRef } from "../../proto/gen/novaedge/v1/config.ts";
import { FieldChanges } from "./field_changes.ts";
import { filtersOf, GRPC_FILTERS } from "./gateway_rules.ts";
import { matchesPrefixes, replacesPrefix, rewriteOf } from "./route_filters.ts";
import type { RuleSpec } from "./rule_spec.ts";

/** What the filters of a route's reference change for its share, or why one of them cannot be. */
export function refFilters(
  filters: readonly GatewayFilter[],
  rule: RuleSpec,
  kind: "HTTPRoute" | "GRPCRoute",
): Partial<BackendRef> | string {
  if (filters.length === 0) return {};
  const { filters: own, problem } = kind === "HTTPRoute"
    ? filtersOf(filters)
    : filtersOf(filters, GRPC_FILTERS);
  if (problem !== "") return problem;
  const request = new FieldChanges();
  const response = new FieldChanges();
  let rewrite: BackendRef["rewrite"];
  for (const filter of own) {
    if (filter.set !== undefined) request.set(filter.set);
    else if (filter.add !== undefined) request.add(filter.add);
    else if (filter.remove !== undefined) request.remove(filter.remove);
    else if (filter.responseSet !== undefined) response.set(filter.responseSet);
    else if (filter.responseAdd !== undefined) response.add(filter.responseAdd);
    else if (filter.responseRemove !== undefined) response.remove(filter.responseRemove);
    else if (filter.type === "URLRewrite") {
      if (rewrite !== undefined) return "a backend has one URLRewrite at most";
      const made = rewriteOf(filter);
      if (made.problem !== "") return made.problem;
      rewrite = made.rewrite;
    } else return `filters of type ${filter.type} are not served on a backend`;
  }
  const bad = request.problem || response.problem;
  if (bad !== "") return bad;
  if (replacesPrefix(rewrite) && !matchesPrefixes(rule)) {
    return "ReplacePrefixMatch needs matches of type PathPrefix";
  }
  return { requestFields: request.message(), responseFields: response.message(), rewrite };
}
