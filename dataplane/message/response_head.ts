import type { Buffer } from "node:buffer";
import { type Framing, noFraming } from "./framing.ts";
import { HeaderBlock } from "./header_block.ts";

/** How the end of a response body is found (RFC 9112 section 6.3). */
export const enum BodyKind {
  None,
  Length,
  /** The framing tells: the last chunk, or the frame that ends the stream. */
  Framed,
  UntilClose,
}

/**
 * One response head, whichever protocol it came by: field lines in HTTP/1.1 form as offsets into
 * `buffer`. Valid until the next parse.
 */
export class ResponseHead {
  status = 0;
  /** Bounds of " 200 OK" and its CRLF: the status line after the version. */
  statusStart = 0;
  statusEnd = 0;
  body: BodyKind = BodyKind.None;
  /** Whether the connection may serve another request after this one. */
  reusable = false;
  /** Field lines that stand behind those of `block`, CRLF included; null for none. */
  added: Uint8Array | null = null;
  /** Lengths of their names, as a `FieldEdit` has them. */
  addedLengths = 0;
  /** Why the head was refused, in words. */
  error = "";
  readonly framing: Framing = noFraming();
  readonly block: HeaderBlock;

  constructor(maxFields: number) {
    this.block = new HeaderBlock(maxFields);
  }

  get buffer(): Buffer {
    return this.block.buffer;
  }

  /** Whether the end of the body is not told by a length. */
  get unsized(): boolean {
    return this.body === BodyKind.Framed || this.body === BodyKind.UntilClose;
  }
}

/** Whether an answer of this status to this method has no content (RFC 9110 section 6.4.1). */
export function hasNoContent(method: string, status: number): boolean {
  return method === "HEAD" || status < 200 || status === 204 || status === 304;
}
