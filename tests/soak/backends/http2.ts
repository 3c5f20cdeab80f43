import type { Buffer } from "node:buffer";
import net from "node:net";
import { ErrorCode } from "../../../dataplane/http2/frame.ts";
import { PREFACE } from "../../../dataplane/http2/preface.ts";
import { ContentCheck, uploadId } from "../content.ts";
import { pause, pick, roll } from "../dice.ts";
import { Http2Peer, windowSettings } from "../http2_peer.ts";
import type { Ledger } from "../ledger.ts";
import { type Orders, ordersOf } from "../plan.ts";

const WINDOWS = [16_384, 65_535, 1 << 20];
/** Most milliseconds before a slow answer. */
const SLOW = 1_500;

/** A backend of HTTP/2 in the clear that does with each request what its target says. */
export function http2Backend(ledger: Ledger): Promise<net.Server> {
  const refused = new Set<number>();
  const server = net.createServer(
    { noDelay: true },
    (socket) => void new Connection(socket, ledger, refused),
  );
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
}

interface Request {
  readonly orders: Orders;
  readonly check: ContentCheck;
  answering: boolean;
}

class Connection extends Http2Peer {
  readonly #ledger: Ledger;
  /** Ids refused once: the second time they are served. */
  readonly #refused: Set<number>;
  readonly #requests = new Map<number, Request>();

  constructor(socket: net.Socket, ledger: Ledger, refused: Set<number>) {
    super(socket, PREFACE.length, windowSettings(pick(WINDOWS)));
    this.#ledger = ledger;
    this.#refused = refused;
  }

  protected override onFields(stream: number, fields: Map<string, string>, ended: boolean): void {
    const orders = ordersOf(fields.get(":path")!);
    const { id, fault } = orders;
    if (fault === "refuse" && !this.#refused.has(id)) {
      this.#refused.add(id);
      this.sendReset(stream, ErrorCode.RefusedStream);
      return;
    }
    if (fields.get(":method") === "POST") this.#ledger.processed(id);
    const request = { orders, check: new ContentCheck(uploadId(id)), answering: false };
    this.#requests.set(stream, request);
    if (fault === "reset-before") this.#reset(stream);
    else if (fault === "early") this.#answer(stream, request);
    if (ended) this.#complete(stream);
  }

  protected override onContent(stream: number, view: Buffer, ended: boolean): void {
    const request = this.#requests.get(stream);
    if (request === undefined) return;
    const { orders: { fault, at }, check } = request;
    check.take(view);
    if (fault === "reset-in-request" && check.length >= at) this.#reset(stream);
    else if (ended) this.#complete(stream);
  }

  #complete(stream: number): void {
    const request = this.#requests.get(stream);
    if (request === undefined) return;
    const { orders: { id, fault }, check } = request;
    if (!check.right) this.#ledger.violate(`upload ${id} is complete with other content`);
    if (fault === "reset-in-request") this.#reset(stream);
    else if (fault === "slow") {
      void pause(roll(0, SLOW)).then(() => this.#answer(stream, request));
    } else this.#answer(stream, request);
  }

  #answer(stream: number, request: Request): void {
    if (request.answering || this.#requests.get(stream) !== request) return;
    request.answering = true;
    const { id, size, framing, fault, at } = request.orders;
    const cuts = fault === "reset-in-body";
    this.sendFields(stream, [
      [":status", "200"],
      ["x-soak-id", `${id}`],
      ...(framing === "length" ? [["content-length", `${size}`] as const] : []),
    ], false);
    this.sendContent(stream, {
      id,
      length: cuts ? at : size,
      open: cuts,
      onSent: () => {
        if (cuts) this.#reset(stream);
        else this.#requests.delete(stream);
      },
    });
  }

  #reset(stream: number): void {
    this.#requests.delete(stream);
    this.sendReset(stream, ErrorCode.InternalError);
  }

  protected override onReset(stream: number): void {
    this.#requests.delete(stream);
  }

  protected override onGoAway(): void {}

  protected override onOver(): void {
    this.#requests.clear();
  }
}
