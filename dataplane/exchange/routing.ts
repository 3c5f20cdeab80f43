import { text } from "../message/bytes.ts";
import { redirectAnswer, refusalAnswer } from "../message/local_answer.ts";
import type { LocalAnswer } from "../message/local_answer.ts";
import type { RequestHead } from "../message/request_head.ts";
import { TextCache } from "../message/text_cache.ts";
import type { Reason } from "../observe/reasons.ts";
import type { CompiledRule, RouteEntry, RouteRequest, WeightedRef } from "../router/compiled.ts";
import type { RuleFilters } from "../router/filters.ts";
import { canonicalPath, isCanonical, mergeSlashes } from "../router/path.ts";
import { modifyPath } from "../router/path_modifier.ts";
import { redirectLocation } from "../router/redirect.ts";
import { type HostDecision, matchRoute } from "../router/port_table.ts";
import type { BackendRuntime, EndpointRuntime } from "../upstream/backend_runtime.ts";
import { type Engine, nextRef, type PortRuntime } from "./engine.ts";
import { clientOf } from "./forwarded.ts";
import type { Peer } from "./peer.ts";

/** Why a request does not go to a backend, and what the client gets instead. */
export interface Refusal {
  readonly status: number;
  readonly reason: Reason;
  readonly answer: LocalAnswer;
}

function refusal(status: number, reason: Reason): Refusal {
  return { status, reason, answer: refusalAnswer(status, reason) };
}

const REFUSALS = {
  connect: refusal(501, "connect_unsupported"),
  trace: refusal(405, "trace_refused"),
  path: refusal(400, "bad_path"),
  noListener: refusal(404, "no_listener"),
  misdirected: refusal(421, "misdirected"),
  listenerClosed: refusal(500, "listener_closed"),
  noRoute: refusal(404, "no_route"),
  routeClosed: refusal(500, "route_closed"),
  rewrite: refusal(500, "bad_rewrite"),
  backendMissing: refusal(500, "backend_missing"),
  backendClosed: refusal(500, "backend_closed"),
  noEndpoints: refusal(503, "no_endpoints"),
  overload: refusal(503, "overload"),
  tooLarge: refusal(413, "body_too_large"),
} as const;

const QUESTION = 63;

/** Paths as received, with whether they may be used as they are. */
const paths = new TextCache(12, (path) => ({
  path: path || "/",
  canonical: isCanonical(path) || path === "*",
}));

/** Where one request goes: its target read once, in the form that router, log and backend share. */
export class Routing implements RouteRequest {
  method = "";
  /** Canonical path; with `//` merged while the router looks. */
  path = "";
  query = "";
  host = "";
  /** Path as received. */
  rawPath = "";
  rule: CompiledRule | null = null;
  /** The share of the rule that was picked; null until then. */
  ref: WeightedRef | null = null;
  backend: BackendRuntime | null = null;
  endpoint: EndpointRuntime | null = null;
  /** What ties the request to an endpoint. */
  hashKey = 0;
  decision!: HostDecision;
  readonly #engine: Engine;
  /** The port that the request came to. */
  port!: PortRuntime;
  /** Who sent it; null between requests. */
  peer: Peer | null = null;
  #head!: RequestHead;
  #hasQuery = false;
  #canonical = false;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** Value of a request field; valid while the head is being routed. */
  header(name: string): string | null {
    return this.#head.block.get(name);
  }

