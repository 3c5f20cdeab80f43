/** One request as the access log sees it. */
export interface AccessRecord {
  readonly listener: string;
  readonly method: string;
  readonly host: string;
  readonly path: string;
  readonly route: string;
  readonly upstream: string;
  readonly client: string;
  readonly requestId: string;
  readonly status: number;
  readonly reason: string;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly milliseconds: number;
}

/** Where finished batches go; must not block. */
export type LogSink = (text: string, lines: number) => void;

// deno-lint-ignore no-control-regex
const UNSAFE = /["\\\u0000-\u001f\u007f-\uffff]/;
/** Batches are handed over at this size at the latest. */
const BATCH_CHARACTERS = 64 * 1024;
const SECOND = 1000;

function quoted(text: string): string {
  return UNSAFE.test(text) ? JSON.stringify(text) : `"${text}"`;
}

/** Three digits by value. */
const THREE = Array.from({ length: 1000 }, (_, value) => String(value).padStart(3, "0"));

/** Milliseconds with three decimals; turning whole numbers into text is much cheaper than fractions. */
function durationText(milliseconds: number): string {
  const micros = Math.round(milliseconds * 1000);
  return `${Math.floor(micros / 1000)}.${THREE[micros % 1000]}`;
}

/** Names remembered in quoted form; more start over. */
const MEMO = 512;
const memo = new Map<string, string>();

/** The quoted form of a text that comes again and again. */
function quotedName(text: string): string {
  const known = memo.get(text);
  if (known !== undefined) return known;
  if (memo.size >= MEMO) memo.clear();
  const made = quoted(text);
  memo.set(text, made);
  return made;
}

/**
 * Builds JSON lines off the hot path's I/O: a line is appended to a string, the string leaves in
 * batches. Never blocks: whoever writes the batches drops and counts what its sink cannot take.
 */
export class AccessLog {
  #batch = "";
  #lines = 0;
  #second = -1;
  #secondText = "";
  readonly #sink: LogSink;
  enabled = true;

  constructor(sink: LogSink) {
    this.#sink = sink;
  }

  /** @param now milliseconds since 1970 */
  add(record: AccessRecord, now: number): void {
    const second = Math.floor(now / SECOND);
    if (second !== this.#second) {
      this.#second = second;
      this.#secondText = new Date(second * SECOND).toISOString().slice(0, 20);
    }
    const millis = Math.floor(now - second * SECOND);
    const padded = millis < 10 ? `00${millis}` : millis < 100 ? `0${millis}` : `${millis}`;
    this.#batch +=
      `{"time":"${this.#secondText}${padded}Z","listener":"${record.listener}","method":${
        quotedName(record.method)
      },"host":${quotedName(record.host)},"path":${
        quoted(record.path)
      },"status":${record.status},"reason":"${record.reason}","bytes_in":${record.bytesIn},"bytes_out":${record.bytesOut},"duration_ms":${
        durationText(record.milliseconds)
      },"route":"${record.route}","upstream":"${record.upstream}","client":"${record.client}","request_id":${
        quoted(record.requestId)
      }}\n`;
    this.#lines++;
    if (this.#batch.length >= BATCH_CHARACTERS) this.flush();
  }

  flush(): void {
    if (this.#lines === 0) return;
    this.#sink(this.#batch, this.#lines);
    this.#batch = "";
    this.#lines = 0;
  }
}
