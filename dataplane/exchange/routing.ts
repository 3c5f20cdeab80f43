import { text } from "../message/bytes.ts";
import { dashed, type FieldEdit, joinEdits } from "../message/field_edit.ts";
import { HOP_BY_HOP, SET_BY_US } from "../message/field_id.ts";
import { redirectAnswer } from "../message/local_answer.ts";
import type { RequestHead } from "../message/request_head.ts";
import type { ClientShare } from "../loop/client_shares.ts";
import { TextCache } from "../message/text_cache.ts";
import { type Refusal, refusal } from "../observe/refusal.ts";
import type { PolicyChain } from "../policy/chain.ts";
import type { Claims, PolicyRequest } from "../policy/policy.ts";
import type { CompiledRule, RouteEntry, WeightedRef } from "../router/compiled.ts";
import type { RuleFilters } from "../router/filters.ts";
import {
  canonicalPath,
  isCanonical,
  mergeSlashes,
  type SlashRule,
  unescapedSlashes,
} from "../../common/path.ts";
import { modifyPath, type PathModifier } from "../router/path_modifier.ts";
import { NO_POLICIES } from "../router/policy_levels.ts";
import { withoutParameter } from "../router/predicates.ts";
import { hostName } from "../router/host.ts";
import { redirectLocation, urlOrigin } from "../router/redirect.ts";
import { bypassesRule, type HostDecision, matchRoute } from "../router/port_table.ts";
import type { BackendRuntime } from "../upstream/backend_runtime.ts";
import type { EndpointRuntime } from "../upstream/endpoint_runtime.ts";
import { type Engine, nextRef, type PortRuntime } from "./engine.ts";
import { type Origin, originOf } from "./origin.ts";
import type { Peer } from "./peer.ts";

const REFUSALS = {
  connect: refusal(501, "connect_unsupported"),
  trace: refusal(405, "trace_refused"),
  path: refusal(400, "bad_path"),
  noListener: refusal(404, "no_listener"),
  misdirected: refusal(421, "misdirected"),
  source: refusal(403, "source_refused"),
  listenerClosed: refusal(500, "listener_closed"),
  noRoute: refusal(404, "no_route"),
  routeClosed: refusal(500, "route_closed"),
  rewrite: refusal(500, "bad_rewrite"),
  backendMissing: refusal(500, "backend_missing"),
  backendClosed: refusal(500, "backend_closed"),
  breakerOpen: refusal(503, "breaker_open"),
  tooLarge: refusal(413, "body_too_large"),
} as const;

const UNAVAILABLE = {
  no_endpoints: refusal(503, "no_endpoints"),
  unhealthy: refusal(503, "unhealthy"),
  breaker_open: REFUSALS.breakerOpen,
} as const;

const QUESTION = 63;

/** Paths as received, with whether they may be used as they are. */
const paths = new TextCache(12, (path) => ({
  path: path || "/",
  canonical: isCanonical(path) || path === "*",
}));

/** Where one request goes: its target read once, in the form that router, log and backend share. */
export class Routing implements PolicyRequest {
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
  claims: Claims | null = null;
  /** What policies change. */
  requestEdit: FieldEdit | null = null;
  readonly answerEdits: FieldEdit[] = [];
  /** Bytes of the largest body, 0 without limit. */
  maxBody = 0;
  /** Milliseconds that a backend may go without a byte, as policies say; 0 for the standard. */
  idleTimeout = 0;
  decision!: HostDecision;
  readonly #engine: Engine;
  /** The port that the request came to. */
  port!: PortRuntime;
  share!: ClientShare;
  /** Who sent it; null between requests. */
  peer: Peer | null = null;
  #head!: RequestHead;
  #entry: RouteEntry | null = null;
  /** Path as the router saw it. */
  #matchPath = "";
  /** Label of the endpoint that the client's cookie names. */
  #tiedTo: string | null = null;
  #hasQuery = false;
  #queryChanged = false;
  #canonical = false;
  /** Null until something asks for it. */
  #origin: Origin | null = null;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** Value of a request field; valid while the head is being routed. */
  header(name: string): string | null {
    return this.#head.block.get(name);
  }

