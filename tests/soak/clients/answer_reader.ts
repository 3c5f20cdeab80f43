import { Buffer } from "node:buffer";

const HEAD_END = Buffer.from("\r\n\r\n");
const LINE_END = Buffer.from("\r\n");
const NOTHING = Buffer.alloc(0);

/** What a reader tells of one answer. */
export interface AnswerSink {
  onHead(status: number, fields: ReadonlyMap<string, string>): void;
  onContent(view: Buffer): void;
  onComplete(): void;
}

type State = "head" | "length" | "chunk-size" | "chunk" | "chunk-end" | "trailers" | "until-close";

/** Reads answers of HTTP/1.1 one after the other; independent of the edge's own parser. */
export class AnswerReader {
  #state: State = "head";
  #left = 0;
  #pending: Buffer = NOTHING;
  readonly #sink: AnswerSink;

  constructor(sink: AnswerSink) {
    this.#sink = sink;
  }

  /** Whether bytes have come that belong to no complete answer. */
  get inside(): boolean {
    return this.#state !== "head" || this.#pending.length > 0;
  }

  /** @throws {Error} when the bytes are no answer */
  receive(data: Buffer): void {
    let view = this.#pending.length === 0 ? data : Buffer.concat([this.#pending, data]);
    this.#pending = NOTHING;
    while (view.length > 0) {
      const used = this.#step(view);
      if (used === 0) {
        this.#pending = Buffer.from(view);
        return;
      }
      view = view.subarray(used);
    }
  }

  /** The connection has ended in order. */
  end(): void {
    if (this.#state === "until-close") this.#complete();
  }

  /** Takes a part of the bytes; 0 when more are needed. */
  #step(view: Buffer): number {
    switch (this.#state) {
      case "head":
        return this.#readHead(view);
      case "length":
      case "chunk":
      case "until-close":
        return this.#readContent(view);
      case "chunk-size": {
        const end = view.indexOf(LINE_END);
        if (end < 0) return 0;
        const digits = view.toString("latin1", 0, end);
        if (!/^[0-9a-f]+$/i.test(digits)) throw new Error(`bad chunk size "${digits}"`);
        this.#left = parseInt(digits, 16);
        this.#state = this.#left === 0 ? "trailers" : "chunk";
        return end + LINE_END.length;
      }
      case "chunk-end":
        if (view.length < LINE_END.length) return 0;
        if (!view.subarray(0, LINE_END.length).equals(LINE_END)) throw new Error("bad chunk end");
        this.#state = "chunk-size";
        return LINE_END.length;
      case "trailers": {
        const end = view.indexOf(LINE_END);
        if (end < 0) return 0;
        if (end === 0) this.#complete();
        return end + LINE_END.length;
      }
    }
  }

  #readHead(view: Buffer): number {
    const end = view.indexOf(HEAD_END);
    if (end < 0) return 0;
    const [first, ...lines] = view.toString("latin1", 0, end).split("\r\n");
    const match = /^HTTP\/1\.1 (\d{3}) /.exec(`${first} `);
    if (match === null) throw new Error(`no answer: "${first.slice(0, 80)}"`);
    const status = Number(match[1]);
    const fields = new Map(lines.map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }));
    if (status < 200) return end + HEAD_END.length;
    this.#sink.onHead(status, fields);
    const length = fields.get("content-length");
    if (fields.get("transfer-encoding") === "chunked") this.#state = "chunk-size";
    else if (length === undefined) this.#state = "until-close";
    else {
      this.#left = Number(length);
      this.#state = "length";
      if (this.#left === 0) this.#complete();
    }
    return end + HEAD_END.length;
  }

  #readContent(view: Buffer): number {
    const length = this.#state === "until-close" ? view.length : Math.min(view.length, this.#left);
    this.#left -= length;
    const chunk = this.#state === "chunk";
    if (chunk && this.#left === 0) this.#state = "chunk-end";
    this.#sink.onContent(view.subarray(0, length));
    if (this.#state === "length" && this.#left === 0) this.#complete();
    return length;
  }

  #complete(): void {
    this.#state = "head";
    this.#sink.onComplete();
  }
}
