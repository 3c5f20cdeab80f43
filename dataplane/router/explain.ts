import { redactTree } from "../../common/redact.ts";
import type { RouteEntry, RouteRequest } from "./compiled.ts";
import { hostName, hostPort } from "./host.ts";
import { canonicalPath, mergeSlashes, unescapedSlashes } from "../../common/path.ts";
import { bypassesRule, matchRoute, type PortTable } from "./port_table.ts";
import { modifyPath } from "./path_modifier.ts";
import { type AskedAddress, redirectLocation, urlOrigin } from "./redirect.ts";
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
  /** Names of the policies of listener, route and rule; a backend may have more. */
  readonly policies: readonly string[];
  readonly backends: readonly { backend: string; weight: number; problem: string }[];
  /** What backends see, or where the client is sent; "" when neither differs from the request. */
  readonly becomes: string;
  readonly candidates: readonly Candidate[];
}

/** A request as the caller describes it. */
export interface ExplainedRequest extends Omit<RouteRequest, "path"> {
  readonly scheme: string;
  readonly listenerPort: number;
}

/**
 * The address among those that a port is open at to which a request for a host goes: its own where the
 * host is one, else that for every address, else the only one; null when only the asker knows.
 */
export function askedAddress(addresses: readonly string[], host: string): string | null {
  const bare = host.replace(/^\[|\]$/g, "");
  if (addresses.includes(bare)) return bare;
  if (addresses.includes("")) return "";
  return addresses.length === 1 ? addresses[0] : null;
}

/** What is asked of somebody who did not say to which of several addresses a request goes. */
export function ambiguous(port: number, addresses: readonly string[]): { readonly reason: string } {
  const all = addresses.toSorted().join(", ");
  const reason = `port ${port} is open at ${all}: name one in the URL, and the host by a header`;
  return { reason };
}

/** Explains by the very tables that serve traffic. Secrets of the request and of the routes are redacted. */
export function explain(
  table: PortTable,
  host: string,
  rawPath: string,
  request: ExplainedRequest,
): Explanation {
  return redactTree(decided(table, host, rawPath, request)) as Explanation;
}

function decided(
  table: PortTable,
  host: string,
  rawPath: string,
  request: ExplainedRequest,
): Explanation {
  const name = hostName(host);
  const nothing = {
    listener: null,
    route: null,
    rule: null,
    policies: [],
    backends: [],
    becomes: "",
    candidates: [],
  };
  if (request.method === "CONNECT" || request.method === "TRACE") {
    const reason = request.method === "TRACE"
      ? "405: TRACE is never served"
      : "501: CONNECT is not served";
    return { ...nothing, host: name, path: rawPath, reason };
  }
  const decision = table.decide(name);
  const canonical = canonicalPath(rawPath);
  if (canonical.path === null) {
    return {
      ...nothing,
      host: name,
      path: rawPath,
      reason: `400: path refused (${canonical.refusal})`,
    };
  }
  const path = decision.listener?.settings.mergesSlashes === false
    ? canonical.path
    : mergeSlashes(canonical.path);
  const full: RouteRequest = {
    ...request,
    path,
    header: (field) => request.header(field),
    clientAddress: () => request.clientAddress(),
  };
  if (decision.listener === null) {
    return { ...nothing, host: name, path, reason: `404: no listener of this port serves ${name}` };
  }
  const { key, settings } = decision.listener;
  const here = { ...nothing, host: name, path, listener: key };
  const client = request.clientAddress();
  if (settings.allowedSources !== null && !settings.allowedSources.has(client)) {
    return { ...here, reason: `403: ${client} is not among allowedSourceRanges` };
  }
  if (settings.closedReason !== "") return { ...here, reason: `500: ${settings.closedReason}` };
  const origin = askedBy(host, request);
  const sent = settings.redirect === null ? null : settings.redirect(origin, path);
  if (sent !== null) {
    const query = request.query === "" ? "" : `?${request.query}`;
    const becomes = `${sent.origin}${rawPath}${query}`;
    return { ...here, reason: `${sent.status}: redirect by the listener`, becomes };
  }
  const plain = unescapedSlashes(canonical.path);
  const { slashRule } = decision.listener;
  if (slashRule !== "keep" && plain !== canonical.path) {
    return slashRule === "reject"
      ? { ...here, reason: "400: path refused (escaped slash)" }
      : { ...here, reason: "307: redirect by the listener's escapedSlashes", becomes: plain };
  }
  const chosen = matchRoute(decision, full);
  if (bypassesRule(decision, full, chosen)) {
    const reason = "400: path refused (without its ;params another rule would restrict it)";
    return { ...here, reason };
  }
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
    ...consequence(chosen, origin, path, request),
    policies: [...decision.listener.settings.policies, ...chosen.rule.policies].flat(),
    backends: chosen.rule.refs.map((ref) => ({
      backend: ref.backend,
      weight: ref.weight,
      problem: ref.invalidReason,
    })),
    candidates,
  };
}

function askedBy(host: string, { scheme, listenerPort }: ExplainedRequest): AskedAddress {
  const port = hostPort(host) || (scheme === "https" ? 443 : 80);
  return { scheme, host, port, listenerPort };
}

/** What the chosen entry does with the request. */
function consequence(
  { rule, pathKind, path: entryPath }: RouteEntry,
  origin: AskedAddress,
  path: string,
  { query, method }: ExplainedRequest,
): Pick<Explanation, "reason" | "becomes"> {
  const matches = `${pathKind} path ${entryPath}`;
  const matched = pathKind === "prefix" ? entryPath : "/";
  const { tlsRedirect } = rule;
  if (tlsRedirect !== null && origin.scheme !== "https") {
    const { status, port } = tlsRedirect;
    const becomes = `${urlOrigin("https", hostName(origin.host), port)}${path}${
      query === "" ? "" : `?${query}`
    }`;
    return { reason: `${status}: redirect to TLS by ${matches}`, becomes };
  }
  if (rule.closedReason !== "") return { reason: `500: ${rule.closedReason}`, becomes: "" };
  const { redirect = null, answer = null, path: ofRule = null } = rule.filters ?? {};
  // Of several shares none is picked here.
  const modifier = (rule.refs.length === 1 ? rule.refs[0].path : null) ?? ofRule;
  const impossible = { reason: `500: ${matches}, but the path cannot be changed`, becomes: "" };
  if (redirect !== null) {
    const location = redirectLocation(redirect, { origin, path, query, matched, method });
    if (location === null) return impossible;
    return { reason: `${redirect.status}: redirect by ${matches}`, becomes: location };
  }
  if (answer !== null) return { reason: `${answer.status}: answer of ${matches}`, becomes: "" };
  if (modifier === null) return { reason: matches, becomes: "" };
  const changed = modifyPath(modifier, path, matched);
  return changed === null ? impossible : { reason: matches, becomes: changed };
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