  clientAddress(): string {
    return this.peerTrusted() ? this.origin().client : this.peer!.address;
  }

  origin(): Origin {
    return this.#origin ??= originOf(this.#head, this.peer!, this.decision.listener!);
  }

  get contentLength(): number {
    return Math.max(0, this.#head.framing.contentLength);
  }

  peerAddress(): string {
    return this.peer!.address;
  }

  peerTrusted(): boolean {
    return this.decision.listener!.settings.trustedProxies?.has(this.peer!.address) ?? false;
  }

  *fields(): Iterable<readonly [string, string]> {
    const { block } = this.#head;
    const untrusted = this.peerTrusted() ? null : this.decision.listener!.settings.untrustedFields;
    for (let i = 0; i < block.count; i++) {
      if (((1 << block.id(i)) & (HOP_BY_HOP | SET_BY_US)) !== 0) continue;
      const name = block.name(i);
      if (untrusted?.removed.has(dashed(name)) !== true) yield [name, block.value(i)];
    }
  }

  dropParameter(name: string): void {
    const kept = withoutParameter(this.query, name);
    if (kept === this.query) return;
    this.query = kept;
    this.#hasQuery = kept !== "";
    this.#queryChanged = true;
  }

  changeRequest(edit: FieldEdit): void {
    this.requestEdit = joinEdits(this.requestEdit, edit);
  }

  changeAnswer(edit: FieldEdit): void {
    this.answerEdits.push(edit);
  }

  limitBody(bytes: number): void {
    this.maxBody = smallerLimit(this.maxBody, bytes);
  }

  limitIdle(milliseconds: number): void {
    this.idleTimeout = milliseconds;
  }

  /** Goes on with a copy of the head: its own memory is about to be used again. */
  keep(head: RequestHead): void {
    this.#head = head;
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
    this.claims = null;
    this.#origin = null;
    this.idleTimeout = 0;
    this.requestEdit = null;
    if (this.answerEdits.length > 0) this.answerEdits.length = 0;
    const { buffer, targetStart, targetEnd } = head;
    let pathEnd = targetStart;
    while (pathEnd < targetEnd && buffer[pathEnd] !== QUESTION) pathEnd++;
    const known = paths.get(buffer, targetStart, pathEnd);
    this.rawPath = known.path;
    this.#canonical = known.canonical;
    this.#hasQuery = pathEnd < targetEnd;
    this.#queryChanged = false;
    this.query = this.#hasQuery ? text(buffer, pathEnd + 1, targetEnd) : "";
  }

  /** For a request whose head was refused before it could be routed. */
  beginRefused(): void {
    this.method = "";
    this.host = "";
    this.rawPath = "";
    this.rule = null;
    this.endpoint = null;
    this.requestEdit = null;
    this.answerEdits.length = 0;
    this.decision = this.port.table.resolve("");
  }

  /**
   * Finds the rule; otherwise what to answer.
   * @param tlsListener listener that TLS selected, null without TLS
   */
  match(tlsListener: string | null): Refusal | null {
    const refusal = this.#find(tlsListener);
    const { listener } = this.decision;
    if (refusal !== null && listener !== null) {
      // An answer of our own has the fields of every answer of its listener, and of its rule once that is known.
      const ofRule = this.rule === null ? NO_POLICIES : this.rule.policies;
      this.#engine.policies.chain(listener.settings.policies, ofRule, NO_POLICIES)?.prepare(this);
    }
    return refusal;
  }

  /** What the request must meet, null for nothing. */
  chain(): PolicyChain | null {
    const { policies } = this.decision.listener!.settings;
    return this.#engine.policies.chain(
      policies,
      this.rule!.policies,
      this.backend === null ? NO_POLICIES : this.backend.policies,
    );
  }

