import {
  type FaultInjection,
  PathMatchType,
  type Route,
  type ValueMatch,
  ValueMatchType,
} from "../../proto/gen/novaedge/v1/config.ts";
import type {
  CompiledRoute,
  CompiledRule,
  Fault,
  PathKind,
  RouteEntry,
  ValuePredicate,
} from "./compiled.ts";
import { CidrSet } from "../../common/cidr.ts";
import { compileFilters, pathModifier, ruleEdits, shareEdits } from "./filters.ts";
import { intern } from "./intern.ts";
import { linear } from "../../common/linear.ts";
import { policyLevels } from "./policy_levels.ts";
import { retryPolicy } from "./retry_policy.ts";

/** A route that cannot be compiled; the message names the place. */
class RouteError extends Error {
  readonly code = "ROUTE";
}

/** Shared by all entries without conditions. */
const NONE: readonly ValuePredicate[] = [];
const NO_METHODS: readonly string[] = [];
const ANY_HOST: readonly string[] = [""];

const KINDS: Readonly<Record<number, PathKind>> = {
  [PathMatchType.PATH_MATCH_TYPE_EXACT]: "exact",
  [PathMatchType.PATH_MATCH_TYPE_PREFIX]: "prefix",
  [PathMatchType.PATH_MATCH_TYPE_REGEX]: "regex",
};

/**
 * Compiles a route message.
 * @param name the resource's
 * @throws {PatternError} for a pattern that cannot run in linear time
 * @throws {RouteError} for a missing path
 * @throws {CidrError | FieldEditError} naming what cannot be used
 */
export function compileRoute(name: string, route: Route): CompiledRoute {
  const entries: RouteEntry[] = [];
  route.rules.forEach((rule, index) => {
    const edits = ruleEdits(rule.filters);
    const refs = rule.backendRefs.map((ref, refIndex) => ({
      backend: intern(ref.backend),
      weight: ref.weight,
      invalidReason: ref.invalidReason,
      edits: shareEdits(edits, ref),
      path: pathModifier(ref.rewrite?.path, `rules[${index}].backendRefs[${refIndex}]`),
    }));
    const compiled: CompiledRule = {
      route: name,
      created: route.created,
      owner: `${route.namespace}/${route.name}`,
      index,
      refs,
      totalWeight: refs.reduce((sum, ref) => sum + ref.weight, 0),
      requestTimeout: rule.requestTimeoutMs,
      timed: rule.timed,
      closedReason: rule.closedReason,
      upgrades: rule.upgrades.map((token) => token.toLowerCase()),
      answerEdit: edits.response,
      tlsRedirect: rule.tlsRedirect ?? null,
      filters: compileFilters(rule.filters, `rules[${index}].filters`),
      backendTimeout: rule.backendTimeoutMs,
      maxBody: rule.maxRequestBodyBytes,
      retry: retryPolicy(rule.retry),
      policies: policyLevels(route.policies, rule.policies),
      restricts: rule.restricts,
      bodyMethods: rule.bodyMethods.length === 0 ? NO_METHODS : rule.bodyMethods,
      idleTimeout: rule.idleTimeoutMs,
      fault: faultOf(rule.fault),
      requestBuffer: rule.buffering?.request === true ? rule.buffering.maxBytes : 0,
      answerBuffer: rule.buffering?.response === true ? rule.buffering.maxBytes : 0,
    };
    rule.matches.forEach((match, matchIndex) => {
      const place = `rules[${index}].matches[${matchIndex}]`;
      const pathKind = KINDS[match.path?.type ?? 0];
      if (match.path === undefined || pathKind === undefined) {
        throw new RouteError(`${place}.path: missing`);
      }
      entries.push({
        rule: compiled,
        matchIndex,
        pathKind,
        path: match.path.value,
        pattern: pathKind === "regex" ? linear(match.path.value, `${place}.path`) : null,
        early: pathKind === "regex" && route.regexBeforePrefix,
        method: match.method,
        headers: match.headers.length === 0
          ? NONE
          : match.headers.map((header, i) => predicate(header, `${place}.headers[${i}]`, true)),
        query: match.queryParams.length === 0
          ? NONE
          : match.queryParams.map((query, i) =>
            predicate(query, `${place}.queryParams[${i}]`, false)
          ),
        clients: match.clientCidrs.length === 0 ? null : new CidrSet(match.clientCidrs),
      });
    });
  });
  const hostnames = route.hostnames.length > 0 ? route.hostnames : ANY_HOST;
  return { name, listeners: route.listeners, hostnames, entries };
}

function faultOf(message: FaultInjection | undefined): Fault | null {
  if (message === undefined) return null;
  const { delayMs, delayPercent, abortStatus, abortPercent, header } = message;
  return { delay: delayMs, delayPercent, abortStatus, abortPercent, header };
}

function predicate(match: ValueMatch, place: string, lowerName: boolean): ValuePredicate {
  const { type, value, invert } = match;
  const name = lowerName ? match.name.toLowerCase() : match.name;
  switch (type) {
    case ValueMatchType.VALUE_MATCH_TYPE_REGEX: {
      const pattern = linear(value, place);
      return { name, invert, holds: (found) => pattern.test(found) };
    }
    case ValueMatchType.VALUE_MATCH_TYPE_PREFIX:
      return { name, invert, holds: (found) => found.startsWith(value) };
    case ValueMatchType.VALUE_MATCH_TYPE_PRESENT:
      return { name, invert, holds: () => true };
    default:
      return { name, invert, holds: (found) => found === value };
  }
}
