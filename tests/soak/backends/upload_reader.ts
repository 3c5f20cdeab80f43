import { Buffer } from "node:buffer";
import { ContentCheck, uploadId } from "../content.ts";

const HEAD_END = Buffer.from("\r\n\r\n");
const LINE_END = Buffer.from("\r\n");
const NOTHING = Buffer.alloc(0);

/** What a reader tells of one request. */
export interface UploadSink {
  /** @returns the request's id */
  onHead(method: string, target: string): number;
  /** @param length bytes of content so far */
  onContent(length: number): void;
  /** @param right whether the content is what the id stands for */
  onComplete(right: boolean): void;
}

/** Reads the requests that the edge sends to a backend of HTTP/1.1, and checks their content. */
export class UploadReader {
  #pending: Buffer = NOTHING;
  #check: ContentCheck | null = null;
  #chunked = false;
  /** Bytes until the end of the content or of the chunk, with its line end; 0 before a chunk's size. */
  #left = 0;
  readonly #sink: UploadSink;

  constructor(sink: UploadSink) {
    this.#sink = sink;
  }

  receive(data: Buffer): void {
    let view = this.#pending.length === 0 ? data : Buffer.concat([this.#pending, data]);
    this.#pending = NOTHING;
    while (view.length > 0) {
      const used = this.#check === null ? this.#head(view) : this.#content(view, this.#check);
      if (used === 0) {
        this.#pending = Buffer.from(view);
        return;
      }
      view = view.subarray(used);
    }
  }

  #head(view: Buffer): number {
    const end = view.indexOf(HEAD_END);
    if (end < 0) return 0;
    const head = view.toString("latin1", 0, end);
    const [method, target] = head.split(" ", 2);
    const length = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
    this.#chunked = /\r\ntransfer-encoding: *chunked/i.test(head);
    this.#left = this.#chunked ? 0 : length;
    const check = this.#check = new ContentCheck(uploadId(this.#sink.onHead(method, target)));
    if (!this.#chunked && length === 0) this.#complete(check);
    return end + HEAD_END.length;
  }

  #content(view: Buffer, check: ContentCheck): number {
    if (this.#chunked && this.#left === 0) {
      const end = view.indexOf(LINE_END);
      if (end < 0) return 0;
      const size = parseInt(view.toString("latin1", 0, end), 16);
      if (size > 0) this.#left = size + LINE_END.length;
      else if (view.length < end + HEAD_END.length) return 0;
      else {
        this.#complete(check);
        return end + HEAD_END.length;
      }
      return end + LINE_END.length;
    }
    const length = Math.min(view.length, this.#left);
    const content = this.#chunked ? Math.max(0, this.#left - LINE_END.length) : this.#left;
    check.take(view.subarray(0, Math.min(length, content)));
    this.#left -= length;
    this.#sink.onContent(check.length);
    if (!this.#chunked && this.#left === 0) this.#complete(check);
    return length;
  }

  #complete(check: ContentCheck): void {
    this.#check = null;
    this.#sink.onComplete(check.right);
  }
}
