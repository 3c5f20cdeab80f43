import { messageOf } from "../../common/errors.ts";
import type { Logger } from "../../common/log.ts";
import { VERSION } from "../../common/version.ts";
import type { Span } from "./trace.ts";

/** Spans that may wait for the collector; more are dropped. */
const MOST_WAITING = 8_192;
/** Spans of one request to it. */
const BATCH = 512;
/** Milliseconds that it may take, and between two batches. */
const TIMEOUT = 5_000;
const INTERVAL = 1_000;
const NANOSECONDS = 1_000_000n;
const SERVER_KIND = 2;
const ERROR = 2;

/** Sends spans to a collector (OTLP over HTTP, JSON). Nobody waits for it; what it does not take is lost. */
export class TraceExporter {
  readonly #url: string;
  readonly #log: Logger;
  #waiting: Span[] = [];
  #sending = false;
  #failing = false;
  readonly #timer: ReturnType<typeof setInterval>;
  exported = 0;
  dropped = 0;

  /** @param endpoint base URL of the collector, "http://collector:4318" */
  constructor(endpoint: string, log: Logger) {
    this.#url = `${endpoint.replace(/\/+$/, "")}/v1/traces`;
    this.#log = log;
    this.#timer = setInterval(() => void this.#flush(), INTERVAL);
  }

  add(spans: readonly Span[]): void {
    const room = MOST_WAITING - this.#waiting.length;
    this.#waiting.push(...spans.slice(0, room));
    this.dropped += Math.max(0, spans.length - room);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#flush();
  }

  async #flush(): Promise<void> {
    if (this.#sending) return;
    this.#sending = true;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, BATCH);
      if (!await this.#post(batch)) break;
    }
    this.#sending = false;
  }

  async #post(batch: readonly Span[]): Promise<boolean> {
    try {
      const response = await fetch(this.#url, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(otlp(batch)),
        signal: AbortSignal.timeout(TIMEOUT),
      });
      await response.body?.cancel();
      if (!response.ok) throw new Error(`status ${response.status}`);
    } catch (error) {
      this.dropped += batch.length;
      if (!this.#failing) {
        this.#log.warn({ url: this.#url, reason: messageOf(error) }, "traces are not taken");
      }
      this.#failing = true;
      return false;
    }
    if (this.#failing) this.#log.info({ url: this.#url }, "traces are taken again");
    this.#failing = false;
    this.exported += batch.length;
    return true;
  }
}

function attribute(key: string, value: string | number): unknown {
  return {
    key,
    value: typeof value === "number" ? { intValue: String(value) } : { stringValue: value },
  };
}

/** Milliseconds as the text of nanoseconds: they do not fit into a number. */
function nanoseconds(milliseconds: number): string {
  const whole = Math.floor(milliseconds);
  return String(BigInt(whole) * NANOSECONDS + BigInt(Math.round((milliseconds - whole) * 1e6)));
}

function otlp(spans: readonly Span[]): unknown {
  return {
    resourceSpans: [{
      resource: {
        attributes: [attribute("service.name", "novaedge"), attribute("service.version", VERSION)],
      },
      scopeSpans: [{
        scope: { name: "novaedge", version: VERSION },
        spans: spans.map(({ traceId, spanId, parentId, name, start, end, status, attributes }) => ({
          traceId,
          spanId,
          ...(parentId === "" ? {} : { parentSpanId: parentId }),
          name,
          kind: SERVER_KIND,
          startTimeUnixNano: nanoseconds(start),
          endTimeUnixNano: nanoseconds(end),
          attributes: Object.entries(attributes).map(([key, value]) => attribute(key, value)),
          status: status >= 500 ? { code: ERROR } : {},
        })),
      }],
    }],
  };
}
