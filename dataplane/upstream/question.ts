import { Buffer } from "node:buffer";
import { LIMIT } from "../config/defaults.ts";
import { HOP_BY_HOP } from "../message/field_id.ts";
import type { ResponseHead } from "../message/response_head.ts";
import type { ClientShare } from "../loop/client_shares.ts";
import type { Deadlined, Ticker } from "../loop/ticker.ts";
import type { ProxyEndpoint } from "../net/proxy_protocol.ts";
import type { EndpointPool } from "./endpoint_pool.ts";
import type { UpstreamFailure, UpstreamStream, UpstreamUser } from "./upstream_stream.ts";

/** Bytes of an answer's body that are kept; of a longer one the rest is not read. */
const LONGEST_BODY = 65_536;
const NOBODY: ProxyEndpoint = { address: "0.0.0.0", port: 0 };

/** A complete answer. */
export interface Answer {
  readonly status: number;
  /** Names in lower case with their values. */
  readonly fields: readonly (readonly [string, string])[];
  /** A character a byte. */
  readonly body: string;
  /** Whether there was more of it. */
  readonly cut: boolean;
  /** Lines. */
  readonly trailers: string;
}

/** What the gateway itself asks a server. */
export interface Asked {
  /** The client because of whom it is asked, null for none. */
  readonly share: ClientShare | null;
  readonly method: string;
  /** As `UpstreamStream.send` takes it. */
  readonly head: Buffer;
  readonly body: Buffer | null;
  /** Milliseconds until the answer must be complete. */
  readonly timeout: number;
  /** Whether the connection must be a new one. */
  readonly fresh: boolean;
}

/** Why there is no answer. */
export type NoAnswer = UpstreamFailure | "timeout" | "busy" | "upgrade";

/** Asks, and resolves to the complete answer or to why there is none. */
export function ask(pool: EndpointPool, asked: Asked, ticker: Ticker): Promise<Answer | NoAnswer> {
  return new Promise((resolve) => new Question(pool, asked, ticker, resolve).send());
}

class Question implements UpstreamUser, Deadlined {
  deadline: number;
  tickerSlot = -1;
  readonly upstreamMethod: string;
  /** Servers that policies ask read the content of each question. */
  readonly contentExpected = true;
  readonly share: ClientShare | null;
  readonly stalled = false;
  readonly upgrade = "";
  readonly idleTimeout = 0;
  readonly responseTimeout = LIMIT.responseHead;
  readonly #pool: EndpointPool;
  readonly #asked: Asked;
  readonly #ticker: Ticker;
  readonly #resolve: (answer: Answer | NoAnswer) => void;
  #stream: UpstreamStream | null = null;
  #status = 0;
  #fields: [string, string][] = [];
  #body = "";
  #over = false;

  constructor(
    pool: EndpointPool,
    asked: Asked,
    ticker: Ticker,
    resolve: (answer: Answer | NoAnswer) => void,
  ) {
    this.upstreamMethod = asked.method;
    this.share = asked.share;
    this.#pool = pool;
    this.#asked = asked;
    this.#ticker = ticker;
    this.#resolve = resolve;
    this.deadline = ticker.now + asked.timeout;
  }

  send(): void {
    this.#ticker.add(this);
    this.#acquire(this.#asked.fresh);
  }

  proxySource(): ProxyEndpoint {
    return NOBODY;
  }

  proxyDestination(): ProxyEndpoint {
    return NOBODY;
  }

  onStream(stream: UpstreamStream): void {
    this.#stream = stream;
    const { head, body } = this.#asked;
    stream.send(head, body, body !== null, true);
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

  onResponseTrailers(lines: Buffer): void {
    this.#take(null, true, lines.toString("latin1"));
  }

  onUpgraded(): void {
    this.#end("upgrade");
  }

  onUpstreamDrain(): void {}

  /** A kept connection may have been closed a moment ago: a question can be asked twice. */
  onUpstreamFailure(failure: UpstreamFailure, answered: boolean): void {
    const again = this.#stream !== null && this.#stream.reused && !answered && this.#status === 0;
    this.#stream = null;
    if (again) this.#acquire(true);
    else this.#end(failure);
  }

  evict(): void {
    this.#end("busy");
  }

  onFault(): void {
    this.#end("upstream_reset");
  }

  onDeadline(): void {
    this.#end("timeout");
  }

  #acquire(fresh: boolean): void {
    if (this.#pool.acquire(this, fresh) === "full") this.#end("busy");
  }

  #take(body: Buffer | null, ended: boolean, trailers = ""): void {
    if (ended) this.#stream = null;
    if (body !== null) this.#body += body.toString("latin1");
    const cut = this.#body.length > LONGEST_BODY;
    if (!ended && !cut) return;
    const text = cut ? this.#body.slice(0, LONGEST_BODY) : this.#body;
    this.#end({ status: this.#status, fields: this.#fields, body: text, cut, trailers });
  }

  #end(answer: Answer | NoAnswer): void {
    if (this.#over) return;
    this.#over = true;
    this.deadline = Infinity;
    this.#ticker.remove(this);
    if (this.#stream !== null) this.#stream.abandon();
    else if (typeof answer === "string") this.#pool.cancel(this);
    this.#resolve(answer);
  }
}

/** A head in the form that streams take. */
export function questionHead(
  method: string,
  path: string,
  fields: Iterable<readonly [string, string]>,
): Buffer {
  let text = `${method} ${path} HTTP/1.1\r\n`;
  for (const [name, value] of fields) text += `${name}: ${value}\r\n`;
  return Buffer.from(`${text}\r\n`, "latin1");
}
