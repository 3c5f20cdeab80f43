import type { Buffer } from "node:buffer";
import { LIMIT } from "../config/defaults.ts";
import { text } from "../http1/bytes.ts";
import type { RequestHead } from "../http1/request_head.ts";
import type { ResponseHead } from "../http1/response_head.ts";
import { writeChunk, writeRequest } from "../http1/write_request.ts";
import { countRequest, GLOBAL } from "../observe/counters.ts";
import { type Reason, REASON_INDEX } from "../observe/reasons.ts";
import type { CompiledRule, RouteRequest } from "../router/compiled.ts";
import { canonicalPath, isCanonical, mergeSlashes } from "../router/path.ts";
import { type HostDecision, matchRoute } from "../router/port_table.ts";
import type { EndpointRuntime } from "../upstream/backend_runtime.ts";
import type { UpstreamConnection } from "../upstream/upstream_connection.ts";
import type { UpstreamFailure, UpstreamUser } from "../upstream/user.ts";
import type { Deadlined } from "../worker/ticker.ts";
import type { Downstream } from "./downstream.ts";
import { type Engine, nextRef, type PortRuntime } from "./engine.ts";

/** Methods that may be sent again on a fresh connection (semantics of re-sending). */
const RESENDABLE = new Set(["GET", "HEAD", "OPTIONS"]);

const FAILURE_STATUS: Readonly<Record<UpstreamFailure, number>> = {
  connect_failed: 502,
  connect_timeout: 504,
  upstream_reset: 502,
  upstream_protocol: 502,
  response_timeout: 504,
  upstream_stalled: 504,
  pending_timeout: 503,
};

/** Status logged for a client that left before its answer; never sent. */
const CLIENT_GONE = 499;

const enum Phase {
  Idle,
  /** Waiting for a connection to the backend. */
  Acquiring,
  /** The request is on its way or sent; no answer yet. */
  Sent,
  Answering,
}

let requestNumber = 0;

/**
 * One request and its answer: routes it, finds an endpoint and moves bytes both ways. The object is
 * reused for every request of an HTTP/1.1 connection, so nothing is allocated per request but bytes.
 */
export class Exchange implements UpstreamUser, RouteRequest, Deadlined {
  method = "";
  path = "";
  query = "";
  deadline = Infinity;
  tickerSlot = -1;
  readonly #engine: Engine;
  readonly #port: PortRuntime;
  readonly #downstream: Downstream;
  #phase = Phase.Idle;
  #head!: RequestHead;
  #decision!: HostDecision;
  #rule: CompiledRule | null = null;
  #endpoint: EndpointRuntime | null = null;
  #backend = "";
  #upstream: UpstreamConnection | null = null;
  /** Head, and body bytes that came with it, as they go to the backend. */
  #bytes: Buffer | null = null;
  #chunkedRequest = false;
  #requestEnded = false;
  /** Body bytes beyond `#bytes` were sent, so the request cannot be sent again. */
  #streamed = false;
  #hasBody = false;
  #reused = false;
  #resent = false;
  /** In the pool's queue; and whether that, not the request's timeout, sets the deadline. */
  #queued = false;
  #queueDecides = false;
  #host = "";
  #rawPath = "";
  #requestId = "";
  #status = 0;
  #startedAt = 0;
  #bytesIn = 0;
  #bytesOut = 0;

  constructor(engine: Engine, port: PortRuntime, downstream: Downstream) {
    this.#engine = engine;
    this.#port = port;
    this.#downstream = downstream;
  }

  get active(): boolean {
    return this.#phase !== Phase.Idle;
  }

  /** Value of a request field; valid while the head is being routed. */
  header(name: string): string | null {
    return this.#head.block.get(name);
  }

