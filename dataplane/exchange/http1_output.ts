import { Buffer } from "node:buffer";
import { BODY_END, CHUNK_END, chunkStart, LARGE_CHUNK, writeChunk } from "../http1/write_chunk.ts";
import {
  type AfterResponse,
  COALESCE_LIMIT,
  writeLocal,
  writeResponse,
} from "../http1/write_response.ts";
import type { LocalAnswer } from "../message/local_answer.ts";
import type { ResponseHead } from "../message/response_head.ts";
import type { Connection } from "../net/transport.ts";

/**
 * The bytes that go to one HTTP/1 client: answers in wire form, pieces of one turn joined into one write.
 * Every method that sends returns false when the client must drain first.
 */
export class Http1Output {
  readonly #connection: Connection;
  #chunked = false;
  /** Bytes held back for the next call of the same turn. */
  #held: Buffer | null = null;
  #blocked = false;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** The client does not take bytes at the moment. */
  get blocked(): boolean {
    return this.#blocked;
  }

  drained(): void {
    this.#blocked = false;
  }

  sendInterim(interim: ResponseHead): void {
    this.#connection.write(writeResponse(interim, false, "keep", null));
  }

  /** Sends the 101 of a backend and what came behind it. */
  sendUpgrade(head: ResponseHead, rest: Buffer | null): boolean {
    this.#chunked = false;
    return this.#write(writeResponse(head, false, "upgrade", rest), false);
  }

  /** Sends a backend's head; a body without length becomes chunked where `chunks` allows it. */
  sendHead(
    answer: ResponseHead,
    chunks: boolean,
    after: AfterResponse,
    body: Buffer | null,
    ended: boolean,
    more: boolean,
  ): boolean {
    this.#chunked = chunks && answer.unsized;
    if (this.#chunked && body !== null && body.length > LARGE_CHUNK) {
      this.#held = writeResponse(answer, true, after, null);
      return this.sendBody(body, ended, more);
    }
    const first = this.#chunked && (body !== null || ended) ? writeChunk(body, ended) : body;
    if (first === null || first.length <= COALESCE_LIMIT) {
      return this.#write(writeResponse(answer, this.#chunked, after, first), more);
    }
    this.#held = writeResponse(answer, this.#chunked, after, null);
    return this.#write(first, more);
  }

  sendBody(body: Buffer | null, ended: boolean, more: boolean): boolean {
    if (this.#chunked && (body !== null || ended)) {
      return body !== null && body.length > LARGE_CHUNK
        ? this.#writeAround(body, ended, more)
        : this.#write(writeChunk(body, ended), more);
    }
    return body === null && this.#held === null ? true : this.#write(body, more);
  }

  /** Ends a body with trailers; a body that is not chunked has no place for them. */
  sendTrailers(lines: Buffer): boolean {
    if (!this.#chunked) return this.sendBody(null, true, false);
    return this.#write(writeChunk(null, true, lines), false);
  }

  /**
   * Sends an answer of our own.
   * @param date value of its Date field
   * @returns its bytes
   */
  sendLocal(answer: LocalAnswer, date: string, after: AfterResponse, headOnly: boolean): number {
    const bytes = writeLocal(answer, date, after, headOnly);
    this.#write(bytes, false);
    return bytes.length;
  }

  /** Sends what is held. */
  flush(): void {
    if (this.#held !== null) this.#write(null, false);
  }

  /** Forgets what is held: the answer is cut. */
  discard(): void {
    this.#held = null;
  }

  /** One chunk whose data is not copied: copies of large ones cost collections as well. */
  #writeAround(data: Buffer, ended: boolean, more: boolean): boolean {
    const start = chunkStart(data.length);
    this.#held = this.#held === null ? start : Buffer.concat([this.#held, start]);
    this.#write(data, false);
    return this.#write(ended ? BODY_END : CHUNK_END, more);
  }

  #write(bytes: Buffer | null, more: boolean): boolean {
    let out = bytes;
    if (this.#held !== null) {
      const held = this.#held;
      this.#held = null;
      if (out === null) out = held;
      else if (held.length + out.length <= COALESCE_LIMIT) out = Buffer.concat([held, out]);
      else {
        const flowing = this.#connection.writeBoth(held, out);
        this.#blocked = !flowing;
        return flowing;
      }
    }
    if (out === null) return true;
    if (more && out.length <= COALESCE_LIMIT) {
      this.#held = out;
      return true;
    }
    const flowing = this.#connection.write(out);
    this.#blocked = !flowing;
    return flowing;
  }
}
