import { Buffer } from "node:buffer";
import { contentOf, uploadId } from "../content.ts";
import { roll } from "../dice.ts";
import { drained } from "../drained.ts";
import type { Link, Links } from "../links.ts";
import { type Plan, targetOf } from "../plan.ts";
import { Result } from "../result.ts";
import { AnswerReader } from "./answer_reader.ts";
import { dial, type Dialled, resetConnection } from "./dial.ts";

/** Largest piece in which content is written. */
const PIECE = 32_768;

/** A client's connection of HTTP/1.1: one request after the other, as planned. */
export class Http1Connection {
  /** Whether another request may be sent. */
  reusable = true;
  /** What was wrong with the bytes that came. */
  malformed = "";
  readonly #dialled: Dialled;
  readonly #links: Links;
  readonly #link: Link;
  readonly #reader: AnswerReader;
  #result: Result | null = null;
  #plan: Plan | null = null;
  #finish: () => void = () => {};
  #closed = false;

  private constructor(dialled: Dialled, links: Links) {
    this.#dialled = dialled;
    this.#links = links;
    this.#link = links.opened();
    this.#reader = new AnswerReader({
      onHead: (status, fields) => {
        this.#result!.head(status, fields.get("x-soak-id"));
        if (fields.get("connection")?.toLowerCase() === "close") this.reusable = false;
        this.#leaveAt(0);
      },
      onContent: (view) => {
        if (this.#result === null) return;
        this.#result.take(view);
        this.#leaveAt(this.#result.content.length);
      },
      onComplete: () => {
        if (this.#result === null) return;
        this.#result.complete = true;
        this.#finish();
      },
    });
    const { socket } = dialled;
    socket.on("data", (data: Buffer) => this.#receive(data));
    socket.on("end", () => {
      this.#reader.end();
      this.#over();
    });
    socket.on("error", () => this.#over());
    socket.on("close", () => this.#over());
  }

  static async open(port: number, secure: boolean, links: Links): Promise<Http1Connection> {
    return new Http1Connection(await dial(port, secure ? "http/1.1" : null), links);
  }

  /** Sends a request and waits for its answer or the connection's end. */
  async exchange(plan: Plan): Promise<Result> {
    const result = this.#result = new Result(plan.id);
    this.#plan = plan;
    const over = new Promise<void>((resolve) => this.#finish = resolve);
    if (this.#closed) this.#finish();
    let sent = false;
    if (!this.#closed) await Promise.race([this.#send(plan).then(() => sent = true), over]);
    await over;
    this.#result = null;
    if (!result.complete || !sent || plan.abort !== "none") this.reusable = false;
    result.gone = !result.complete;
    result.malformed = this.malformed;
    return result;
  }

  /** Ends the connection, as a client that is done. */
  close(): void {
    this.#over(false);
  }

  /** Whether the edge has ended the connection. */
  get closed(): boolean {
    return this.#closed;
  }

  async #send(plan: Plan): Promise<void> {
    const { method, upload, chunkedUpload, abort } = plan;
    const framing = method === "GET"
      ? ""
      : chunkedUpload
      ? "transfer-encoding: chunked\r\n"
      : `content-length: ${upload}\r\n`;
    const head = Buffer.from(
      `${method} ${targetOf(plan)} HTTP/1.1\r\nhost: soak.example.com\r\n${framing}\r\n`,
      "latin1",
    );
    const cut = abort.endsWith("in-request");
    if (method === "GET" && cut) {
      this.#write(head.subarray(0, roll(1, head.length - 1)));
    } else {
      this.#write(head);
      // A plan that cuts leaves out a byte at least.
      await this.#upload(plan, cut ? plan.abortAt : upload);
      if (chunkedUpload && method === "POST" && !cut) this.#write(Buffer.from("0\r\n\r\n"));
    }
    if (this.#result === null || this.#closed) return;
    if (abort === "reset-in-request") this.#reset();
    else if (abort === "fin-in-request" || abort === "half-close") this.#dialled.socket.end();
  }

  async #upload({ id, chunkedUpload }: Plan, length: number): Promise<void> {
    for (let at = 0; at < length && this.#mayWrite;) {
      const piece = contentOf(uploadId(id), at, Math.min(roll(1, PIECE), length - at));
      at += piece.length;
      if (chunkedUpload) this.#write(Buffer.from(`${piece.length.toString(16)}\r\n`, "latin1"));
      // The noise that pieces are views of stays as it is, so they need not be copied.
      const flowing = this.#write(piece);
      if (chunkedUpload) this.#write(Buffer.from("\r\n"));
      if (!flowing) await drained(this.#dialled.socket);
    }
  }

  /** An answer that is complete ends the upload too. */
  get #mayWrite(): boolean {
    return !this.#closed && this.#result !== null && !this.#result.complete;
  }

  #write(bytes: Buffer): boolean {
    return this.#mayWrite ? this.#dialled.socket.write(bytes) : true;
  }

  #leaveAt(length: number): void {
    const plan = this.#plan!;
    if (this.#closed || length < plan.abortAt) return;
    if (plan.abort === "reset-in-answer") this.#reset();
    else if (plan.abort === "fin-in-answer") this.#over(false);
  }

  #receive(data: Buffer): void {
    if (this.#closed) return;
    try {
      if (this.#result === null) throw new Error("bytes that nobody asked for");
      this.#reader.receive(data);
    } catch (error) {
      this.malformed = (error as Error).message;
      this.#over();
    }
  }

  #reset(): void {
    this.#links.closed(this.#link, false);
    this.#closed = true;
    resetConnection(this.#dialled);
    this.#finish();
  }

  #over(lost = true): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#links.closed(this.#link, lost && this.reusable);
    this.#dialled.socket.destroy();
    this.#finish();
  }
}