  /** Starts with a parsed head and the (decoded) body bytes that came with it. */
  start(head: RequestHead, body: Buffer | null, ended: boolean): void {
    this.#begin(head);
    const refusal = this.#route(head);
    if (refusal !== null) {
      this.fail(refusal[0], refusal[1]);
      return;
    }
    this.#requestEnded = ended;
    this.#hasBody = head.hasBody;
    this.#chunkedRequest = head.framing.chunked;
    this.#bytesIn = body === null ? 0 : body.length;
    const first = this.#chunkedRequest && (body !== null || ended) ? writeChunk(body, ended) : body;
    this.#bytes = writeRequest(head, {
      path: this.path === this.#rawPath ? null : this.#target(),
      peerFields: this.#downstream.peerFields,
      defaultHost: this.#endpoint!.label,
      requestId: head.requestIdIndex >= 0 ? "" : this.#requestId,
    }, first);
    this.#acquire(false);
  }

  /** More of the request body; the exchange may ask to pause. */
  requestBody(body: Buffer | null, ended: boolean): void {
    this.#requestEnded = ended;
    if (body !== null) this.#bytesIn += body.length;
    if (this.#upstream === null) return;
    this.#streamed = true;
    const bytes = this.#chunkedRequest && (body !== null || ended) ? writeChunk(body, ended) : body;
    if (!this.#upstream.sendBody(bytes, ended) && !ended) this.#downstream.pauseRequest();
  }

  /** Answers without, or instead of, a backend. */
  fail(status: number, reason: Reason): void {
    this.#leaveUpstream();
    this.#bytesOut += this.#downstream.sendLocal(status, reason);
    this.#finish(status, reason);
  }

  /** The client's connection is gone or unusable: the backend is told at once. */
  abort(reason: Reason): void {
    if (this.#phase === Phase.Idle) return;
    this.#leaveUpstream();
    this.#finish(this.#phase === Phase.Answering ? this.#status : CLIENT_GONE, reason);
  }

  /** Counts a request whose head was refused before it could be routed. */
  refused(method: string, host: string, status: number, reason: Reason, bytesOut: number): void {
    this.#startedAt = performance.now();
    this.method = method;
    this.#host = host;
    this.#rawPath = "";
    this.#requestId = "";
    this.#bytesIn = 0;
    this.#bytesOut = bytesOut;
    this.#rule = null;
    this.#endpoint = null;
    this.#decision = this.#port.table.resolve(host);
    this.#record(status, reason);
  }

  /** The client takes bytes again. */
  downstreamDrained(): void {
    this.#upstream?.resume();
  }

  onConnection(upstream: UpstreamConnection): void {
    this.#upstream = upstream;
    this.#reused = upstream.served > 0;
    this.#phase = Phase.Sent;
    this.#queued = false;
    if (this.#rule!.requestTimeout > 0) this.#arm();
    else this.deadline = Infinity;
    const flowing = upstream.send(this, this.#bytes!, this.#requestEnded);
    if (this.#requestEnded) return;
    if (flowing) this.#downstream.resumeRequest();
    else this.#downstream.pauseRequest();
  }

  onInterim(head: ResponseHead): void {
    this.#downstream.sendInterim(head);
  }

  onResponse(head: ResponseHead, body: Buffer | null, ended: boolean, more: boolean): void {
    this.#phase = Phase.Answering;
    this.#status = head.status;
    if (body !== null) this.#bytesOut += body.length;
    if (ended) this.#upstream = null;
    const flowing = this.#downstream.sendHead(head, body, ended, more);
    if (ended) this.#finish(this.#status, "ok");
    else if (!flowing) this.#upstream?.pause();
  }

  onResponseBody(body: Buffer | null, ended: boolean, more: boolean): void {
    if (body !== null) this.#bytesOut += body.length;
    if (ended) this.#upstream = null;
    const flowing = this.#downstream.sendBody(body, ended, more);
    if (ended) this.#finish(this.#status, "ok");
    else if (!flowing) this.#upstream?.pause();
  }

  onUpstreamDrain(): void {
    if (!this.#requestEnded) this.#downstream.resumeRequest();
  }

  onUpstreamFailure(failure: UpstreamFailure, answered: boolean): void {
    const connected = this.#upstream !== null;
    this.#upstream = null;
    if (this.#phase === Phase.Answering) {
      this.#downstream.cut();
      this.#finish(this.#status, failure);
      return;
    }
    if (!this.#resent && !answered && this.#mayResend(failure, connected)) {
      this.#resent = true;
      this.#engine.counters[GLOBAL.resent]++;
      const backend = this.#engine.backends.get(this.#backend);
      const endpoint = backend?.pick(connected ? null : this.#endpoint) ?? null;
      if (endpoint !== null) {
        this.#endpoint = endpoint;
        this.#acquire(true);
        return;
      }
    }
    this.fail(FAILURE_STATUS[failure], failure);
  }

  onDeadline(): void {
    if (this.#phase === Phase.Idle) return;
    if (this.#phase === Phase.Acquiring && this.#queueDecides) {
      this.fail(503, "pending_timeout");
    } else if (this.#phase === Phase.Answering) {
      this.#leaveUpstream();
      this.#downstream.cut();
      this.#finish(this.#status, "request_timeout");
    } else this.fail(504, "request_timeout");
  }

  /**
   * Without retry configuration a request goes out again, once and on a fresh connection, only if not a
   * byte of it was written, or if it is a safe method without a body whose reused connection closed
   * before any byte of an answer.
   */
  #mayResend(failure: UpstreamFailure, connected: boolean): boolean {
    if (this.#streamed) return false;
    if (!connected) return failure === "connect_failed" || failure === "connect_timeout";
    return failure === "upstream_reset" && this.#reused && !this.#hasBody &&
      RESENDABLE.has(this.method);
  }

  #begin(head: RequestHead): void {
    this.#startedAt = performance.now();
    this.#head = head;
    this.#phase = Phase.Acquiring;
    this.method = head.method;
    this.#host = head.host;
    this.#rule = null;
    this.#endpoint = null;
    this.#upstream = null;
    this.#bytes = null;
    this.#streamed = false;
    this.#resent = false;
    this.#status = 0;
    this.#bytesIn = 0;
    this.#bytesOut = 0;
    this.#requestId = head.requestIdIndex >= 0
      ? head.block.value(head.requestIdIndex)
      : this.#engine.requestIdPrefix + (requestNumber++).toString(16).padStart(12, "0");
    const target = text(head.buffer, head.targetStart, head.targetEnd);
    const question = target.indexOf("?");
    this.#rawPath = (question < 0 ? target : target.slice(0, question)) || "/";
    this.query = question < 0 ? "" : target.slice(question + 1);
  }

  /** Finds rule and endpoint; otherwise the status and reason to answer with. */
  #route(head: RequestHead): [number, Reason] | null {
    this.#decision = this.#port.table.resolve(head.host);
    if (this.method === "CONNECT") return [501, "connect_unsupported"];
    if (this.method === "TRACE") return [405, "trace_refused"];
    let matchPath = this.#rawPath;
    this.path = matchPath;
    if (!isCanonical(matchPath) && matchPath !== "*") {
      const canonical = canonicalPath(matchPath);
      if (canonical.path === null) return [400, "bad_path"];
      this.path = canonical.path;
      matchPath = mergeSlashes(canonical.path);
    }
    const { listener } = this.#decision;
    if (listener === null) return [404, "no_listener"];
    const { tlsListener } = this.#downstream;
    if (tlsListener !== null && tlsListener !== listener.key) return [421, "misdirected"];
    if (listener.closedReason !== "") return [500, "listener_closed"];
    const sentPath = this.path;
    this.path = matchPath;
    const entry = matchRoute(this.#decision, this);
    this.path = sentPath;
    if (entry === null) return [404, "no_route"];
    this.#rule = entry.rule;
    if (entry.rule.closedReason !== "") return [500, "route_closed"];
    const ref = nextRef(entry.rule);
    if (ref === null || ref.invalidReason !== "") return [500, "backend_missing"];
    return this.#pick(ref.backend);
  }

  #pick(name: string): [number, Reason] | null {
    const backend = this.#engine.backends.get(name);
    this.#backend = name;
    if (backend === undefined) return [500, "backend_missing"];
    if (backend.closedReason !== "") return [500, "backend_closed"];
    this.#endpoint = backend.pick(null);
    return this.#endpoint === null ? [503, "no_endpoints"] : null;
  }

  /** Target with the canonical path; the query's bytes never change. */
  #target(): string {
    return this.query === "" && !this.#head.hasQuery ? this.path : `${this.path}?${this.query}`;
  }

  #acquire(fresh: boolean): void {
    this.#phase = Phase.Acquiring;
    if (!this.#requestEnded) this.#downstream.pauseRequest();
    const { pool } = this.#endpoint!;
    const acquired = pool.acquire(this, fresh);
    if (acquired === "full") {
      this.fail(503, "pending_overflow");
      return;
    }
    // Opening a connection has a limit of its own; a place in the queue has not.
    this.#queued = acquired === "queued";
    if (acquired !== "given" && (this.#queued || this.#rule!.requestTimeout > 0)) this.#arm();
  }

  /** Sets the deadline of the whole request, and that of the queue while the request is in it. */
  #arm(): void {
    const { ticker } = this.#engine;
    if (this.tickerSlot < 0) ticker.add(this);
    const timeout = this.#rule!.requestTimeout;
    const total = timeout === 0
      ? Infinity
      : ticker.now + timeout - (performance.now() - this.#startedAt);
    this.deadline = this.#queued ? Math.min(total, ticker.now + LIMIT.pending) : total;
    this.#queueDecides = this.deadline < total;
  }

  #leaveUpstream(): void {
    if (this.#upstream !== null) this.#upstream.abandon();
    else if (this.#phase === Phase.Acquiring) this.#endpoint?.pool.cancel(this);
    this.#upstream = null;
  }

  #finish(status: number, reason: Reason): void {
    this.#phase = Phase.Idle;
    this.#bytes = null;
    this.deadline = Infinity;
    if (this.tickerSlot >= 0) this.#engine.ticker.remove(this);
    this.#record(status, reason);
    this.#downstream.exchangeDone();
  }

  #record(status: number, reason: Reason): void {
    const { counters, accessLog, timeOrigin } = this.#engine;
    const now = performance.now();
    const milliseconds = now - this.#startedAt;
    const listener = this.#decision.listener === null ? null : this.#decision.listener.key;
    const slot = this.#port.slotOf(listener);
    countRequest(
      counters,
      slot,
      status,
      REASON_INDEX[reason],
      milliseconds,
      this.#bytesIn,
      this.#bytesOut,
    );
    if (!accessLog.enabled || !this.#port.logs(this.#decision)) return;
    accessLog.add({
      listener: listener ?? "",
      method: this.method,
      host: this.#host,
      path: this.#rawPath,
      route: this.#rule === null ? "" : this.#rule.route,
      upstream: this.#endpoint === null ? "" : this.#endpoint.label,
      client: this.#downstream.client,
      requestId: this.#requestId,
      status,
      reason,
      bytesIn: this.#bytesIn,
      bytesOut: this.#bytesOut,
      milliseconds,
    }, timeOrigin + now);
  }
}
