/** Where a request stands in a trace (W3C Trace Context, level 1). */
export interface Trace {
  /** 32 and 16 hexadecimal digits. */
  readonly traceId: string;
  readonly spanId: string;
  /** The caller's span, "" for none. */
  readonly parentId: string;
  readonly sampled: boolean;
}

/** A request that is over, as a collector gets it. */
export interface Span extends Omit<Trace, "sampled"> {
  readonly name: string;
  /** Milliseconds since 1970, with fractions. */
  readonly start: number;
  readonly end: number;
  readonly status: number;
  readonly attributes: Readonly<Record<string, string | number>>;
}

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const NO_TRACE = "0".repeat(32);
const NO_SPAN = "0".repeat(16);
const SAMPLED = 1;

/**
 * The trace of a request: the caller's, if it sent one, else a new one.
 * @param field traceparent, null without one
 * @param percent of new traces that are sampled; callers decide about their own
 */
export function traceOf(
  field: string | null,
  percent: number,
  random: () => number,
): Trace {
  const parent = field === null ? null : TRACEPARENT.exec(field);
  const spanId = randomHex(16, random);
  if (parent !== null) {
    const [, version, traceId, parentId, flags, rest] = parent;
    // Of version 00 nothing may follow; a later version is read as far as it is known.
    const valid = version !== "ff" && traceId !== NO_TRACE && parentId !== NO_SPAN &&
      (version !== "00" || rest === undefined);
    if (valid) {
      return { traceId, spanId, parentId, sampled: (parseInt(flags, 16) & SAMPLED) !== 0 };
    }
  }
  const sampled = random() * 100 < percent;
  return { traceId: randomHex(32, random), spanId, parentId: "", sampled };
}

/** The traceparent that a backend gets. */
export function traceparent({ traceId, spanId, sampled }: Trace): string {
  return `00-${traceId}-${spanId}-${sampled ? "01" : "00"}`;
}

/** Hexadecimal digits, never all zero. */
function randomHex(digits: number, random: () => number): string {
  let out = "";
  while (out.length < digits) {
    out += Math.floor(random() * 2 ** 32).toString(16).padStart(8, "0");
  }
  return /^0+$/.test(out) ? `${out.slice(0, -1)}1` : out;
}

/** Most spans of a worker that wait for their batch. */
const MOST_WAITING = 1_024;

/** Collects the spans of one worker. */
export class Spans {
  readonly #send: (spans: Span[]) => void;
  #waiting: Span[] = [];
  /** Spans for which there was no room. */
  dropped = 0;

  constructor(send: (spans: Span[]) => void) {
    this.#send = send;
  }

  add(span: Span): void {
    if (this.#waiting.length < MOST_WAITING) this.#waiting.push(span);
    else this.dropped++;
  }

  flush(): void {
    if (this.#waiting.length === 0) return;
    this.#send(this.#waiting);
    this.#waiting = [];
  }
}
