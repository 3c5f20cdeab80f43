import type { RouteEntry, RouteRequest } from "./compiled.ts";
import { hostName } from "./host.ts";
import { canonicalPath, mergeSlashes } from "./path.ts";
import { matchRoute, type PortTable } from "./port_table.ts";
import { failedCondition, pathCovers } from "./predicates.ts";

/** Candidates listed in one explanation. */
const MAX_CANDIDATES = 50;

/** Why one entry does or does not serve a request. */
export interface Candidate {
  readonly route: string;
  readonly rule: number;
  readonly match: number;
  readonly path: string;
  readonly result: string;
}

/** The router's decision for one request, with its reasons. */
export interface Explanation {
  readonly host: string;
  readonly path: string;
  readonly listener: string | null;
  readonly route: string | null;
  readonly rule: number | null;
  readonly reason: string;
  readonly backends: readonly { backend: string; weight: number; problem: string }[];
  readonly candidates: readonly Candidate[];
}

/** Explains by the very tables that serve traffic. */
export function explain(
  table: PortTable,
  host: string,
  rawPath: string,
  request: Omit<RouteRequest, "path">,
): Explanation {
  const name = hostName(host);
  const nothing = { listener: null, route: null, rule: null, backends: [], candidates: [] };
  const canonical = canonicalPath(rawPath);
  if (canonical.path === null) {
    return {
      ...nothing,
      host: name,
      path: rawPath,
      reason: `400: path refused (${canonical.refusal})`,
    };
  }
  const path = mergeSlashes(canonical.path);
  const full: RouteRequest = { ...request, path, header: (field) => request.header(field) };
  const decision = table.decide(name);
  if (decision.listener === null) {
    return { ...nothing, host: name, path, reason: `404: no listener of this port serves ${name}` };
  }
  const { key, settings: { closedReason } } = decision.listener;
  if (closedReason !== "") {
    return { ...nothing, host: name, path, listener: key, reason: `500: ${closedReason}` };
  }
  const chosen = matchRoute(decision, full);
  const candidates: Candidate[] = [];
  for (const paths of decision.tables) {
    for (const entry of paths.inOrder(path)) {
      if (candidates.length === MAX_CANDIDATES) break;
      candidates.push(candidate(entry, chosen, full));
    }
  }
  const listener = decision.listener.key;
  if (chosen === null) {
    return { ...nothing, host: name, path, listener, candidates, reason: "404: no route matches" };
  }
  return {
    host: name,
    path,
    listener,
    route: chosen.rule.route,
    rule: chosen.rule.index,
    reason: chosen.rule.closedReason !== ""
      ? `500: ${chosen.rule.closedReason}`
      : `${chosen.pathKind} path ${chosen.path}`,
    backends: chosen.rule.refs.map((ref) => ({
      backend: ref.backend,
      weight: ref.weight,
      problem: ref.invalidReason,
    })),
    candidates,
  };
}

function candidate(entry: RouteEntry, chosen: RouteEntry | null, request: RouteRequest): Candidate {
  const failed = failedCondition(entry, request);
  let result = "matches, but a more specific entry comes first";
  if (entry === chosen) result = "chosen";
  else if (!pathCovers(entry, request.path)) result = "path differs";
  else if (failed !== null) result = `${failed} differs`;
  return {
    route: entry.rule.route,
    rule: entry.rule.index,
    match: entry.matchIndex,
    path: `${entry.pathKind} ${entry.path}`,
    result,
  };
}
