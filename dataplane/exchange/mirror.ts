import type { Buffer } from "node:buffer";
import { LIMIT } from "../config/defaults.ts";
import type { ClientShare } from "../loop/client_shares.ts";
import type { Deadlined } from "../loop/ticker.ts";
import { editHead, makeEdit } from "../message/field_edit.ts";
import type { ProxyEndpoint } from "../net/proxy_protocol.ts";
import { GLOBAL } from "../observe/counters.ts";
import type { CompiledRule, RouteRequest } from "../router/compiled.ts";
import { expectsContent } from "../upstream/expects_content.ts";
import type { EndpointRuntime } from "../upstream/endpoint_runtime.ts";
import type { UpstreamStream, UpstreamUser } from "../upstream/upstream_stream.ts";
import type { Engine } from "./engine.ts";

/** A request whose copies are sent, complete. */
export interface MirroredRequest {
  readonly method: string;
  /** The head as it goes to the backend. */
  readonly head: Buffer;
  readonly body: Buffer | null;
  /** The client whose request is copied. */
  readonly share: ClientShare;
  /** The body has no Content-Length. */
  readonly unsized: boolean;
  /** What ties it to an endpoint of each mirror. */
  readonly hashKeys: readonly number[];
  readonly source: ProxyEndpoint;
  readonly destination: ProxyEndpoint;
}

const WITHOUT_CREDENTIALS = makeEdit(
  new Set(["authorization", "proxy-authorization", "cookie"]),
  new Uint8Array(0),
);

/** Whether anybody gets copies of a rule's requests. */
export function mirrors({ filters }: CompiledRule): boolean {
  return filters !== null && filters.mirrors.length > 0;
}

/** What ties a request to an endpoint of each of its rule's mirrors. */
export function mirrorKeys(
  engine: Engine,
  { filters }: CompiledRule,
  request: RouteRequest,
): readonly number[] {
  return filters!.mirrors.map(({ backend }) => engine.backends.get(backend)?.keyOf(request) ?? 0);
}

/** Sends copies of a request where its rule asks for them. Nobody waits for them or reads their answers. */
export function mirror(engine: Engine, { filters }: CompiledRule, request: MirroredRequest): void {
  filters!.mirrors.forEach(({ backend, percent, withoutCredentials }, i) => {
    // Copies are the first to go when memory runs out.
    if (engine.random() * 100 >= percent || engine.overload.shedding) return;
    const endpoint = request.share.admits(sizeOf(request))
      ? engine.backends.get(backend)?.pick(null, request.hashKeys[i]) ?? null
      : null;
    if (endpoint === null) engine.counters[GLOBAL.mirrorFailures]++;
    else {
      const copied = withoutCredentials
        ? { ...request, head: editHead(request.head, WITHOUT_CREDENTIALS) }
        : request;
      new Copy(engine, endpoint, copied).send();
    }
  });
}

/** Bytes that a copy keeps. */
function sizeOf({ head, body }: MirroredRequest): number {
  return head.length + (body === null ? 0 : body.length);
}

/** One copy on its way. */
class Copy implements UpstreamUser, Deadlined {
  deadline: number;
  tickerSlot = -1;
  readonly upstreamMethod: string;
  readonly contentExpected: boolean;
  readonly share: ClientShare;
  readonly stalled = false;
  readonly upgrade = "";
  readonly idleTimeout = 0;
  readonly responseTimeout = LIMIT.responseHead;
  readonly #engine: Engine;
  readonly #endpoint: EndpointRuntime;
  readonly #request: MirroredRequest;
  #stream: UpstreamStream | null = null;
  #over = false;

  constructor(engine: Engine, endpoint: EndpointRuntime, request: MirroredRequest) {
    this.#engine = engine;
    this.#endpoint = endpoint;
    this.#request = request;
    this.upstreamMethod = request.method;
    this.share = request.share;
    this.contentExpected = expectsContent(request.method);
    this.deadline = engine.ticker.now + LIMIT.mirror;
  }

  send(): void {
    const { counters, ticker } = this.#engine;
    counters[GLOBAL.mirrored]++;
    this.share.buffered += sizeOf(this.#request);
    ticker.add(this);
    this.#endpoint.load.begin();
    if (this.#endpoint.pool.acquire(this, false) === "full") this.#end(true);
  }

  proxySource(): ProxyEndpoint {
    return this.#request.source;
  }

  proxyDestination(): ProxyEndpoint {
    return this.#request.destination;
  }

  onStream(stream: UpstreamStream): void {
    const { head, body, unsized } = this.#request;
    this.#stream = stream;
    stream.send(head, body, unsized, true);
  }

  onInterim(): void {}

  onResponse(_head: unknown, _body: Buffer | null, ended: boolean): void {
    if (ended) this.#answered();
  }

  onResponseBody(_body: Buffer | null, ended: boolean): void {
    if (ended) this.#answered();
  }

  onResponseTrailers(): void {
    this.#answered();
  }

  onUpgraded(): void {
    this.#end(true);
  }

  onUpstreamDrain(): void {}

  onUpstreamFailure(): void {
    this.#stream = null;
    this.#end(true);
  }

  evict(): void {
    this.#end(true);
  }

  onFault(): void {
    this.#end(true);
  }

  onDeadline(): void {
    this.#end(true);
  }

  #answered(): void {
    this.#stream = null;
    this.#end(false);
  }

  #end(failed: boolean): void {
    if (this.#over) return;
    this.#over = true;
    this.deadline = Infinity;
    this.#engine.ticker.remove(this);
    this.share.buffered -= sizeOf(this.#request);
    this.#endpoint.load.leave();
    if (failed) this.#engine.counters[GLOBAL.mirrorFailures]++;
    if (this.#stream !== null) this.#stream.abandon();
    else if (failed) this.#endpoint.pool.cancel(this);
  }
}
