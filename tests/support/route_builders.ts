import fc from "fast-check";
import type {
  CompiledRoute,
  RouteEntry,
  RouteRequest,
  ValuePredicate,
  WeightedRef,
} from "../../dataplane/router/compiled.ts";

import type { Endpoint } from "../../proto/gen/novaedge/v1/config.ts";
import { NO_POLICIES } from "../../dataplane/router/policy_levels.ts";
import type { ExplainedRequest } from "../../dataplane/router/explain.ts";

/** Builders and generators that the router's tests share. */

export interface EntryParts {
  readonly kind: "exact" | "prefix" | "regex";
  readonly path: string;
  readonly method?: string;
  readonly headers?: readonly ValuePredicate[];
  readonly query?: readonly ValuePredicate[];
  readonly route?: string;
  readonly index?: number;
  readonly match?: number;
  readonly early?: boolean;
}

/** All of a rule's requests to one backend. */
export function plainRef(backend: string): WeightedRef {
  const edits = { request: null, response: null };
  return { backend, weight: 1, invalidReason: "", edits, path: null };
}

/** A header or parameter that must have a value. */
export function equals(name: string, value: string): ValuePredicate {
  return { name, holds: (found) => found === value, invert: false };
}

export function entry(parts: EntryParts): RouteEntry {
  return {
    rule: {
      route: parts.route ?? "ns/r",
      created: "",
      owner: parts.route ?? "ns/r",
      index: parts.index ?? 0,
      refs: [plainRef("b")],
      totalWeight: 1,
      requestTimeout: 0,
      timed: false,
      closedReason: "",
      upgrades: [],
      filters: null,
      answerEdit: null,
      tlsRedirect: null,
      backendTimeout: 0,
      maxBody: 0,
      retry: null,
      policies: NO_POLICIES,
      restricts: false,
      bodyMethods: [],
      idleTimeout: 0,
      fault: null,
      requestBuffer: 0,
      answerBuffer: 0,
    },
    early: parts.early ?? false,
    matchIndex: parts.match ?? 0,
    pathKind: parts.kind,
    path: parts.path,
    pattern: parts.kind === "regex" ? new RegExp(`^(?:${parts.path})$`) : null,
    method: parts.method ?? "",
    headers: parts.headers ?? [],
    query: parts.query ?? [],
    clients: null,
  };
}

export function route(hostnames: readonly string[], entries: readonly RouteEntry[]): CompiledRoute {
  return { name: "ns/r", listeners: ["ns/gw/l"], hostnames, entries };
}

export function request(
  path: string,
  method = "GET",
  query = "",
  headers: Readonly<Record<string, string>> = {},
): RouteRequest & ExplainedRequest {
  const header = (name: string) => headers[name] ?? null;
  return {
    method,
    path,
    query,
    header,
    clientAddress: () => "192.0.2.1",
    scheme: "http",
    listenerPort: 80,
  };
}

const SEGMENTS = ["a", "b", "ab"];
/** Few paths, so that random tables and requests meet. */
export const anyPath = fc.array(fc.constantFrom(...SEGMENTS), { maxLength: 3 })
  .chain((segments) => fc.constantFrom(`/${segments.join("/")}`, `/${segments.join("/")}/`))
  .map((path) => path.replace(/\/+/g, "/"));

const condition = fc.constantFrom<ValuePredicate>(
  equals("x", "1"),
  { name: "x", holds: (value) => /^[12]$/.test(value), invert: false },
);

export const anyEntry = fc.record({
  kind: fc.constantFrom("exact", "prefix", "regex"),
  path: anyPath,
  method: fc.constantFrom("", "GET", "POST"),
  headers: fc.array(condition, { maxLength: 2 }),
  query: fc.array(condition, { maxLength: 1 }),
  route: fc.constantFrom("ns/a", "ns/b"),
  index: fc.nat(3),
  match: fc.nat(3),
}).map((parts) => entry(parts as EntryParts));

export const anyRequest = fc.record({
  path: anyPath,
  method: fc.constantFrom("GET", "POST"),
  query: fc.constantFrom("", "x=1", "x=3"),
  x: fc.constantFrom("1", "2", "3"),
}).map(({ path, method, query, x }) => request(path, method, query, { x }));

/** An endpoint of a backend message. */
export function endpointAt(address: string, changes: Partial<Endpoint> = {}): Endpoint {
  return { address, port: 80, weight: 1, zone: "", priority: 0, ready: false, ...changes };
}
