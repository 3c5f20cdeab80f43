import { PathMatchType, type Route, ValueMatchType } from "../../proto/gen/novaedge/v1/config.ts";
import type {
  CompiledRoute,
  CompiledRule,
  PathKind,
  RouteEntry,
  ValuePredicate,
} from "./compiled.ts";
import { intern } from "./intern.ts";

/** A route that cannot be compiled; the message names the place and the reason. */
export class RouteCompileError extends Error {
  readonly code = "ROUTE_COMPILE";
}

/** Shared by all entries without conditions. */
const NONE: readonly ValuePredicate[] = [];
const ANY_HOST: readonly string[] = [""];

const KINDS: Readonly<Record<number, PathKind>> = {
  [PathMatchType.PATH_MATCH_TYPE_EXACT]: "exact",
  [PathMatchType.PATH_MATCH_TYPE_PREFIX]: "prefix",
  [PathMatchType.PATH_MATCH_TYPE_REGEX]: "regex",
};

/**
 * Compiles a route message.
 * @throws {RouteCompileError} for a pattern that cannot run in linear time or a missing path.
 */
export function compileRoute(route: Route): CompiledRoute {
  const name = `${route.namespace}/${route.name}`;
  const entries: RouteEntry[] = [];
  route.rules.forEach((rule, index) => {
    const refs = rule.backendRefs.map((ref) => ({
      backend: intern(ref.backend),
      weight: ref.weight,
      invalidReason: ref.invalidReason,
    }));
    const compiled: CompiledRule = {
      route: name,
      index,
      refs,
      totalWeight: refs.reduce((sum, ref) => sum + ref.weight, 0),
      requestTimeout: rule.requestTimeoutMs,
      closedReason: rule.closedReason,
      upgrades: rule.upgrades.map((token) => token.toLowerCase()),
    };
    rule.matches.forEach((match, matchIndex) => {
      const place = `rules[${index}].matches[${matchIndex}]`;
      const pathKind = KINDS[match.path?.type ?? 0];
      if (match.path === undefined || pathKind === undefined) {
        throw new RouteCompileError(`${place}.path: missing`);
      }
      entries.push({
        rule: compiled,
        matchIndex,
        pathKind,
        path: match.path.value,
        pattern: pathKind === "regex" ? linear(match.path.value, `${place}.path`) : null,
        method: match.method,
        headers: match.headers.length === 0
          ? NONE
          : match.headers.map((header, i) => predicate(header, `${place}.headers[${i}]`, true)),
        query: match.queryParams.length === 0
          ? NONE
          : match.queryParams.map((query, i) =>
            predicate(query, `${place}.queryParams[${i}]`, false)
          ),
      });
    });
  });
  const hostnames = route.hostnames.length > 0 ? route.hostnames : ANY_HOST;
  return { name, listeners: route.listeners, hostnames, entries };
}

function predicate(
  match: { type: ValueMatchType; name: string; value: string },
  place: string,
  lowerName: boolean,
): ValuePredicate {
  const name = lowerName ? match.name.toLowerCase() : match.name;
  return match.type === ValueMatchType.VALUE_MATCH_TYPE_REGEX
    ? { name, value: null, pattern: linear(match.value, place) }
    : { name, value: match.value, pattern: null };
}

/**
 * A pattern anchored at both ends whose matching time is linear in its input. The engine's linear-time
 * mode (flag `l`) decides whether a pattern qualifies; what qualifies runs on the ordinary, faster
 * matcher, which falls back to the linear one when it backtracks too much
 * (--enable-experimental-regexp-engine-on-excessive-backtracks).
 */
export function linear(source: string, place: string): RegExp {
  const anchored = `^(?:${source})$`;
  try {
    new RegExp(source);
    new RegExp(anchored);
  } catch (error) {
    throw new RouteCompileError(`${place}: ${(error as Error).message}`, { cause: error });
  }
  try {
    new RegExp(anchored, "l");
  } catch (error) {
    throw new RouteCompileError(`${place}: /${source}/ cannot be matched in linear time`, {
      cause: error,
    });
  }
  return new RegExp(anchored);
}
