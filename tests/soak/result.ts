import { ContentCheck } from "./content.ts";

/** Bytes kept of an answer that is not the backend's: the edge's own are one line. */
const KEPT = 200;

/** What came back for one request. */
export class Result {
  /** 0 until a final head comes. */
  status = 0;
  /** Whether the answer ended as its framing says. */
  complete = false;
  /** Id that the answer carries, 0 for an answer of the edge's own. */
  answerId = 0;
  /** Text of an answer of the edge's own. */
  text = "";
  /** Code of RST_STREAM, -1 without. */
  reset = -1;
  /** Whether the connection ended before the answer did. */
  gone = false;
  /** Whether the client itself ended the connection, for this request or for another one on it. */
  left = false;
  /** What was wrong with the bytes that came. */
  malformed = "";
  readonly content: ContentCheck;

  constructor(readonly id: number) {
    this.content = new ContentCheck(id);
  }

  head(status: number, answerId: string | undefined): void {
    this.status = status;
    this.answerId = Number(answerId ?? 0);
  }

  take(view: Uint8Array): void {
    if (this.answerId !== 0) this.content.take(view);
    else if (this.text.length < KEPT) this.text += new TextDecoder().decode(view);
  }

  toString(): string {
    const { status, complete, reset, gone, content, text } = this;
    const own = text === "" ? "" : ` "${text.trim()}"`;
    const end = complete ? "complete" : reset >= 0 ? `reset ${reset}` : gone ? "gone" : "cut";
    return `${status}${own}, ${content.length} bytes, ${end}`;
  }
}
