import { Buffer } from "node:buffer";
import net from "node:net";
import { chance, pause, roll } from "../dice.ts";
import { drained } from "../drained.ts";
import { contentOf } from "../content.ts";
import { type Orders, ordersOf } from "../plan.ts";
import type { Ledger } from "../ledger.ts";
import { UploadReader } from "./upload_reader.ts";

/** Largest piece in which an answer's content is written. */
const PIECE = 65_521;
/** Most milliseconds of a pause within a slow answer, and how many there are. */
const SLOW = 400;
const SLOW_PAUSES = 4;

/** A backend of HTTP/1.1 on bare sockets that does with each request what its target says. */
export function http1Backend(ledger: Ledger): Promise<net.Server> {
  const server = net.createServer({ noDelay: true }, (socket) => new Connection(socket, ledger));
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
}

class Connection {
  readonly #socket: net.Socket;
  readonly #ledger: Ledger;
  readonly #reader: UploadReader;
  #orders: Orders | null = null;

  constructor(socket: net.Socket, ledger: Ledger) {
    this.#socket = socket;
    this.#ledger = ledger;
    this.#reader = new UploadReader({
      onHead: (method, target) => this.#onHead(method, target),
      onContent: (length) => this.#onContent(length),
      onComplete: (right) => this.#onComplete(right),
    });
    socket.on("data", (data: Buffer) => {
      if (!socket.destroyed) this.#reader.receive(data);
    });
    socket.on("error", () => {});
  }

  #onHead(method: string, target: string): number {
    const orders = this.#orders = ordersOf(target);
    if (method === "POST") this.#ledger.processed(orders.id);
    if (orders.fault === "reset-before") this.#socket.resetAndDestroy();
    else if (orders.fault === "early") void this.#answer(orders);
    return orders.id;
  }

  #onContent(length: number): void {
    const { fault, at } = this.#orders!;
    if (fault === "reset-in-request" && length >= at) this.#socket.resetAndDestroy();
  }

  #onComplete(right: boolean): void {
    const orders = this.#orders!;
    if (!right) this.#ledger.violate(`upload ${orders.id} is complete with other content`);
    if (orders.fault === "reset-in-request") this.#socket.resetAndDestroy();
    else if (orders.fault !== "early") void this.#answer(orders);
  }

  async #answer({ id, size, framing, fault, at }: Orders): Promise<void> {
    const socket = this.#socket;
    const closes = fault === "close" || framing === "until-close";
    const length = framing === "length"
      ? `content-length: ${size}\r\n`
      : framing === "chunked"
      ? "transfer-encoding: chunked\r\n"
      : "";
    const head = Buffer.from(
      `HTTP/1.1 200 OK\r\nx-soak-id: ${id}\r\n${length}${
        closes ? "connection: close\r\n" : ""
      }\r\n`,
      "latin1",
    );
    if (fault === "reset-in-head") {
      socket.write(head.subarray(0, roll(1, head.length - 1)), () => socket.resetAndDestroy());
      return;
    }
    const cuts = fault === "reset-in-body" || fault === "fin-in-body";
    // Head and content in one write half of the time, for both are usual.
    const first = chance(0.5) ? Math.min(PIECE, cuts ? at : size) : 0;
    socket.write(Buffer.concat([head, this.#piece(id, 0, first, framing)]));
    await this.#content(first, cuts ? at : size, { id, framing, slow: fault === "slow" });
    if (socket.destroyed) return;
    if (fault === "reset-in-body") socket.write("", () => socket.resetAndDestroy());
    else if (fault === "fin-in-body") socket.end();
    else {
      if (framing === "chunked") socket.write("0\r\n\r\n");
      if (closes || fault === "silent-close") socket.end();
    }
  }

  async #content(
    from: number,
    to: number,
    { id, framing, slow }: { id: number; framing: string; slow: boolean },
  ): Promise<void> {
    let nextPause = slow ? from : Infinity;
    for (let at = from; at < to && !this.#socket.destroyed;) {
      const length = Math.min(to - at, PIECE);
      if (at >= nextPause) {
        nextPause += to / SLOW_PAUSES;
        await pause(roll(0, SLOW));
      }
      const flowing = this.#socket.write(this.#piece(id, at, length, framing));
      at += length;
      // Not behind the last piece: the edge has the whole answer then, and the next request may be on its way
      // before what this one ends with.
      if (!flowing && at < to) await drained(this.#socket);
    }
  }

  #piece(id: number, at: number, length: number, framing: string): Buffer {
    const content = contentOf(id, at, length);
    if (framing !== "chunked" || length === 0) return content;
    const size = Buffer.from(`${content.length.toString(16)}\r\n`, "latin1");
    return Buffer.concat([size, content, Buffer.from("\r\n")]);
  }
}
