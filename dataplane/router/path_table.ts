import { compareEntries, type RouteEntry, type RouteRequest } from "./compiled.ts";
import { entryMatches } from "./predicates.ts";

type EntryMap = Map<string, readonly RouteEntry[]>;

/** Shared by every table that has none; never written. */
const NO_ENTRIES: EntryMap = new Map();
const NO_LIST: readonly RouteEntry[] = [];
const SLASH = 47;

/**
 * The entries of one hostname: exact path, then regular expressions of those routes that rank them
 * there, the longest prefix by whole segments, and the other regular expressions. Cost of a lookup grows with the depth of the path and the number of expressions.
 */
export class PathTable {
  // Most hosts need one of the three: an empty Map for each of thousands of hosts would cost more than
  // the routes themselves.
  #exact: EntryMap = NO_ENTRIES;
  /** Entries of the prefix "/", which many hosts have as their only one: without a Map to look into. */
  #root: readonly RouteEntry[] = NO_LIST;
  #prefix: EntryMap = NO_ENTRIES;
  #regex: readonly RouteEntry[] = NO_LIST;
  /** Regular expressions that rank before prefixes. */
  #early: readonly RouteEntry[] = NO_LIST;
  #longestPrefix = 0;
  size = 0;

  add(entry: RouteEntry): void {
    this.size++;
    if (entry.early) {
      this.#early = sortedWith(this.#early, entry, compareRegex);
      return;
    }
    if (entry.pathKind === "regex") {
      this.#regex = sortedWith(this.#regex, entry, compareRegex);
      return;
    }
    if (isRoot(entry)) {
      this.#root = sortedWith(this.#root, entry, compareEntries);
      return;
    }
    if (entry.pathKind === "exact" && this.#exact === NO_ENTRIES) this.#exact = new Map();
    if (entry.pathKind === "prefix" && this.#prefix === NO_ENTRIES) this.#prefix = new Map();
    const [table, key] = this.#place(entry);
    table.set(key, sortedWith(table.get(key) ?? [], entry, compareEntries));
    if (entry.pathKind === "prefix" && key.length > this.#longestPrefix) {
      this.#longestPrefix = key.length;
    }
  }

  remove(entry: RouteEntry): void {
    this.size--;
    if (entry.early) {
      this.#early = this.#early.filter((other) => other !== entry);
      return;
    }
    if (entry.pathKind === "regex") {
      this.#regex = this.#regex.filter((other) => other !== entry);
      return;
    }
    if (isRoot(entry)) {
      this.#root = this.#root.filter((other) => other !== entry);
      return;
    }
    const [table, key] = this.#place(entry);
    const rest = (table.get(key) ?? []).filter((other) => other !== entry);
    if (rest.length === 0) table.delete(key);
    else table.set(key, rest);
  }

  #place(entry: RouteEntry): [EntryMap, string] {
    return entry.pathKind === "exact"
      ? [this.#exact, entry.path]
      : [this.#prefix, prefixKey(entry.path)];
  }

  /** The only entry, when it takes every request whose path begins with a slash; else null. */
  get sole(): RouteEntry | null {
    if (this.size !== 1 || this.#root.length !== 1) return null;
    const [entry] = this.#root;
    const always = entry.method === "" && entry.headers.length === 0 &&
      entry.query.length === 0 && entry.clients === null;
    return always ? entry : null;
  }

  /** The first entry that matches, or null. */
  match(request: RouteRequest): RouteEntry | null {
    const { path } = request;
    if (this.#exact !== NO_ENTRIES) {
      const exact = this.#exact.get(path);
      const entry = exact === undefined ? null : firstOf(exact, request);
      if (entry !== null) return entry;
    }
    if (this.#early !== NO_LIST) {
      const entry = firstOf(this.#early, request);
      if (entry !== null) return entry;
    }
    if (path.charCodeAt(0) === SLASH) {
      if (this.#prefix !== NO_ENTRIES) {
        const entry = this.#longest(path, request);
        if (entry !== null) return entry;
      }
      const entry = firstOf(this.#root, request);
      if (entry !== null) return entry;
    }
    return firstOf(this.#regex, request);
  }

  /** The entry of the longest prefix that has one for the request. */
  #longest(path: string, request: RouteRequest): RouteEntry | null {
    let end = path.length;
    while (end > 0 && path.charCodeAt(end - 1) === SLASH) end--;
    for (; end > 0; end = path.lastIndexOf("/", end - 1)) {
      if (end > this.#longestPrefix) continue;
      const entries = this.#prefix.get(end === path.length ? path : path.slice(0, end));
      const entry = entries === undefined ? null : firstOf(entries, request);
      if (entry !== null) return entry;
    }
    return null;
  }

  /** Every entry in the order `match` would try them; for explanations, not for traffic. */
  *inOrder(path: string): Generator<RouteEntry> {
    yield* this.#exact.get(path) ?? [];
    yield* this.#early;
    const prefixes = [...this.#prefix.keys()].sort((a, b) => b.length - a.length);
    for (const key of prefixes) yield* this.#prefix.get(key)!;
    yield* this.#root;
    yield* this.#regex;
    for (const [key, entries] of this.#exact) if (key !== path) yield* entries;
  }
}

function isRoot(entry: RouteEntry): boolean {
  return entry.pathKind === "prefix" && prefixKey(entry.path) === "";
}

/** Prefixes match whole segments, so a trailing slash says nothing. */
function prefixKey(path: string): string {
  return path.replace(/\/+$/, "");
}

function compareRegex(a: RouteEntry, b: RouteEntry): number {
  return b.path.length - a.path.length || compareEntries(a, b);
}

function sortedWith(
  entries: readonly RouteEntry[],
  entry: RouteEntry,
  compare: (a: RouteEntry, b: RouteEntry) => number,
): RouteEntry[] {
  // Behind those that rank the same, as a stable sort would have it.
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compare(entry, entries[middle]) < 0) high = middle;
    else low = middle + 1;
  }
  return entries.toSpliced(low, 0, entry);
}

function firstOf(entries: readonly RouteEntry[], request: RouteRequest): RouteEntry | null {
  for (let i = 0; i < entries.length; i++) {
    if (entryMatches(entries[i], request)) return entries[i];
  }
  return null;
}
