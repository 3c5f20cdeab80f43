import type { RouteEntry, RouteRequest, ValuePredicate } from "./compiled.ts";

/** Which condition of an entry a request fails, or null when it meets all. */
export type FailedCondition = "path" | "method" | "header" | "query" | "client";

/** Whether the request meets the entry's conditions; exact and prefix paths are the tables' business. */
export function entryMatches(entry: RouteEntry, request: RouteRequest): boolean {
  return failedCondition(entry, request) === null;
}

/** The first condition, beside an exact or prefix path, that the request does not meet. */
export function failedCondition(entry: RouteEntry, request: RouteRequest): FailedCondition | null {
  if (entry.pattern !== null && !entry.pattern.test(request.path)) return "path";
  if (entry.method !== "" && entry.method !== request.method) return "method";
  for (const predicate of entry.headers) {
    if (!holds(predicate, request.header(predicate.name))) return "header";
  }
  for (const predicate of entry.query) {
    if (!holds(predicate, queryValue(request.query, predicate.name))) return "query";
  }
  if (entry.clients !== null && !entry.clients.has(request.clientAddress())) return "client";
  return null;
}

/** Whether an exact or prefix path covers `path`. */
export function pathCovers(entry: RouteEntry, path: string): boolean {
  if (entry.pathKind === "regex") return entry.pattern!.test(path);
  if (entry.pathKind === "exact") return entry.path === path;
  const prefix = entry.path.replace(/\/+$/, "");
  return path === prefix || path.startsWith(`${prefix}/`);
}

function holds(predicate: ValuePredicate, value: string | null): boolean {
  return (value !== null && predicate.holds(value)) !== predicate.invert;
}

/** The query read last: all conditions on one request read the same. */
let lastQuery = "";
let lastParameters: ReadonlyMap<string, string> = new Map();

/** First value of a query parameter, percent-decoded; null when absent. */
export function queryValue(query: string, name: string): string | null {
  if (query !== lastQuery) {
    lastParameters = parametersOf(query);
    lastQuery = query;
  }
  return lastParameters.get(name) ?? null;
}

/** A query without a parameter, the bytes of the others as they were. */
export function withoutParameter(query: string, name: string): string {
  return query.split("&").filter((pair) => {
    const equals = pair.indexOf("=");
    return decode(equals < 0 ? pair : pair.slice(0, equals)) !== name;
  }).join("&");
}

/** The first value of each parameter. */
function parametersOf(query: string): Map<string, string> {
  const parameters = new Map<string, string>();
  if (query === "") return parameters;
  for (const pair of query.split("&")) {
    const equals = pair.indexOf("=");
    const name = decode(equals < 0 ? pair : pair.slice(0, equals));
    if (!parameters.has(name)) {
      parameters.set(name, equals < 0 ? "" : decode(pair.slice(equals + 1)));
    }
  }
  return parameters;
}

/** Pattern of an escaped byte that continues a character. */
const TAIL = "%[89AB][0-9A-F]";
/** Text in which every escape is one of well-formed UTF-8 (RFC 3629 section 4). */
const WELL_FORMED = new RegExp(
  `^(?:[^%]|%[0-7][0-9A-F]|%(?:C[2-9A-F]|D[0-9A-F])${TAIL}|%E0%[AB][0-9A-F]${TAIL}|` +
    `%E[1-9A-CEF]${TAIL}${TAIL}|%ED%[89][0-9A-F]${TAIL}|%F0%[9AB][0-9A-F]${TAIL}${TAIL}|` +
    `%F[1-3]${TAIL}${TAIL}${TAIL}|%F4%8[0-9A-F]${TAIL}${TAIL})*$`,
  "i",
);

/**
 * Returns a text without escapes, or as it is when one is malformed. That is found before decoding: an
 * exception for each of some thousand parameters takes long.
 */
function decode(text: string): string {
  if (!text.includes("%")) return text.replaceAll("+", " ");
  return WELL_FORMED.test(text) ? decodeURIComponent(text.replaceAll("+", " ")) : text;
}
