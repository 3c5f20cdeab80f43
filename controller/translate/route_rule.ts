import type { ProxyRouteRule } from "../../api/proxy_route.ts";
import { bytesOf, milliseconds } from "../../api/schema.ts";
import { fieldProblem } from "../../common/field_problem.ts";
import { cidrProblem } from "../../common/cidr.ts";
import { linearProblem } from "../../common/linear.ts";
import { writtenPath } from "../../common/path.ts";
import { redactValue } from "../../common/redact.ts";
import {
  type BackendRef,
  FaultInjection,
  PathMatchType,
  type RetryPolicy,
  type RouteMatch,
  RouteRule,
  ValueMatch,
  ValueMatchType,
} from "../../proto/gen/novaedge/v1/config.ts";
import type { Conditions } from "./conditions.ts";
import { routeRetry } from "./retry.ts";
import { translateFilters } from "./route_filters.ts";
import type { RefSpec, RuleSpec } from "./rule_spec.ts";

/** What a rule's translation needs to know of its route. */
export interface RuleContext {
  readonly conditions: Conditions;
  /** Resolves a reference, recording what is wrong with it. */
  readonly backendRef: (ref: RefSpec) => BackendRef;
  /** Non-empty when the rule must answer 500. */
  readonly closedReason: string;
  readonly policies: readonly string[];
  /** Whether a policy of the route or the rule decides who may pass. */
  readonly restricts: boolean;
  /** Instead of the rule's own retry. */
  readonly retry?: RetryPolicy | undefined;
  /** Whether a rule that leads nowhere is no mistake. */
  readonly mayBeEmpty?: boolean;
}

/** Translates a rule; one that cannot be kept is closed. */
export function translateRule(rule: RuleSpec, place: string, context: RuleContext): RouteRule {
  const { conditions } = context;
  const { filters, problem, answers, mirrors } = translateFilters(rule, place);
  for (const { ref, percent, credentials } of mirrors) {
    const { backend, invalidReason } = context.backendRef(ref);
    // A mirror that cannot be reached takes nothing from anybody.
    if (invalidReason === "") {
      filters?.mirrors.push({ backend, percent, withoutCredentials: !credentials });
    }
  }
  const unclear = matchProblem(rule, place);
  if (problem !== "") conditions.fail("Accepted", "InvalidFilter", problem);
  if (unclear !== "") conditions.fail("Accepted", "InvalidMatch", unclear);
  const { backendRefs = [] } = rule;
  if (backendRefs.length === 0 && !answers && context.mayBeEmpty !== true) {
    conditions.fail("Accepted", "NoBackend", `${place} has neither backendRefs nor an answer`);
  }
  return RouteRule.create({
    matches: matchesOf(rule),
    backendRefs: backendRefs.map((ref) => context.backendRef(ref)),
    requestTimeoutMs: milliseconds(rule.timeout ?? rule.limits?.requestTimeout ?? "0"),
    backendTimeoutMs: milliseconds(rule.backendTimeout ?? "0"),
    timed: [rule.timeout, rule.limits?.requestTimeout, rule.backendTimeout].some((time) =>
      time !== undefined
    ),
    maxRequestBodyBytes: smallest([
      rule.maxRequestBodySize ?? 0,
      bytesOf(rule.limits?.maxRequestBodySize ?? "0"),
    ]),
    closedReason: context.closedReason || problem || unclear,
    upgrades: rule.upgrades ?? [],
    retry: context.retry ?? retryOf(rule, place, conditions),
    policies: [...context.policies],
    restricts: context.restricts,
    bodyMethods: rule.bodyMethods ?? [],
    idleTimeoutMs: milliseconds(rule.limits?.idleTimeout ?? "0"),
    fault: faultOf(rule, place, conditions),
    buffering: rule.buffering === undefined ? undefined : {
      request: rule.buffering.request === true,
      response: rule.buffering.response === true,
      maxBytes: bytesOf(rule.buffering.maxSize ?? "1Mi"),
    },
    // What cannot be made would be refused with the whole route.
    filters: problem === "" ? filters : undefined,
  });
}

function retryOf({ retry }: RuleSpec, place: string, conditions: Conditions) {
  if (retry === undefined) return undefined;
  const { policy, problem } = routeRetry(retry);
  if (problem !== "") conditions.fail("Accepted", "InvalidRetry", `${place}.retry: ${problem}`);
  return policy;
}

function faultOf(
  { faultInjection }: RuleSpec,
  place: string,
  conditions: Conditions,
): FaultInjection | undefined {
  if (faultInjection === undefined) return undefined;
  const { delayDuration, delayPercent, abortStatusCode, abortPercent, headerActivation } =
    faultInjection;
  const problem = headerActivation === undefined ? null : fieldProblem(headerActivation);
  if (problem !== null) {
    conditions.fail("Accepted", "InvalidFault", `${place}.faultInjection: ${problem}`);
    return undefined;
  }
  return FaultInjection.create({
    delayMs: milliseconds(delayDuration ?? "0"),
    // A delay or a status alone is meant for every request.
    delayPercent: delayDuration === undefined ? 0 : delayPercent ?? 100,
    abortStatus: abortStatusCode ?? 503,
    abortPercent: abortPercent ?? (abortStatusCode === undefined ? 0 : 100),
    header: headerActivation?.toLowerCase() ?? "",
  });
}

