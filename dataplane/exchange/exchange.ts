import { Buffer } from "node:buffer";
import { LIMIT } from "../config/defaults.ts";
import { Attempt, resultOf } from "./attempt.ts";
import { type AnswerOwner, AnswerPath } from "./answer_path.ts";
import { chooseCoding } from "./compression.ts";
import type { CompressionTurns } from "./compression_turns.ts";
import { copyHead } from "../message/copy_head.ts";
import { ascii } from "../message/bytes.ts";
import { FieldId } from "../message/field_id.ts";
import {
  editHead,
  editResponse,
  editTrailers,
  joinEdits,
  makeEdit,
} from "../message/field_edit.ts";
import { refusalAnswer } from "../message/local_answer.ts";
import type { LocalAnswer } from "../message/local_answer.ts";
import type { RequestHead } from "../message/request_head.ts";
import { Version } from "../message/request_head.ts";
import type { ResponseHead } from "../message/response_head.ts";
import type { ProxyEndpoint } from "../net/proxy_protocol.ts";
import type { Reason } from "../observe/reasons.ts";
import { type Trace, traceOf, traceparent } from "../observe/trace.ts";
import { type Refusal, refusal } from "../observe/refusal.ts";
import { expectsContent } from "../upstream/expects_content.ts";
import type { EndpointRuntime } from "../upstream/endpoint_runtime.ts";
import type { UpstreamFailure, UpstreamStream, UpstreamUser } from "../upstream/upstream_stream.ts";
import type { Deadlined } from "../loop/ticker.ts";
import { contained } from "../loop/containment.ts";
import type { ClientShare } from "../loop/client_shares.ts";
import { waitsFor } from "../loop/outside.ts";
import { turn } from "../loop/turn.ts";
import { Deadlines } from "./deadlines.ts";
import type { Downstream } from "./downstream.ts";
import type { Engine, PortRuntime } from "./engine.ts";
import { forwardHead } from "./forward_head.ts";
import { inject } from "./fault.ts";
import type { Verdict } from "../policy/policy.ts";
import { localForm } from "./local_form.ts";
import { dateEdit } from "./http_date.ts";
import { grpcTimeout } from "./grpc_timeout.ts";
import { mirror, type MirroredRequest, mirrorKeys, mirrors } from "./mirror.ts";
import { record } from "./record.ts";
import { Replay } from "./replay.ts";
import { protocolName, refererOf, userAgentOf } from "./request_facts.ts";
import { nextRequestId } from "./request_id.ts";
import { FAILURE_STATUS } from "./resend.ts";
import { Routing } from "./routing.ts";
import { type NextTry, type TriedRequest, Tries } from "./tries.ts";
import { UNBOUND } from "./unbound.ts";
import { acceptsWebSocket, webSocketKey } from "./websocket.ts";

/** Status logged for a client that left before its answer; never sent. */
const CLIENT_GONE = 499;
const WEBSOCKET = "websocket";
const TRACEPARENT = new Set(["traceparent"]);
/** Nobody passes a policy that fails. */
const REQUESTS_OVERFLOW = refusal(503, "requests_overflow");
const OVERLOAD = refusal(503, "overload");
const POLICY_FAILED = refusal(500, "policy_failed");
/** Trailers of a call whose time is over: DEADLINE_EXCEEDED. */
const GRPC_DEADLINE = Buffer.from("grpc-status: 4\r\ngrpc-message: request_timeout\r\n");

const enum Phase {
  Idle,
  /** Its policies ask somebody else. */
  Authorizing,
  /** Its body is collected before a backend hears of it. */
  Buffering,
  /** Waiting for a connection to the backend. */
  Acquiring,
  /** Waiting before another try. */
  Pausing,
  /** The request is on its way or sent; no answer yet. */
  Sent,
  Answering,
  /** After a 101: bytes of another protocol flow both ways. */
  Tunnel,
}

/**
 * One request and its answer: routes it, finds an endpoint and moves bytes both ways. The object is
 * reused for one request after the other, so nothing is allocated per request but bytes, and idle
 * connections hold none.
 */
