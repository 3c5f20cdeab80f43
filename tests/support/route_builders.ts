import fc from "fast-check";
import type {
  CompiledRoute,
  RouteEntry,
  RouteRequest,
  ValuePredicate,
} from "../../dataplane/router/compiled.ts";

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
}

export function entry(parts: EntryParts): RouteEntry {
  return {
    rule: {
      route: parts.route ?? "ns/r",
      index: parts.index ?? 0,
      refs: [{ backend: "b", weight: 1, invalidReason: "" }],
      totalWeight: 1,
      requestTimeout: 0,
      closedReason: "",
      upgrades: [],
    },
    matchIndex: parts.match ?? 0,
    pathKind: parts.kind,
    path: parts.path,
    pattern: parts.kind === "regex" ? new RegExp(`^(?:${parts.path})$`) : null,
    method: parts.method ?? "",
    headers: parts.headers ?? [],
    query: parts.query ?? [],
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
): RouteRequest {
  return { method, path, query, header: (name) => headers[name] ?? null };
}

const SEGMENTS = ["a", "b", "ab"];
/** Few paths, so that random tables and requests meet. */
export const anyPath = fc.array(fc.constantFrom(...SEGMENTS), { maxLength: 3 })
  .chain((segments) => fc.constantFrom(`/${segments.join("/")}`, `/${segments.join("/")}/`))
  .map((path) => path.replace(/\/+/g, "/"));

const condition = fc.constantFrom<ValuePredicate>(
  { name: "x", value: "1", pattern: null },
  { name: "x", value: null, pattern: /^[12]$/ },
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