/** The smallest of limits of which 0 means none. */
function smallest(limits: readonly number[]): number {
  const set = limits.filter((limit) => limit > 0);
  return set.length === 0 ? 0 : Math.min(...set);
}

const PATH_TYPES: Readonly<Record<string, PathMatchType>> = {
  Exact: PathMatchType.PATH_MATCH_TYPE_EXACT,
  PathPrefix: PathMatchType.PATH_MATCH_TYPE_PREFIX,
  RegularExpression: PathMatchType.PATH_MATCH_TYPE_REGEX,
};

/** A rule without matches matches every path, as Gateway API has it. */
function matchesOf(rule: RuleSpec): RouteMatch[] {
  const matches = rule.matches === undefined || rule.matches.length === 0 ? [{}] : rule.matches;
  return matches.flatMap(
    (match: RuleMatch): RouteMatch[] => {
      const { type, value } = match.path ?? { type: "PathPrefix", value: "/" };
      const path = pathOf(type, value);
      if ("problem" in path) return [];
      return [{
        path: { type: PATH_TYPES[type], value: path.path },
        method: match.method ?? "",
        headers: (match.headers ?? []).filter(compiles).map(valueMatch),
        queryParams: (match.queryParams ?? []).filter(compiles).map(valueMatch),
        clientCidrs: networkProblem(match) === null ? match.clientCIDRs ?? [] : [],
      }];
    },
  );
}

function networkProblem({ clientCIDRs = [] }: RuleMatch): string | null {
  return cidrProblem(clientCIDRs);
}

/** A condition that has a pattern, if it is of that type. */
interface Patterned {
  readonly type?: string;
  readonly name?: string;
  readonly value?: string;
}

/** A path as the tables hold it, or why it cannot be one. */
function pathOf(type: string, value: string): ReturnType<typeof writtenPath> {
  if (type !== "RegularExpression") return writtenPath(value);
  const problem = linearProblem(value, "pattern");
  return problem === "" ? { path: value } : { problem };
}

/** Why a condition's pattern cannot be used; "" when it can, or has none. */
function patternProblem(condition: Patterned | undefined, place = ""): string {
  return condition?.type === "RegularExpression" ? linearProblem(condition.value ?? "", place) : "";
}

function compiles(condition: Patterned): boolean {
  return patternProblem(condition) === "";
}

/**
 * Conditions that cannot be read close their rule: nobody knows whom it was to serve. Where the path is
 * one of them, its match is left out besides.
 */
function matchProblem({ matches }: RuleSpec, place: string): string {
  for (const [position, match] of (matches ?? []).entries()) {
    const where = `${place}.matches[${position}]`;
    const problem = networkProblem(match);
    if (problem !== null) return `${where}.clientCIDRs: ${problem}`;
    const { path, headers = [], queryParams = [] } = match;
    const written = path === undefined ? { path: "/" } : pathOf(path.type, path.value);
    if ("problem" in written) return `${where}.path: ${written.problem}`;
    const unusable = unusableOf(headers, `${where}.headers`) ||
      unusableOf(queryParams, `${where}.queryParams`);
    if (unusable !== "") return unusable;
  }
  return "";
}

function unusableOf(conditions: readonly Patterned[], place: string): string {
  for (const [i, condition] of conditions.entries()) {
    const problem = patternProblem(condition, `${place}[${i}]`);
    if (problem === "") continue;
    const { name = "", value = "" } = condition;
    // The problem quotes the pattern, which is a credential here.
    const secret = redactValue(name, value) !== value;
    return secret ? `${place}[${i}]: the pattern cannot be matched in linear time` : problem;
  }
  return "";
}

type RuleMatch = NonNullable<ProxyRouteRule["matches"]>[number];
type ValueCondition = NonNullable<RuleMatch["headers"]>[number];

const VALUE_TYPES: Readonly<Record<string, ValueMatchType>> = {
  Exact: ValueMatchType.VALUE_MATCH_TYPE_EXACT,
  Prefix: ValueMatchType.VALUE_MATCH_TYPE_PREFIX,
  RegularExpression: ValueMatchType.VALUE_MATCH_TYPE_REGEX,
  Present: ValueMatchType.VALUE_MATCH_TYPE_PRESENT,
  Absent: ValueMatchType.VALUE_MATCH_TYPE_PRESENT,
};

function valueMatch({ type = "Exact", name, value = "", invert = false }: ValueCondition) {
  return ValueMatch.create({
    type: VALUE_TYPES[type],
    name,
    value,
    invert: invert !== (type === "Absent"),
  });
}