  #find(tlsListener: string | null): Refusal | null {
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
      const merges = this.decision.listener?.settings.mergesSlashes ?? true;
      matchPath = merges ? mergeSlashes(canonical.path) : canonical.path;
    }
    const { listener } = this.decision;
    if (listener === null) return REFUSALS.noListener;
    if (tlsListener !== null && tlsListener !== listener.key) return REFUSALS.misdirected;
    const { settings } = listener;
    if (settings.allowedSources !== null && !settings.allowedSources.has(this.peer!.address)) {
      return REFUSALS.source;
    }
    if (settings.closedReason !== "") return REFUSALS.listenerClosed;
    const redirect = settings.redirect === null
      ? null
      : settings.redirect(this.origin(), this.path);
    if (redirect !== null) {
      return redirectTo(redirect.status, `${redirect.origin}${this.target()}`);
    }
    if (!this.#canonical && listener.slashRule !== "keep") {
      const answer = this.#escapedSlashes(listener.slashRule);
      if (answer !== null) return answer;
    }
    if (settings.maxBody > 0 && head.framing.contentLength > settings.maxBody) {
      return REFUSALS.tooLarge;
    }
    const sentPath = this.path;
    this.path = matchPath;
    const entry = this.#preflighted() ?? matchRoute(this.decision, this);
    const bypasses = !this.#canonical && bypassesRule(this.decision, this, entry);
    this.path = sentPath;
    if (bypasses) return REFUSALS.path;
    if (entry === null) return REFUSALS.noRoute;
    const { rule } = entry;
    this.rule = rule;
    if (rule.tlsRedirect !== null && this.origin().scheme !== "https") {
      const { status, port } = rule.tlsRedirect;
      const origin = urlOrigin("https", hostName(this.origin().host), port);
      return redirectTo(status, `${origin}${this.target()}`);
    }
    if (rule.closedReason !== "") return REFUSALS.routeClosed;
    if (rule.maxBody > 0 && head.framing.contentLength > rule.maxBody) return REFUSALS.tooLarge;
    this.maxBody = smallerLimit(settings.maxBody, rule.maxBody);
    this.#entry = entry;
    this.#matchPath = matchPath;
    const ref = this.#tiedRef(rule) ?? nextRef(rule);
    this.ref = ref;
    if (settings.untrustedFields !== null && !this.peerTrusted()) {
      this.changeRequest(settings.untrustedFields);
    }
    if (ref !== null && ref.invalidReason === "") {
      this.backend = this.#engine.backends.get(ref.backend) ?? null;
    }
    return null;
  }

  /** The share of the backend that the client's cookie names: a client that is tied stays when others are drawn. */
  #tiedRef({ refs }: CompiledRule): WeightedRef | null {
    if (refs.length < 2) return null;
    let cookies: string | null = null;
    for (const ref of refs) {
      const affinity = ref.weight === 0 ? null : this.#engine.backends.get(ref.backend)?.affinity;
      if (affinity === null || affinity === undefined) continue;
      cookies ??= this.header("cookie") ?? "";
      if (affinity.labelOf(cookies) !== null) return ref;
    }
    return null;
  }

  /** The rule that a preflight asks about, if that answers preflights; null for any other request. */
  #preflighted(): RouteEntry | null {
    if (this.method !== "OPTIONS") return null;
    const asked = this.header("access-control-request-method");
    if (asked === null || this.header("origin") === null) return null;
    this.method = asked;
    const entry = matchRoute(this.decision, this);
    this.method = "OPTIONS";
    if (entry === null) return null;
    const { policies } = this.decision.listener!.settings;
    const chain = this.#engine.policies.chain(policies, entry.rule.policies, NO_POLICIES);
    return chain?.answersPreflights === true ? entry : null;
  }

  /** What a path with `%2F` or `%5C` is answered; null for one without. */
  #escapedSlashes(rule: SlashRule): Refusal | null {
    const plain = unescapedSlashes(this.path);
    if (plain === this.path) return null;
    if (rule === "reject") return REFUSALS.path;
    const query = this.#hasQuery ? `?${this.query}` : "";
    const { scheme, host } = this.origin();
    const location = `${scheme}://${host}${plain}${query}`;
    return redirectTo(307, location);
  }

  /** Finds an endpoint for a request that met its policies; otherwise what to answer. */
  choose(): Refusal | null {
    const { filters } = this.rule!;
    const answered = filters === null ? null : this.#answer(filters);
    if (answered !== null) return answered;
    const path = this.ref?.path ?? filters?.path ?? null;
    if (path !== null && !this.#rewrite(path)) return REFUSALS.rewrite;
    const { backend } = this;
    if (backend === null) return REFUSALS.backendMissing;
    if (backend.closedReason !== "") return REFUSALS.backendClosed;
    if (!backend.admits()) return REFUSALS.breakerOpen;
    this.hashKey = backend.keyOf(this);
    this.endpoint = this.#ownEndpoint(backend) ?? backend.pick(null, this.hashKey);
    return this.endpoint === null ? UNAVAILABLE[backend.unavailable] : null;
  }

  /** The endpoint that the client's cookie names, where one does. */
  #ownEndpoint({ affinity }: BackendRuntime): EndpointRuntime | null {
    this.#tiedTo = affinity === null ? null : affinity.labelOf(this.header("cookie"));
    return this.#tiedTo === null ? null : this.backend!.pickByLabel(this.#tiedTo);
  }

  /** Ties the client to the endpoint that answers, unless it is already. */
  tie(): void {
    const { affinity } = this.backend!;
    const { label } = this.endpoint!;
    if (affinity !== null && this.#tiedTo !== label) this.changeAnswer(affinity.cookieFor(label));
  }

  /** What the rule answers itself, or null. */
  #answer({ redirect, answer }: RuleFilters): Refusal | null {
    if (redirect !== null) {
      const location = redirectLocation(redirect, {
        origin: this.origin(),
        path: this.#matchPath,
        query: this.query,
        method: this.method,
        matched: this.#matched,
      });
      if (location === null) return REFUSALS.rewrite;
      this.#editAnswer();
      return redirectTo(redirect.status, location);
    }
    if (answer === null) return null;
    this.#editAnswer();
    return { status: answer.status, reason: "direct_response", answer };
  }

  /** The rule's changes come before those of its policies. */
  #editAnswer(): void {
    const { answerEdit } = this.rule!;
    if (answerEdit !== null) this.answerEdits.unshift(answerEdit);
  }

  /** Makes the path what the backend is to see; false when that is none. */
  #rewrite(modifier: PathModifier): boolean {
    const changed = modifyPath(modifier, this.#matchPath, this.#matched);
    if (changed !== null) this.path = changed;
    return changed !== null;
  }

  /** Prefix that the rule matched, "/" for others. */
  get #matched(): string {
    const { pathKind, path } = this.#entry!;
    return pathKind === "prefix" ? path : "/";
  }

  /** Target as backends see it when that differs from the one received, else null. */
  changedTarget(): string | null {
    return this.path === this.rawPath && !this.#queryChanged ? null : this.target();
  }

  /** Canonical path with the query, whose bytes stay as they are but for parameters that are dropped. */
  target(): string {
    return this.#hasQuery ? `${this.path}?${this.query}` : this.path;
  }
}

function redirectTo(status: number, location: string): Refusal {
  return { status, reason: "redirect", answer: redirectAnswer(status, "redirect", location) };
}

/** The smaller of two limits of which 0 means none. */
function smallerLimit(a: number, b: number): number {
  return a === 0 || (b > 0 && b < a) ? b : a;
}
