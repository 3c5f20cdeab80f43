import { Buffer } from "node:buffer";
import { ErrorCode } from "../../../dataplane/http2/frame.ts";
import { PREFACE } from "../../../dataplane/http2/preface.ts";
import { uploadId } from "../content.ts";
import { pick } from "../dice.ts";
import { Http2Peer, windowSettings } from "../http2_peer.ts";
import type { Link, Links } from "../links.ts";
import { type Plan, targetOf } from "../plan.ts";
import { Result } from "../result.ts";
import { dial, type Dialled, resetConnection } from "./dial.ts";

/** Windows of streams: tight ones make the edge wait, wide ones let it run. */
const WINDOWS = [1_000, 16_384, 65_535, 1 << 20];

interface Open {
  readonly plan: Plan;
  readonly result: Result;
  readonly finish: () => void;
}

/** A client's connection of HTTP/2, with as many requests at once as are asked of it. */
export class Http2Connection extends Http2Peer {
  /** Code of the edge's GOAWAY, -1 without. */
  goAway = -1;
  readonly #dialled: Dialled;
  readonly #links: Links;
  readonly #link: Link;
  readonly #secure: boolean;
  readonly #open = new Map<number, Open>();
  #nextStream = 1;
  /** The client itself has ended the connection. */
  #left = false;

  private constructor(dialled: Dialled, secure: boolean, links: Links) {
    super(dialled.socket, 0, Buffer.concat([PREFACE, windowSettings(pick(WINDOWS))]));
    this.#dialled = dialled;
    this.#secure = secure;
    this.#links = links;
    this.#link = links.opened();
  }

  static async open(port: number, secure: boolean, links: Links): Promise<Http2Connection> {
    return new Http2Connection(await dial(port, secure ? "h2" : null), secure, links);
  }

  /** Whether no request may be sent any more. */
  get closed(): boolean {
    return this.over || this.goAway >= 0;
  }

  /** Whether the client itself ended it. */
  get left(): boolean {
    return this.#left;
  }

  /** Sends a request and waits for the end of its stream. */
  async exchange(plan: Plan): Promise<Result> {
    const result = new Result(plan.id);
    const stream = this.#nextStream;
    this.#nextStream += 2;
    const { promise, resolve } = Promise.withResolvers<void>();
    if (this.over) {
      result.gone = true;
      result.left = this.#left;
      return result;
    }
    this.#open.set(stream, { plan, result, finish: resolve });
    this.#request(stream, plan);
    await promise;
    this.#open.delete(stream);
    return result;
  }

  close(): void {
    this.#left = true;
    this.end();
  }

  #request(stream: number, plan: Plan): void {
    const { id, method, upload, chunkedUpload, abort, abortAt } = plan;
    const cut = abort === "stream-reset-in-request";
    // A stream without content ends with its head, if at all; content-length is a matter of taste.
    const ended = method === "GET" && !cut;
    this.sendFields(stream, [
      [":method", method],
      [":scheme", this.#secure ? "https" : "http"],
      [":authority", "soak.example.com"],
      [":path", targetOf(plan)],
      ...(method === "GET" || chunkedUpload ? [] : [["content-length", `${upload}`] as const]),
    ], ended);
    if (ended) return;
    this.sendContent(stream, {
      id: uploadId(id),
      length: cut ? Math.min(abortAt, upload) : upload,
      open: cut,
      onSent: () => {
        if (cut) this.#cancel(stream);
      },
    });
  }

  #cancel(stream: number): void {
    const open = this.#open.get(stream);
    if (open === undefined) return;
    this.#open.delete(stream);
    this.sendReset(stream, ErrorCode.Cancel);
    open.finish();
  }

  #leaveAt(stream: number, { plan, result }: Open): void {
    if (result.content.length < plan.abortAt) return;
    if (plan.abort === "stream-reset-in-answer") this.#cancel(stream);
    else if (plan.abort === "connection-reset") {
      this.#left = true;
      resetConnection(this.#dialled);
      this.end();
    }
  }

  protected override onFields(stream: number, fields: Map<string, string>, ended: boolean): void {
    const open = this.#open.get(stream);
    if (open === undefined) return;
    const status = Number(fields.get(":status") ?? 0);
    if (status >= 200) open.result.head(status, fields.get("x-soak-id"));
    if (ended) this.#complete(stream, open);
    else if (status >= 200) this.#leaveAt(stream, open);
  }

  protected override onContent(stream: number, view: Buffer, ended: boolean): void {
    const open = this.#open.get(stream);
    if (open === undefined) return;
    open.result.take(view);
    if (ended) this.#complete(stream, open);
    else this.#leaveAt(stream, open);
  }

  #complete(stream: number, { result, finish }: Open): void {
    result.complete = true;
    // What was not sent yet is not wanted any more: the edge's reset says so, or nobody asks.
    this.forget(stream);
    finish();
  }

  protected override onReset(stream: number, code: number): void {
    const open = this.#open.get(stream);
    if (open === undefined) return;
    // Behind a whole answer it says only that the rest of the request is not wanted.
    if (!open.result.complete) open.result.reset = code;
    open.finish();
  }

  protected override onGoAway(code: number): void {
    this.goAway = code;
  }

  protected override onOver(): void {
    this.#links.closed(this.#link, !this.#left);
    for (const { result, finish } of this.#open.values()) {
      if (!result.complete) {
        result.gone = true;
        result.left = this.#left;
      }
      finish();
    }
  }
}