export class Exchange implements UpstreamUser, Deadlined, AnswerOwner {
  deadline = Infinity;
  tickerSlot = -1;
  upstreamMethod = "";
  upgrade = "";
  idleTimeout = 0;
  responseTimeout = 0;
  readonly routing: Routing;
  readonly #engine: Engine;
  #port!: PortRuntime;
  #downstream: Downstream = UNBOUND;
  readonly #replay = new Replay();
  /** What its client holds of what all share; held by this only where a trusted proxy named the client. */
  #share!: ClientShare;
  #holdsShare = false;
  /** The client does not take what the backend sends. */
  #blocked = false;
  #phase = Phase.Idle;
  #upstream: UpstreamStream | null = null;
  /** The head as it goes to the backend. */
  #head: Buffer | null = null;
  #unsized = false;
  /** Trailer lines that wait for a connection. */
  #trailers: Buffer | null = null;
  #requestEnded = false;
  #hasBody = false;
  readonly #tries: Tries;
  readonly #attempt: Attempt;
  readonly #answerPath = new AnswerPath(this);
  /** Somebody gets copies of the request. */
  #mirrors = false;
  #mirrorKeys: readonly number[] = [];
  #http2 = false;
  #grpc = false;
  readonly #deadlines = new Deadlines();
  #tunnelEnds = 0;
  /** Grows with each request: what sends may end it, and then this object may serve another already. */
  #generation = 0;
  #maxBody = 0;
  /** Milliseconds that the client says it waits, 0 when it does not. */
  #askedTime = 0;
  /** Key of a WebSocket handshake that came without one, "" otherwise. */
  webSocketKey = "";
  client = "";
  requestId = "";
  /** Tries at a backend. */
  get attempts(): number {
    return this.#tries.count;
  }
  startedAt = 0;
  /** For the access log. */
  protocol = "";
  userAgent = "";
  referer = "";
  tlsVersion = "";
  /** Milliseconds from the last try's request to the head of its response, -1 without one. */
  upstreamTime = -1;
  #triedAt = 0;
  /** What the backend did, in words, where the reason alone does not say it. */
  detail = "";
  /** Its place in a trace, null for none. */
  trace: Trace | null = null;
  bytesIn = 0;
  /** Bytes sent to the client: an answer of our own with its head, a backend's without. */
  get bytesOut(): number {
    return this.#answerPath.bytes;
  }
  #status = 0;

  get contentExpected(): boolean {
    return expectsContent(this.upstreamMethod) ||
      this.routing.rule!.bodyMethods.includes(this.upstreamMethod);
  }

  constructor(engine: Engine) {
    this.#engine = engine;
    this.routing = new Routing(engine);
    this.#tries = new Tries(engine);
    this.#attempt = new Attempt(engine);
  }

  /** Says whose request comes next. */
  bind(port: PortRuntime, downstream: Downstream): void {
    this.#port = port;
    this.#downstream = downstream;
    this.routing.port = port;
    this.routing.peer = downstream.peer;
  }

  /** Whether the connection carries another protocol now. */
  get tunnelling(): boolean {
    return this.#phase === Phase.Tunnel;
  }

  /** Starts with a parsed head and the (decoded) body bytes that came with it. */
  start(head: RequestHead, body: Buffer | null, ended: boolean): void {
    this.#begin(head, body, ended);
    const refusal = this.routing.match(this.#downstream.peer.tlsListener);
    if (refusal !== null) {
      this.#refuse(refusal);
      return;
    }
    this.#countFor();
    if (this.#share.shedding) {
      this.#refuse(OVERLOAD);
      return;
    }
    this.#setTimeout(head);
    const verdict = this.#verdict();
    if (verdict instanceof Promise) this.#await(verdict, head, body);
    else if (verdict !== null) this.#refuse(verdict);
    else this.#admitted(head, body);
  }

  /** Whose share of memory and connections the request takes. */
  #countFor(): void {
    const { routing } = this;
    if (!routing.peerTrusted()) return;
    this.#share = routing.share = this.#engine.clients.hold(routing.clientAddress());
    this.#holdsShare = true;
    this.#replay.account = this.#share;
  }

