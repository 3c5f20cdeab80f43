import { otherReadings, type SlashRule } from "../../common/path.ts";
import type { CompiledRoute, RouteEntry, RouteRequest } from "./compiled.ts";
import type { FieldEdit } from "../message/field_edit.ts";
import type { Compression } from "./compression.ts";
import { HostMap, hostName } from "./host.ts";
import { PathTable } from "./path_table.ts";
import type { AskedAddress } from "./redirect.ts";
import { NO_POLICIES, type PolicyLevels } from "./policy_levels.ts";

const SLASH = 47;
/** Hosts remembered per port; more start over, so a flood of invented names costs no memory. */
const MEMO_LIMIT = 8192;
/** Longest host remembered: a name of 253 characters with a port. */
const MEMO_HOST_LENGTH = 260;

/** Where a listener sends every request instead of a backend. */
export interface Redirect {
  readonly status: number;
  /** "https://host" or "https://host:port". */
  readonly origin: string;
}

/** What stands for an answer of some status. */
export interface ErrorPage {
  readonly contentType: string;
  /** The body of an answer, a character a byte. */
  body(status: number, reason: string): string;
  /** Whether it stands for the answers of backends too. */
  readonly intercept: boolean;
}

/** What a listener does with every request. */
export interface ListenerSettings {
  /** Non-empty when every request is answered with 500. */
  readonly closedReason: string;
  /** The redirect for an address and path, or null to serve the request; null when nothing redirects. */
  readonly redirect: ((origin: AskedAddress, path: string) => Redirect | null) | null;
  /** Bytes of the largest request body, 0 without limit. */
  readonly maxBody: number;
  /** Peers that may say who their clients are, null for nobody. */
  readonly trustedProxies: { has(address: string): boolean } | null;
  /** Whether backends get Forwarded (RFC 7239) beside X-Forwarded-*. */
  readonly forwarded: boolean;
  /** Whether runs of slashes are looked up as one. */
  readonly mergesSlashes: boolean;
  /** "default": 400 where a rule of the listener restricts, else they are kept. */
  readonly escapedSlashes: SlashRule | "default";
  /** Request fields that are removed unless a trusted proxy sends them, null for none. */
  readonly untrustedFields: FieldEdit | null;
  /** Peers that it serves, null for all. */
  readonly allowedSources: { has(address: string): boolean } | null;
  /** Of the gateway and of the listener. */
  readonly policies: PolicyLevels;
  /** Which answers are compressed, null for none. */
  readonly compression: Compression | null;
  /** Pages by status, null for none. */
  readonly errorPages: ReadonlyMap<number, ErrorPage> | null;
  /** Percentage of new traces that are sampled, where there is a collector; null for no traces. */
  readonly tracing: number | null;
}

/** A listener that adds nothing to its routes. */
export const PLAIN_LISTENER: ListenerSettings = {
  closedReason: "",
  redirect: null,
  maxBody: 0,
  trustedProxies: null,
  forwarded: false,
  mergesSlashes: true,
  escapedSlashes: "default",
  untrustedFields: null,
  allowedSources: null,
  policies: NO_POLICIES,
  compression: null,
  errorPages: null,
  tracing: null,
};

/** One listener's routes by hostname. */
export class ListenerTable {
  readonly hosts = new HostMap<PathTable>();
  /** Entries whose rule decides who may pass. */
  #restricting = 0;

  /** @param key name of the gateway/listener */
  constructor(readonly key: string, readonly settings: ListenerSettings) {}

  add(route: CompiledRoute): void {
    for (const hostname of route.hostnames) {
      let table = this.hosts.get(hostname);
      if (table === undefined) this.hosts.set(hostname, table = new PathTable());
      for (const entry of route.entries) table.add(entry);
    }
    this.#restricting += restrictingOf(route);
  }

  remove(route: CompiledRoute): void {
    for (const hostname of route.hostnames) {
      const table = this.hosts.get(hostname);
      if (table === undefined) continue;
      for (const entry of route.entries) table.remove(entry);
      if (table.size === 0) this.hosts.delete(hostname);
    }
    this.#restricting -= restrictingOf(route);
  }

  /**
   * What becomes of paths with `%2F` or `%5C`. Backends decode them, so that `/admin%2Fx` would pass by
   * the rule that protects `/admin`.
   */
  get slashRule(): SlashRule {
    const { escapedSlashes } = this.settings;
    if (escapedSlashes !== "default") return escapedSlashes;
    return this.#restricting > 0 ? "reject" : "keep";
  }

  /** Whether any rule decides who may pass. */
  get restricts(): boolean {
    return this.#restricting > 0;
  }
}

function restrictingOf({ entries }: CompiledRoute): number {
  return entries.reduce((sum, { rule }) => sum + (rule.restricts ? 1 : 0), 0);
}

/** What a host leads to on one port. */
export interface HostDecision {
  /** The most specific listener for the host, null when none serves it. */
  readonly listener: ListenerTable | null;
  /** That listener's tables for the host, most specific first. */
  readonly tables: readonly PathTable[];
  /** The entry that serves every path of the host, where there is but one: found with cold caches. */
  readonly sole: RouteEntry | null;
}

/** The listeners that share one port, told apart by hostname. */
export class PortTable {
  readonly #listeners = new HostMap<ListenerTable>();
  readonly #memo = new Map<string, HostDecision>();

  setListener(hostname: string, listener: ListenerTable): void {
    this.#listeners.set(hostname, listener);
    this.#memo.clear();
  }

  /** Must be called after a change of any of the port's listeners. */
  changed(): void {
    this.#memo.clear();
  }

  /** Resolves a Host value as sent. */
  resolve(host: string): HostDecision {
    const known = this.#memo.get(host);
    if (known !== undefined) return known;
    const decision = this.decide(hostName(host));
    if (host.length > MEMO_HOST_LENGTH) return decision;
    if (this.#memo.size >= MEMO_LIMIT) this.#memo.clear();
    this.#memo.set(host, decision);
    return decision;
  }

  /** Resolves a canonical host name. */
  decide(name: string): HostDecision {
    const listener = this.#listeners.lookup(name)[0] ?? null;
    const tables = listener === null ? [] : listener.hosts.lookup(name);
    return { listener, tables, sole: tables.length === 1 ? tables[0].sole : null };
  }
}

/**
 * Whether backends that leave out `;params` may see a path which another rule protects: then the rule that
 * the path as sent leads to must not serve it.
 * @param chosen entry for the path as sent
 */
export function bypassesRule(
  decision: HostDecision,
  request: RouteRequest,
  chosen: RouteEntry | null,
): boolean {
  if (decision.listener?.restricts !== true) return false;
  return otherReadings(request.path).some((path) => {
    const entry = matchRoute(decision, readAs(request, path));
    return entry !== null && entry.rule.restricts && entry.rule !== chosen?.rule;
  });
}

/** The same request with another path. */
function readAs(request: RouteRequest, path: string): RouteRequest {
  return {
    path,
    method: request.method,
    query: request.query,
    header: (name) => request.header(name),
    clientAddress: () => request.clientAddress(),
  };
}

/** The entry that serves the request, or null. */
export function matchRoute(decision: HostDecision, request: RouteRequest): RouteEntry | null {
  const { sole, tables } = decision;
  if (sole !== null) return request.path.charCodeAt(0) === SLASH ? sole : null;
  for (let i = 0; i < tables.length; i++) {
    const entry = tables[i].match(request);
    if (entry !== null) return entry;
  }
  return null;
}
