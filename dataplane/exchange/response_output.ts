import { Buffer } from "node:buffer";
import { BodyKind, type ResponseHead } from "../http1/response_head.ts";
import { writeChunk } from "../http1/write_request.ts";
import {
  type AfterResponse,
  COALESCE_LIMIT,
  writeLocal,
  writeResponse,
} from "../http1/write_response.ts";
import type { Connection } from "../net/transport.ts";

/**
 * The bytes that go to one HTTP/1 client: answers in wire form, pieces of one turn joined into one write.
 * Every method that sends returns false when the client must drain first.
 */
export class ResponseOutput {
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

  /** Sends a backend's head; a body without length becomes chunked where `minor` allows it. */
  sendHead(
    answer: ResponseHead,
    minor: number,
    after: AfterResponse,
    body: Buffer | null,
    ended: boolean,
    more: boolean,
  ): boolean {
    this.#chunked = minor === 1 && isUnsized(answer);
    const first = this.#chunked && (body !== null || ended) ? writeChunk(body, ended) : body;
    if (first === null || first.length <= COALESCE_LIMIT) {
      return this.#write(writeResponse(answer, this.#chunked, after, first), more);
    }
    this.#held = writeResponse(answer, this.#chunked, after, null);
    return this.#write(first, more);
  }

  sendBody(body: Buffer | null, ended: boolean, more: boolean): boolean {
    if (this.#chunked && (body !== null || ended)) {
      return this.#write(writeChunk(body, ended), more);
    }
    return body === null && this.#held === null ? true : this.#write(body, more);
  }

  /**
   * Sends an answer of our own.
   * @param now milliseconds since 1970
   * @returns its bytes
   */
  sendLocal(
    status: number,
    reason: string,
    now: number,
    after: AfterResponse,
    headOnly: boolean,
  ): number {
    const bytes = writeLocal(status, reason, httpDate(now), after, headOnly);
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

/** Whether the end of the body is not told by a length. */
export function isUnsized({ body }: ResponseHead): boolean {
  return body === BodyKind.Chunked || body === BodyKind.UntilClose;
}

let dateSecond = 0;
let dateText = "";

/** The time as RFC 9110 section 5.6.7 has it, built once a second. */
function httpDate(now: number): string {
  const second = Math.floor(now / 1000);
  if (second !== dateSecond) {
    dateSecond = second;
    dateText = new Date(second * 1000).toUTCString();
  }
  return dateText;
}