  get turns(): CompressionTurns {
    return this.#engine.compressions;
  }

  get share(): ClientShare {
    return this.#share;
  }

  /** Whether the client, and not a backend, keeps the request from ending. */
  get stalled(): boolean {
    if (this.#phase === Phase.Tunnel) return true;
    if (this.#phase === Phase.Sent) return !this.#requestEnded;
    return this.#phase === Phase.Answering && this.#blocked;
  }

  /** Ends the request because others have waited too long for what its client holds. */
  evict(): void {
    if (this.#phase !== Phase.Answering && this.#phase !== Phase.Tunnel) {
      this.fail(503, "overload");
      return;
    }
    this.#leaveUpstream();
    if (this.#cut()) this.#finish(this.#status, "overload");
  }

  /** What policies and injected faults say. */
  #verdict(): Verdict {
    const { routing } = this;
    const chain = routing.chain();
    const verdict = chain === null ? null : chain.check(routing);
    const { fault } = routing.rule!;
    if (fault === null) return verdict;
    const faulty = () => inject(fault, routing, this.#engine);
    if (verdict instanceof Promise) return verdict.then((refused) => refused ?? faulty());
    return verdict ?? faulty();
  }

  /** Somebody else decides; meanwhile nothing of the request may be lost. */
  #await(verdict: Promise<Refusal | null>, head: RequestHead, body: Buffer | null): void {
    this.#phase = Phase.Authorizing;
    const kept = copyHead(head);
    this.routing.keep(kept);
    this.#replay.begin(body, true);
    this.#replay.keep();
    this.#arm();
    if (!this.#requestEnded) this.#downstream.pauseRequest();
    const generation = this.#generation;
    const settle = (refused: Refusal | null) => {
      if (generation !== this.#generation) return;
      turn.open++;
      contained(this, () => {
        if (refused !== null) this.#refuse(refused);
        else this.#admitted(kept, null);
      });
      turn.open--;
    };
    waitsFor(verdict).then(settle, () => settle(POLICY_FAILED));
  }

  /** The request met its policies. */
  #admitted(head: RequestHead, body: Buffer | null): void {
    const { routing } = this;
    const refusal = routing.choose();
    if (refusal !== null) {
      this.#refuse(refusal);
      return;
    }
    if (!this.#attempt.begin(routing.backend!)) {
      this.#refuse(REQUESTS_OVERFLOW);
      return;
    }
    const { compression } = routing.decision.listener!.settings;
    if (compression !== null && !this.#grpc) {
      const coding = chooseCoding(routing.header("accept-encoding"), compression.codings);
      this.#answerPath.compressWith(compression, coding);
    }
    this.#maxBody = routing.maxBody;
    if (head.upgrade !== "" && this.#allowsUpgrade(head.upgrade)) this.upgrade = head.upgrade;
    else if (head.upgrade !== "" && this.#http2) {
      // Its content would be bytes of a protocol that nobody agreed to speak.
      this.fail(501, "connect_unsupported");
      return;
    }
    this.#tries.follow(routing.rule!.retry ?? routing.backend!.retry);
    this.#write(head);
    const rule = routing.rule!;
    this.idleTimeout = rule.idleTimeout || routing.idleTimeout;
    // A time that was given, and none at all, stand instead of the standard; one that a client asks for in bounds.
    const asked = Math.min(Math.max(LIMIT.responseHead, this.#askedTime), LIMIT.askedTime);
    this.responseTimeout = this.idleTimeout || (rule.timed ? Infinity : asked);
    this.#mirrors = mirrors(rule) && this.upgrade === "";
    // While the head can be read.
    if (this.#mirrors) this.#mirrorKeys = mirrorKeys(this.#engine, rule, routing);
    const copied = this.#requestEnded ? this.#copied(body) : null;
    this.#answerPath.takeAhead(rule.answerBuffer);
    if (rule.requestBuffer > 0 && !this.#requestEnded && this.upgrade === "") {
      this.#collect(body);
      return;
    }
    this.#acquire(body, false);
    // Behind the request itself, which the copy must not delay and which may be over by now.
    if (copied !== null) mirror(this.#engine, rule, copied);
  }

  /** The complete request for those who get copies of it; null when nobody does, or it was too large. */
  #copied(body: Buffer | null): MirroredRequest | null {
    if (!this.#mirrors || !this.#replay.complete) return null;
    const { peer } = this.#downstream;
    return {
      method: this.upstreamMethod,
      head: this.#head!,
      share: this.#share,
      body: body === null ? this.#replay.whole() : Buffer.from(body),
      unsized: this.#unsized,
      hashKeys: this.#mirrorKeys,
      source: peer,
      destination: peer.destination(),
    };
  }

  /** More of the request body, or of a tunnel's bytes; the exchange may ask to pause. */
  requestBody(body: Buffer | null, ended: boolean): void {
    this.#requestEnded = ended;
    if (body !== null) this.bytesIn += body.length;
    if (this.#phase === Phase.Buffering) {
      this.#collected(body, ended);
      return;
    }
    if (this.#upstream === null) return;
    const tunnel = this.#phase === Phase.Tunnel;
    if (!tunnel) {
      if (this.#maxBody > 0 && this.bytesIn > this.#maxBody) {
        this.#bodyTooLarge();
        return;
      }
      this.#replay.add(body);
    }
    const generation = this.#generation;
    const { rule } = this.routing;
    const copied = ended && !tunnel ? this.#copied(null) : null;
    const flowing = this.#upstream.sendBody(body, ended);
    if (copied !== null) mirror(this.#engine, rule!, copied);
    if (generation !== this.#generation) return;
    if (tunnel && ended) this.#tunnelEnded();
    else if (!flowing && !ended) this.#downstream.pauseRequest();
  }

  /** Keeps the body until all of it has come. */
  #collect(body: Buffer | null): void {
    this.#phase = Phase.Buffering;
    this.#replay.begin(body, true);
    this.#replay.keep();
    this.#arm();
    this.#downstream.resumeRequest();
  }

  #collected(body: Buffer | null, ended: boolean): void {
    const rule = this.routing.rule!;
    if (this.#maxBody > 0 && this.bytesIn > this.#maxBody) this.#bodyTooLarge();
    else if (this.bytesIn > rule.requestBuffer) this.fail(413, "body_too_large");
    else if (!this.#replay.collect(body)) this.fail(503, "overload");
    else if (ended) {
      const copied = this.#copied(null);
      this.#acquire(null, false);
      if (copied !== null) mirror(this.#engine, rule, copied);
    }
  }

  /** The request ends, with trailer lines. */
  requestTrailers(lines: Buffer): void {
    if (this.#phase === Phase.Tunnel) {
      // Another protocol has no trailers.
      this.requestBody(null, true);
      return;
    }
    this.#requestEnded = true;
    const { requestEdit } = this.routing;
    // What policies say of a client it does not say itself behind its content.
    const kept = requestEdit === null ? lines : editTrailers(lines, requestEdit);
    if (this.#upstream === null) {
      this.#trailers = kept;
      if (this.#phase === Phase.Buffering) this.#acquire(null, false);
      return;
    }
    this.#replay.give();
    this.#upstream.sendTrailers(kept);
  }

  /** Answers without, or instead of, a backend. */
  fail(status: number, reason: Reason): void {
    this.#leaveUpstream();
    this.#answer(refusalAnswer(status, reason), status, reason);
  }

  /** The client's connection or stream is gone or unusable: the backend is told at once. */
  abort(reason: Reason): void {
    if (this.#phase === Phase.Idle) return;
    const answered = this.#phase === Phase.Answering || this.#phase === Phase.Tunnel;
    if (this.#phase === Phase.Sent) this.#attempt.abandoned();
    this.#leaveUpstream();
    this.#finish(answered ? this.#status : CLIENT_GONE, reason);
  }

  /** Counts a request whose head was refused before it could be routed. */
  refused(status: number, reason: Reason, bytesOut: number): void {
    this.startedAt = this.#engine.clock.now();
    this.routing.beginRefused();
    this.client = this.#downstream.peer.label;
    this.requestId = "";
    this.trace = null;
    this.detail = "";
    this.protocol =
      this.userAgent =
      this.referer =
      this.tlsVersion =
        "";
    this.upstreamTime = -1;
    this.bytesIn = 0;
    this.#answerPath.bytes = bytesOut;
    record(this.#engine, this.#port, this, status, reason);
    this.#release(true);
  }

  /** The client takes bytes again. */
  downstreamDrained(): void {
    this.#blocked = false;
    if (!this.#answerPath.drained()) this.#upstream?.resume();
  }

  onStream(stream: UpstreamStream): void {
    this.#upstream = stream;
    this.#phase = Phase.Sent;
    this.#triedAt = this.#engine.clock.now();
    const { ticker } = this.#engine;
    this.#deadlines.beginTry(ticker.now, this.routing.rule!.backendTimeout, this.#tries.timeout);
    this.#arm();
    const flowing = stream.send(
      this.#head!,
      this.#replay.take(),
      this.#unsized,
      this.#requestEnded && this.#trailers === null,
    );
    if (this.#trailers !== null && this.#upstream === stream) {
      this.#replay.give();
      stream.sendTrailers(this.#trailers);
      this.#trailers = null;
    }
    if (this.#requestEnded || this.upgrade !== "" || this.#upstream !== stream) return;
    if (flowing) this.#downstream.resumeRequest();
    else this.#downstream.pauseRequest();
  }

  proxySource(): ProxyEndpoint {
    return this.#downstream.peer;
  }

  proxyDestination(): ProxyEndpoint {
    return this.#downstream.peer.destination();
  }

  onInterim(head: ResponseHead): void {
    this.#downstream.sendInterim(head);
  }

  onResponse(head: ResponseHead, body: Buffer | null, ended: boolean, more: boolean): void {
    // Of a complete answer the connection is the pool's again, and may serve somebody else already.
    if (ended) this.#upstream = null;
    if (this.upgrade !== "" && this.#http2 && head.status < 300) {
      // To a client of extended CONNECT a success would mean that the tunnel is open.
      this.detail = "a success instead of 101";
      this.fail(502, "upstream_protocol");
      return;
    }
    this.detail = "";
    this.upstreamTime = this.#engine.clock.now() - this.#triedAt;
    this.#attempt.ended(resultOf(head.status));
    const again = this.#tries.afterStatus(head.status, this.#tried());
    const endpoint = again === null ? null : this.#attempt.another(again, this.routing);
    if (endpoint !== null) {
      this.#leaveUpstream();
      this.#sendTo(endpoint, again!);
      return;
    }
    if (this.#intercepted(head.status)) return;
    this.routing.tie();
    const { answerEdits } = this.routing;
    const own = this.routing.ref!.edits.response;
    // The route's changes are made before those of its policies.
    if (own !== null) answerEdits.unshift(own);
    // What the backend did not say is changed by the route like what it said.
    if (!head.block.has(FieldId.Date)) answerEdits.unshift(dateEdit(this.#now()));
    if (answerEdits.length > 0) editResponse(head, answerEdits);
    this.#phase = Phase.Answering;
    this.#deadlines.answerBegan();
    this.deadline = this.#deadlines.next;
    this.#status = head.status;
    this.#replay.give();
    const generation = this.#generation;
    const flowing = this.#answerPath.head(head, body, ended, more);
    if (generation !== this.#generation) return;
    if (ended && !this.#answerPath.pending) this.#finish(this.#status, "ok");
    else if (!flowing) this.#block();
  }

  /** Milliseconds since 1970. */
  #now(): number {
    return this.#engine.timeOrigin + performance.now();
  }

  /** Whether a page stands for the backend's answer. */
  #intercepted(status: number): boolean {
    const page = this.routing.decision.listener!.settings.errorPages?.get(status);
    if (page === undefined || !page.intercept || this.#grpc) return false;
    this.fail(status, "ok");
    return true;
  }

  onAnswerEnd(): void {
    this.#finish(this.#status, "ok");
  }

  onAnswerDrain(): void {
    this.#blocked = false;
    this.#upstream?.resume();
  }

  onAnswerError(): void {
    this.#leaveUpstream();
    if (this.#cut()) this.#finish(this.#status, "compression_failed");
  }

  onResponseBody(body: Buffer | null, ended: boolean, more: boolean): void {
    const tunnel = this.#phase === Phase.Tunnel;
    if (ended && !tunnel) this.#upstream = null;
    const generation = this.#generation;
    const flowing = this.#answerPath.body(body, ended, more);
    if (generation !== this.#generation) return;
    if (tunnel) {
      if (ended) this.#tunnelEnded();
      else if (!flowing) this.#block();
    } else if (ended && !this.#answerPath.pending) this.#finish(this.#status, "ok");
    else if (!flowing) this.#block();
  }

  /** Reading from the backend is paused until the client has taken the bytes queued for it. */
  #block(): void {
    this.#blocked = true;
    this.#upstream?.pause();
  }

  onResponseTrailers(lines: Buffer): void {
    this.#upstream = null;
    const generation = this.#generation;
    this.#answerPath.trailers(lines);
    if (generation === this.#generation && !this.#answerPath.pending) {
      this.#finish(this.#status, "ok");
    }
  }

  onUpgraded(head: ResponseHead, rest: Buffer | null): void {
    if (this.webSocketKey !== "" && !acceptsWebSocket(head, this.webSocketKey)) {
      this.detail = "Sec-WebSocket-Accept does not fit the key";
      this.fail(502, "upstream_protocol");
      return;
    }
    const { answerEdits } = this.routing;
    if (answerEdits.length > 0) editResponse(head, answerEdits);
    this.#phase = Phase.Tunnel;
    this.#status = head.status;
    this.deadline = Infinity;
    if (rest !== null) this.#answerPath.bytes += rest.length;
    const generation = this.#generation;
    const flowing = this.#downstream.sendUpgrade(head, rest);
    if (generation !== this.#generation) return;
    if (!flowing) this.#block();
    if (this.#http2 && this.#requestEnded) {
      this.#upstream?.sendBody(null, true);
      this.#tunnelEnded();
    } else this.#downstream.resumeRequest();
  }

  onUpstreamDrain(): void {
    if (!this.#requestEnded) this.#downstream.resumeRequest();
  }

  onUpstreamFailure(failure: UpstreamFailure, answered: boolean, detail: string): void {
    this.detail = detail;
    const stream = this.#upstream;
    this.#upstream = null;
    if (this.#phase === Phase.Answering || this.#phase === Phase.Tunnel) {
      if (!this.#cut()) return;
      if (this.#phase === Phase.Answering) this.#attempt.ended("gateway");
      this.#finish(this.#status, this.#phase === Phase.Tunnel ? "tunnel_ended" : failure);
      return;
    }
    if (failure !== "pending_timeout") this.#attempt.ended("gateway");
    const again = this.#tries.afterFailure(failure, stream, answered, this.#tried());
    if (again !== null && this.#tryAgain(again)) return;
    this.fail(FAILURE_STATUS[failure], failure);
  }

  #tried(): TriedRequest {
    const { complete } = this.#replay;
    return { method: this.routing.method, hasBody: this.#hasBody, complete };
  }

  /** Sends the request once more; false when there is nobody to send it to. */
  #tryAgain(again: NextTry): boolean {
    const endpoint = this.#attempt.another(again, this.routing);
    if (endpoint !== null) this.#sendTo(endpoint, again);
    return endpoint !== null;
  }

  /** Sends the request once more, now or after a pause. */
  #sendTo(endpoint: EndpointRuntime, { wait, fresh }: NextTry): void {
    this.#attempt.leave();
    this.routing.endpoint = endpoint;
    this.#deadlines.stopWaiting();
    if (wait === 0) {
      this.#acquire(null, fresh);
      return;
    }
    this.#phase = Phase.Pausing;
    this.#arm();
    if (!this.#requestEnded) this.#downstream.pauseRequest();
    const generation = this.#generation;
    this.#engine.later(wait, () => {
      if (generation !== this.#generation) return;
      contained(this, () => this.#acquire(null, fresh));
    });
  }

  /** The client's connection ends, and with it this. */
  onFault(): void {
    this.#downstream.onFault();
  }

  onDeadline(): void {
    if (this.#phase === Phase.Idle) return;
    if (this.#phase === Phase.Acquiring && this.#deadlines.waitEndsFirst) {
      this.fail(503, "pending_timeout");
    } else if (this.#phase === Phase.Sent && this.#deadlines.tryEndsFirst) {
      this.#tryTimedOut();
    } else if (this.#phase === Phase.Answering) {
      const { reason } = this.#deadlines;
      this.#leaveUpstream();
      const generation = this.#generation;
      // A gRPC client is told in its own way; to others only a cut says that the answer is not complete.
      if (this.#grpc) this.#downstream.sendTrailers(GRPC_DEADLINE);
      else this.#downstream.cut();
      if (generation !== this.#generation) return;
      this.#finish(this.#status, reason);
    } else {
      if (this.#phase === Phase.Sent) this.#attempt.ended("gateway");
      this.fail(504, this.#deadlines.reason);
    }
  }

  /** The backend had its time; another may have more. */
  #tryTimedOut(): void {
    const again = this.#tries.afterTimeout(this.#tried());
    this.#attempt.ended("gateway");
    this.#leaveUpstream();
    if (again === null || !this.#tryAgain(again)) this.fail(504, "backend_timeout");
  }

  #begin(head: RequestHead, body: Buffer | null, ended: boolean): void {
    this.startedAt = this.#engine.clock.now();
    this.#phase = Phase.Acquiring;
    this.#upstream = null;
    this.#tries.begin();
    this.#status = 0;
    this.#http2 = head.version === Version.Http2;
    this.#grpc = head.grpc && this.#http2;
    this.upgrade = "";
    this.webSocketKey = "";
    this.detail = "";
    this.trace = null;
    this.#unsized = head.framing.unsized;
    this.#requestEnded = ended;
    this.#hasBody = head.hasBody;
    this.bytesIn = body === null ? 0 : body.length;
    this.#share = this.#replay.account = this.routing.share = this.#downstream.peer.share;
    this.#blocked = false;
    this.#answerPath.begin(this.#downstream);
    this.#tunnelEnds = 0;
    this.#deadlines.begin();
    this.#replay.clear();
    this.#trailers = null;
    this.client = this.#downstream.peer.label;
    this.upstreamTime = -1;
    if (this.#engine.accessLog.enabled) {
      this.protocol = protocolName(head.version);
      this.userAgent = userAgentOf(head);
      this.referer = refererOf(head);
      this.tlsVersion = this.#downstream.peer.tlsVersion;
    }
    this.requestId = head.requestIdIndex >= 0
      ? head.block.value(head.requestIdIndex)
      : nextRequestId(this.#engine.requestIdPrefix);
    this.routing.begin(head);
  }

  #allowsUpgrade(token: string): boolean {
    return token === WEBSOCKET || this.routing.rule!.upgrades.includes(token);
  }

  #setTimeout(head: RequestHead): void {
    const asked = this.#grpc ? grpcTimeout(head) : 0;
    this.#askedTime = asked;
    const { requestTimeout } = this.routing.rule!;
    this.#deadlines.limitRequest(this.#engine.ticker.now, requestTimeout, asked);
  }

  #write(head: RequestHead): void {
    this.upstreamMethod = this.routing.method;
    if (this.upgrade === WEBSOCKET && this.#http2) this.webSocketKey = webSocketKey();
    this.#head = forwardHead(head, this.#downstream.peer, this);
    const { tracing } = this.routing.decision.listener!.settings;
    if (this.#engine.spans !== null && tracing !== null) this.#trace(tracing);
    const edit = joinEdits(this.routing.requestEdit, this.routing.ref!.edits.request);
    if (edit !== null) this.#head = editHead(this.#head, edit);
  }

  /** Gives the request its place in a trace, of which the backend hears. */
  #trace(percent: number): void {
    const { routing } = this;
    const trace = traceOf(routing.header("traceparent"), percent, this.#engine.random);
    this.trace = trace;
    routing.changeRequest(makeEdit(TRACEPARENT, ascii(`traceparent: ${traceparent(trace)}\r\n`)));
  }

  /** @param body first bytes of the body, null when `#replay` has them */
  #acquire(body: Buffer | null, fresh: boolean): void {
    this.#phase = Phase.Acquiring;
    if (!this.#requestEnded) this.#downstream.pauseRequest();
    this.#replay.begin(
      body,
      this.routing.backend!.multiplexes || this.#tries.keepsBody || this.#mirrors,
    );
    const endpoint = this.routing.endpoint!;
    this.#attempt.start(endpoint);
    const generation = this.#generation;
    const tries = this.#tries.count;
    const acquired = endpoint.pool.acquire(this, fresh);
    // A failure that is known at once has ended the request by now, or sent it elsewhere.
    if (generation !== this.#generation || tries !== this.#tries.count) return;
    if (acquired === "given") return;
    if (acquired === "full") {
      this.fail(503, "pending_overflow");
      return;
    }
    this.#replay.keep();
    const opening = acquired === "queued" ? 0 : endpoint.pool.connectTimeout;
    this.#deadlines.wait(this.#engine.ticker.now, opening);
    this.#arm();
  }

  /** Waits for the next of the deadlines. */
  #arm(): void {
    this.deadline = this.#deadlines.next;
    if (this.deadline !== Infinity && this.tickerSlot < 0) this.#engine.ticker.add(this);
  }

  #refuse({ answer, status, reason }: Refusal): void {
    this.#answer(answer, status, reason);
  }

  #answer(answer: LocalAnswer, status: number, reason: Reason): void {
    const generation = this.#generation;
    const form = localForm(answer, reason, this.routing, this.#grpc);
    const bytes = this.#downstream.sendLocal(form);
    if (generation !== this.#generation) return;
    this.#answerPath.bytes += bytes;
    this.#finish(status, reason);
  }

  /** More came than the listener takes: the client learns it as long as no answer has begun. */
  #bodyTooLarge(): void {
    if (this.#phase !== Phase.Answering) {
      this.fail(413, "body_too_large");
      return;
    }
    this.#leaveUpstream();
    if (this.#cut(true)) this.#finish(this.#status, "body_too_large");
  }

  /** Ends the answer before its end; false when that ended the request too (the client's connection with it). */
  #cut(byClient = false): boolean {
    const generation = this.#generation;
    this.#downstream.cut(byClient);
    return generation === this.#generation;
  }

  /** One direction of a tunnel has ended; with the second it is over. */
  #tunnelEnded(): void {
    if (++this.#tunnelEnds < 2) return;
    this.#leaveUpstream();
    this.#finish(this.#status, "ok");
  }

  #leaveUpstream(): void {
    if (this.#upstream !== null) this.#upstream.abandon();
    else if (this.#phase === Phase.Acquiring) this.routing.endpoint?.pool.cancel(this);
    this.#upstream = null;
  }

  #finish(status: number, reason: Reason): void {
    // Policies that still ask somebody would change what the next request says and is.
    const asked = this.#phase === Phase.Authorizing;
    this.#attempt.end();
    this.#generation++;
    this.#phase = Phase.Idle;
    this.#head = null;
    this.#replay.clear();
    this.deadline = Infinity;
    if (this.tickerSlot >= 0) this.#engine.ticker.remove(this);
    record(this.#engine, this.#port, this, status, reason);
    this.#answerPath.end();
    if (this.#holdsShare) this.#share.leave();
    this.#holdsShare = false;
    const downstream = this.#downstream;
    // Nothing of this object is used from here on: it may serve another client before this returns.
    this.#release(!asked);
    downstream.exchangeDone();
  }

  /** Waits for the next request, if it may, without keeping the connection of this one and its buffers. */
  #release(reusable: boolean): void {
    this.#downstream = UNBOUND;
    this.routing.peer = null;
    if (reusable) this.#engine.exchanges.give(this);
  }
}
