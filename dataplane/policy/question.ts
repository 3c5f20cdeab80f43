import type { Buffer } from "node:buffer";
import { HOP_BY_HOP } from "../message/field_id.ts";
import type { ResponseHead } from "../message/response_head.ts";
import type { Deadlined, Ticker } from "../loop/ticker.ts";
import type { ProxyEndpoint } from "../net/proxy_protocol.ts";
import type { EndpointRuntime } from "../upstream/backend_runtime.ts";
import type { UpstreamStream, UpstreamUser } from "../upstream/upstream_stream.ts";

/** Bytes of an answer's body that are kept; a longer one is cut. */
const LONGEST_BODY = 65_536;
const NOBODY: ProxyEndpoint = { address: "0.0.0.0", port: 0 };

/** An answer of a server that decides. */
export interface AuthAnswer {
  readonly status: number;
  /** Names in lower case with their values. */
  readonly fields: readonly (readonly [string, string])[];
  /** Latin-1. */
  readonly body: string;
}

/** Sends a request without a body and resolves to its complete answer, or null when none came in time. */
export function ask(
  endpoint: EndpointRuntime,
  head: Buffer,
  timeout: number,
  { ticker }: { readonly ticker: Ticker },
): Promise<AuthAnswer | null> {
  return new Promise((resolve) => new Question(endpoint, head, timeout, ticker, resolve).send());
}

class Question implements UpstreamUser, Deadlined {
  deadline: number;
  tickerSlot = -1;
  readonly upstreamMethod = "GET";
  readonly upgrade = "";
  readonly #endpoint: EndpointRuntime;
  readonly #head: Buffer;
  readonly #ticker: Ticker;
  readonly #resolve: (answer: AuthAnswer | null) => void;
  #stream: UpstreamStream | null = null;
  #status = 0;
  #fields: [string, string][] = [];
  #body = "";
  #over = false;

  constructor(
    endpoint: EndpointRuntime,
    head: Buffer,
    timeout: number,
    ticker: Ticker,
    resolve: (answer: AuthAnswer | null) => void,
  ) {
    this.#endpoint = endpoint;
    this.#head = head;
    this.#ticker = ticker;
    this.#resolve = resolve;
    this.deadline = ticker.now + timeout;
  }

  send(): void {
    this.#ticker.add(this);
    this.#endpoint.load.begin();
    this.#acquire(false);
  }

  proxySource(): ProxyEndpoint {
    return NOBODY;
  }

  proxyDestination(): ProxyEndpoint {
    return NOBODY;
  }

  onStream(stream: UpstreamStream): void {
    this.#stream = stream;
    stream.send(this.#head, null, false, true);
  }

  onInterim(): void {}

  onResponse({ status, block }: ResponseHead, body: Buffer | null, ended: boolean): void {
    this.#status = status;
    for (let i = 0; i < block.count; i++) {
      if (((1 << block.id(i)) & HOP_BY_HOP) !== 0) continue;
      this.#fields.push([block.name(i), block.value(i)]);
    }
    this.#take(body, ended);
  }

  onResponseBody(body: Buffer | null, ended: boolean): void {
    this.#take(body, ended);
  }

  onResponseTrailers(): void {
    this.#take(null, true);
  }

  onUpgraded(): void {
    this.#end(null);
  }

  onUpstreamDrain(): void {}

  /** A kept connection may have been closed a moment ago: a question can be asked twice. */
  onUpstreamFailure(_failure: unknown, answered: boolean): void {
    const again = this.#stream !== null && this.#stream.reused && !answered && this.#status === 0;
    this.#stream = null;
    if (again) this.#acquire(true);
    else this.#end(null);
  }

  onDeadline(): void {
    this.#end(null);
  }

  #acquire(fresh: boolean): void {
    if (this.#endpoint.pool.acquire(this, fresh) === "full") this.#end(null);
  }

  #take(body: Buffer | null, ended: boolean): void {
    if (ended) this.#stream = null;
    if (body !== null) this.#body += body.toString("latin1");
    const { length } = this.#body;
    if (length > LONGEST_BODY) this.#body = this.#body.slice(0, LONGEST_BODY);
    if (!ended && length <= LONGEST_BODY) return;
    this.#end({ status: this.#status, fields: this.#fields, body: this.#body });
  }

  #end(answer: AuthAnswer | null): void {
    if (this.#over) return;
    this.#over = true;
    this.deadline = Infinity;
    this.#ticker.remove(this);
    this.#endpoint.load.leave();
    if (this.#stream !== null) this.#stream.abandon();
    else if (answer === null) this.#endpoint.pool.cancel(this);
    this.#resolve(answer);
  }
}