  clientAddress(): string {
    return clientOf(this.#head, this.peer!, this.decision.listener!);
  }

  /** Forgets the request before and reads the target of this one. */
  begin(head: RequestHead): void {
    this.#head = head;
    this.method = head.method;
    this.host = head.host;
    this.rule = null;
    this.ref = null;
    this.backend = null;
    this.endpoint = null;
    const { buffer, targetStart, targetEnd } = head;
    let pathEnd = targetStart;
    while (pathEnd < targetEnd && buffer[pathEnd] !== QUESTION) pathEnd++;
    const known = paths.get(buffer, targetStart, pathEnd);
    this.rawPath = known.path;
    this.#canonical = known.canonical;
    this.#hasQuery = pathEnd < targetEnd;
    this.query = this.#hasQuery ? text(buffer, pathEnd + 1, targetEnd) : "";
  }

  /** For a request whose head was refused before it could be routed. */
  beginRefused(): void {
    this.method = "";
    this.host = "";
    this.rawPath = "";
    this.rule = null;
    this.endpoint = null;
    this.decision = this.port.table.resolve("");
  }

  /**
   * Finds rule, backend and endpoint; otherwise what to answer.
   * @param tlsListener listener that TLS selected, null without TLS
   */
  find(tlsListener: string | null): Refusal | null {
    const head = this.#head;
    this.decision = this.port.table.resolve(head.host);
    if (this.method === "CONNECT") return REFUSALS.connect;
    if (this.method === "TRACE") return REFUSALS.trace;
    let matchPath = this.rawPath;
    this.path = matchPath;
    if (!this.#canonical) {
      const canonical = canonicalPath(matchPath);
      if (canonical.path === null) return REFUSALS.path;
      this.path = canonical.path;
      matchPath = mergeSlashes(canonical.path);
    }
    const { listener } = this.decision;
    if (listener === null) return REFUSALS.noListener;
    if (tlsListener !== null && tlsListener !== listener.key) return REFUSALS.misdirected;
    const { settings } = listener;
    if (settings.closedReason !== "") return REFUSALS.listenerClosed;
    if (this.#engine.overload.shedding) return REFUSALS.overload;
    const redirect = settings.redirect === null ? null : settings.redirect(head.host, this.path);
    if (redirect !== null) {
      const answer = redirectAnswer(
        redirect.status,
        "redirect",
        `${redirect.origin}${this.target()}`,
      );
      return { status: redirect.status, reason: "redirect", answer };
    }
    if (settings.maxBody > 0 && head.framing.contentLength > settings.maxBody) {
      return REFUSALS.tooLarge;
    }
    const sentPath = this.path;
    this.path = matchPath;
    const entry = matchRoute(this.decision, this);
    this.path = sentPath;
    if (entry === null) return REFUSALS.noRoute;
    const { rule } = entry;
    this.rule = rule;
    if (rule.closedReason !== "") return REFUSALS.routeClosed;
    if (rule.maxBody > 0 && head.framing.contentLength > rule.maxBody) return REFUSALS.tooLarge;
    if (rule.filters !== null) {
      const answered = this.#filter(rule.filters, entry, matchPath);
      if (answered !== null) return answered;
    }
    const ref = nextRef(rule);
    this.ref = ref;
    if (ref === null || ref.invalidReason !== "") return REFUSALS.backendMissing;
    return this.#pick(ref.backend);
  }

  /** What the rule answers itself, or null; then the path is as the backend is to see it. */
  #filter(filters: RuleFilters, entry: RouteEntry, matchPath: string): Refusal | null {
    const { redirect, path, answer } = filters;
    const matched = entry.pathKind === "prefix" ? entry.path : "/";
    if (redirect !== null) {
      const peer = this.peer!;
      const location = redirectLocation(redirect, {
        scheme: peer.scheme,
        host: this.host,
        listenerPort: peer.listenerPort,
        path: matchPath,
        query: this.query,
        matched,
      });
      if (location === null) return REFUSALS.rewrite;
      const { status } = redirect;
      return { status, reason: "redirect", answer: redirectAnswer(status, "redirect", location) };
    }
    if (answer !== null) return { status: answer.status, reason: "direct_response", answer };
    if (path === null) return null;
    const changed = modifyPath(path, matchPath, matched);
    if (changed === null) return REFUSALS.rewrite;
    this.path = changed;
    return null;
  }

  #pick(name: string): Refusal | null {
    const backend = this.#engine.backends.get(name);
    if (backend === undefined) return REFUSALS.backendMissing;
    this.backend = backend;
    if (backend.closedReason !== "") return REFUSALS.backendClosed;
    this.hashKey = backend.keyOf(this);
    this.endpoint = backend.pick(null, this.hashKey);
    return this.endpoint === null ? REFUSALS.noEndpoints : null;
  }

  /** Target with the canonical path when that differs from the one received, else null. */
  changedTarget(): string | null {
    return this.path === this.rawPath ? null : this.target();
  }

  /** Canonical path with the query, whose bytes never change. */
  target(): string {
    return this.#hasQuery ? `${this.path}?${this.query}` : this.path;
  }
}
