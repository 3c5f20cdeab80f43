/** What the router compiles routes into. All of it is immutable once built. */

/** A share of a rule's requests. */
export interface WeightedRef {
  /** namespace/name of the backend. */
  readonly backend: string;
  readonly weight: number;
  /** Non-empty when this share is answered with 500. */
  readonly invalidReason: string;
}

/** Where matched requests go. */
export interface CompiledRule {
  /** namespace/name of the route. */
  readonly route: string;
  readonly index: number;
  readonly refs: readonly WeightedRef[];
  readonly totalWeight: number;
  /** Milliseconds for the whole request, 0 without limit. */
  readonly requestTimeout: number;
  /** Non-empty when the rule answers 500. */
  readonly closedReason: string;
  /** Tokens beside websocket that clients may upgrade to, lower case. */
  readonly upgrades: readonly string[];
}

export type PathKind = "exact" | "prefix" | "regex";

/** Condition on a header field or query parameter. */
export interface ValuePredicate {
  readonly name: string;
  /** Exact value, or null when `pattern` decides. */
  readonly value: string | null;
  readonly pattern: RegExp | null;
}

/** One match of one rule: the unit that the tables hold and order. */
export interface RouteEntry {
  readonly rule: CompiledRule;
  readonly matchIndex: number;
  readonly pathKind: PathKind;
  readonly path: string;
  readonly pattern: RegExp | null;
  /** "" matches any method. */
  readonly method: string;
  readonly headers: readonly ValuePredicate[];
  readonly query: readonly ValuePredicate[];
}

/** A route as the tables take it in. */
export interface CompiledRoute {
  readonly name: string;
  readonly listeners: readonly string[];
  /** Never empty: "" stands for any host. */
  readonly hostnames: readonly string[];
  readonly entries: readonly RouteEntry[];
}

/** The parts of a request that routing reads. */
export interface RouteRequest {
  readonly method: string;
  /** Canonical path with `//` merged. */
  readonly path: string;
  /** Query without `?`, as received. */
  readonly query: string;
  /** Value of a field by lower-case name, null when absent. */
  header(name: string): string | null;
}

/**
 * Order between entries whose host and path rank the same: method, number of header conditions, number
 * of query conditions, then namespace/name, rule and match position.
 */
export function compareEntries(a: RouteEntry, b: RouteEntry): number {
  return (
    Number(b.method !== "") - Number(a.method !== "") ||
    b.headers.length - a.headers.length ||
    b.query.length - a.query.length ||
    (a.rule.route < b.rule.route ? -1 : a.rule.route > b.rule.route ? 1 : 0) ||
    a.rule.index - b.rule.index ||
    a.matchIndex - b.matchIndex
  );
}
