import { ClientShares } from "../../dataplane/loop/client_shares.ts";
import { Overload } from "../../dataplane/loop/overload.ts";
import { UpstreamGuard } from "../../dataplane/net/upstream_guard.ts";
import type { FieldEdit } from "../../dataplane/message/field_edit.ts";
import { latin1 } from "../../dataplane/message/bytes.ts";
import { countersOf, countersSize } from "../../dataplane/observe/counters.ts";
import type { Refusal } from "../../dataplane/observe/refusal.ts";
import { Ticker } from "../../dataplane/loop/ticker.ts";
import { BucketTable, bucketTableSize } from "../../dataplane/policy/bucket_table.ts";
import type {
  Claims,
  PolicyRequest,
  RequestOrigin,
  Verdict,
} from "../../dataplane/policy/policy.ts";
import type { PolicyContext } from "../../dataplane/policy/policy_context.ts";

/** A request that policies can be shown. */
export class TestRequest implements PolicyRequest {
  method = "GET";
  path = "/";
  query = "";
  host = "shop.example.com";
  scheme: "http" | "https" = "http";
  contentLength = 0;
  claims: Claims | null = null;
  client = "192.0.2.1";
  peer = "192.0.2.1";
  trusted = false;
  bodyLimit = 0;
  idleLimit = 0;
  share = new ClientShares(new Overload()).hold("192.0.2.1");
  readonly requestEdits: FieldEdit[] = [];
  readonly answerEdits: FieldEdit[] = [];
  readonly #headers: Readonly<Record<string, string>>;

  constructor(
    headers: Readonly<Record<string, string>> = {},
    changes: Partial<TestRequest> = {},
  ) {
    this.#headers = headers;
    Object.assign(this, changes);
  }

  dropParameter(name: string): void {
    this.query = this.query.split("&").filter((pair) => pair.split("=", 1)[0] !== name).join("&");
  }

  target(): string {
    return this.query === "" ? this.path : `${this.path}?${this.query}`;
  }

  header(name: string): string | null {
    return this.#headers[name] ?? null;
  }

  fields(): Iterable<readonly [string, string]> {
    return Object.entries(this.#headers);
  }

  clientAddress(): string {
    return this.client;
  }

  origin(): RequestOrigin {
    const { client, scheme, host } = this;
    const port = scheme === "https" ? 443 : 80;
    return { client, scheme, host, port, listenerPort: port };
  }

  peerAddress(): string {
    return this.peer;
  }

  peerTrusted(): boolean {
    return this.trusted;
  }

  changeRequest(edit: FieldEdit): void {
    this.requestEdits.push(edit);
  }

  changeAnswer(edit: FieldEdit): void {
    this.answerEdits.push(edit);
  }

  limitIdle(milliseconds: number): void {
    this.idleLimit = milliseconds;
  }

  limitBody(bytes: number): void {
    this.bodyLimit = bytes;
  }

  /** Lines that policies added to the answer. */
  get answerLines(): string[] {
    return linesOf(this.answerEdits);
  }

  get requestLines(): string[] {
    return linesOf(this.requestEdits);
  }
}

function linesOf(edits: readonly FieldEdit[]): string[] {
  return edits.flatMap(({ lines }) => latin1(lines).split("\r\n").filter((line) => line !== ""));
}

/** "pass", or status and reason. */
export async function verdictOf(verdict: Verdict): Promise<string> {
  const refused: Refusal | null = await verdict;
  return refused === null ? "pass" : `${refused.status} ${refused.reason}`;
}

/** A context of one worker whose clocks the test moves. */
export interface TestContext extends PolicyContext {
  time: number;
}

/** @param changes what the test does itself */
export function policyContext(changes: Partial<PolicyContext> = {}, keys = 1024): TestContext {
  const context: TestContext = {
    time: 1_000,
    ticker: new Ticker(),
    counters: countersOf(new SharedArrayBuffer(countersSize(1)), 0),
    buckets: new BucketTable(new SharedArrayBuffer(bucketTableSize(keys)), 1, keys),
    now: () => context.time,
    wallClock: () => Date.UTC(2030, 0, 1) + context.time,
    backends: new Map(),
    guard: new UpstreamGuard({ blocked: [], allowed: [] }),
    numberOf: () => 1,
    followKeys: () => ({ refresh: () => Promise.resolve(), close() {} }),
    checkPassword: () => Promise.resolve(null),
    ...changes,
  };
  return context;
}
