/** What the router compiles routes into. All of it is immutable once built. */
import type { FieldEdit } from "../message/field_edit.ts";
import type { FieldEdits, RuleFilters } from "./filters.ts";
import type { PathModifier } from "./path_modifier.ts";
import type { PolicyLevels } from "./policy_levels.ts";
import type { RetryPolicy } from "./retry_policy.ts";

/** A share of a rule's requests. */
export interface WeightedRef {
  /** Name of the backend. */
  readonly backend: string;
  readonly weight: number;
  /** Non-empty when this share is answered with 500. */
  readonly invalidReason: string;
  /** Changes to the fields of its requests and answers. */
  readonly edits: FieldEdits;
  /** How the path that its backend sees is changed, instead of what the rule says; null for that. */
  readonly path: PathModifier | null;
}

/** Where matched requests go. */
export interface CompiledRule {
  /** Name of the route. */
  readonly route: string;
  /** When its object was made, "" where it is not known, and its "namespace/name". */
  readonly created: string;
  readonly owner: string;
  readonly index: number;
  readonly refs: readonly WeightedRef[];
  readonly totalWeight: number;
  /** Milliseconds for the whole request, 0 without limit. */
  readonly requestTimeout: number;
  /** Whether a time for the request or a try was given, "no limit" included. */
  readonly timed: boolean;
  /** Non-empty when the rule answers 500. */
  readonly closedReason: string;
  /** Tokens beside websocket that clients may upgrade to, lower case. */
  readonly upgrades: readonly string[];
  /** Null when every request goes to a backend, to it alone and under the path that the client sees. */
  readonly filters: RuleFilters | null;
  /** Changes to the fields of what the rule answers itself. */
  readonly answerEdit: FieldEdit | null;
  /** Where requests are sent that did not come by TLS, before all else; null to serve them. */
  readonly tlsRedirect: { readonly status: number; readonly port: number } | null;
  /** Milliseconds for one try at a backend, 0 without limit. */
  readonly backendTimeout: number;
  /** Bytes of the largest request body, 0 without limit. */
  readonly maxBody: number;
  /** Comes before the backend's. */
  readonly retry: RetryPolicy | null;
  /** Of the route and of the rule. */
  readonly policies: PolicyLevels;
  /** Whether a policy of the route, the rule or a backend decides who may pass. */
  readonly restricts: boolean;
  /** Methods of GET, HEAD, DELETE and OPTIONS whose content the backends read. */
  readonly bodyMethods: readonly string[];
  /** Milliseconds that a backend may go without a byte, 0 for the standard. */
  readonly idleTimeout: number;
  /** What is done to requests on purpose, null for nothing. */
  readonly fault: Fault | null;
  /** Bytes of a request that are kept until all of it has come, and of an answer; 0 for none. */
  readonly requestBuffer: number;
  readonly answerBuffer: number;
}

/** Faults that are injected into a share of requests. */
export interface Fault {
  /** Milliseconds. */
  readonly delay: number;
  readonly delayPercent: number;
  readonly abortStatus: number;
  readonly abortPercent: number;
  /** Field, in lower case, that requests must have to be concerned; "" for all. */
  readonly header: string;
}

export type PathKind = "exact" | "prefix" | "regex";

/** Condition on a header field or query parameter. */
export interface ValuePredicate {
  readonly name: string;
  /** Whether a value that is there meets the condition. */
  readonly holds: (value: string) => boolean;
  /** Turns the result around; an absent value does not match. */
  readonly invert: boolean;
}

/** One match of one rule: the unit that the tables hold and order. */
export interface RouteEntry {
  readonly rule: CompiledRule;
  readonly matchIndex: number;
  readonly pathKind: PathKind;
  readonly path: string;
  readonly pattern: RegExp | null;
  /** Whether a regular expression ranks before prefixes. */
  readonly early: boolean;
  /** "" matches any method. */
  readonly method: string;
  readonly headers: readonly ValuePredicate[];
  readonly query: readonly ValuePredicate[];
  /** Addresses of the clients that it serves, null for all. */
  readonly clients: { has(address: string): boolean } | null;
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
  /** Address of the client, as trusted proxies tell it. */
  clientAddress(): string;
}

/**
 * Order between entries whose host and path rank the same: method, number of header conditions, number
 * of query conditions, client addresses, then age, namespace and name, rule and match position.
 */
export function compareEntries(a: RouteEntry, b: RouteEntry): number {
  return (
    Number(b.method !== "") - Number(a.method !== "") ||
    b.headers.length - a.headers.length ||
    b.query.length - a.query.length ||
    Number(b.clients !== null) - Number(a.clients !== null) ||
    compareText(a.rule.created, b.rule.created) ||
    compareText(a.rule.owner, b.rule.owner) ||
    compareText(a.rule.route, b.rule.route) ||
    a.rule.index - b.rule.index ||
    a.matchIndex - b.matchIndex
  );
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
