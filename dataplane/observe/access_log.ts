import { ascii } from "../message/bytes.ts";

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
  /** Tries at a backend; written where there was more than one. */
  readonly attempts: number;
  /** What a backend did; written where there is something to say. */
  readonly detail: string;
  /** As "HTTP/1.1"; "" where no head was read. */
  readonly protocol: string;
  /** Version of TLS, "" without it. */
  readonly tls: string;
  readonly userAgent: string;
  readonly referer: string;
  /** Milliseconds until the backend's response began, negative without one. */
  readonly upstreamTime: number;
  /** Written where the request is part of a trace. */
  readonly traceId: string;
  readonly status: number;
  readonly reason: string;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly milliseconds: number;
}

/** Where lines are written: memory that leaves when it is full, and comes back. */
export interface LogMemory {
  /** Memory for the next lines; null while the sink is behind. */
  take(): Uint8Array<ArrayBuffer> | null;
  /** Takes the first `length` bytes of what `take` gave, or of a long line's own memory. */
  send(bytes: Uint8Array<ArrayBuffer>, length: number, lines: number): void;
}

const SECOND = 1000;
/** Bytes that a line has beside the texts of its record. */
const FIXED = 460;
/** Most bytes of one UTF-16 unit: a JSON escape. */
const ESCAPED = 6;
/** Names of a kind that are remembered; more start over. */
const MEMO = 256;
/** Characters of the longest name of a client's that is remembered. */
const REMEMBERED = 256;

const PATH = ascii(',"path":');
const BYTES_OUT = ascii(',"bytes_out":');
const DURATION = ascii(',"duration_ms":');
const ROUTE = ascii(',"route":');
const REQUEST_ID = ascii(',"request_id":');
const TRACE_ID = ascii(',"trace_id":');
const ATTEMPTS = ascii(',"attempts":');
const USER_AGENT = ascii(',"user_agent":');
const UPSTREAM_TIME = ascii(',"upstream_ms":');
const REFERER = ascii(',"referer":');
const DETAIL = ascii(',"detail":');
const END = ascii("}\n");

const QUOTE = 34;
const BACKSLASH = 92;
/** Fixed texts from this length on are worth a call of the runtime's own copy. */
const LONG = 20;
const encoder = new TextEncoder();

/** 1 for the ASCII characters that stand in a JSON string as they are. */
const PLAIN = new Uint8Array(128);
for (let unit = 32; unit < 127; unit++) {
  if (unit !== QUOTE && unit !== BACKSLASH) PLAIN[unit] = 1;
}

/** One of few names as a JSON string, with the fixed text around it. */
class NamePart {
  readonly #known = new Map<string, Uint8Array>();

  constructor(readonly before: string, readonly behind: string) {}

  of(name: string): Uint8Array {
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    if (this.#known.size >= MEMO) this.#known.clear();
    const made = encoder.encode(`${this.before}${JSON.stringify(name)}${this.behind}`);
    this.#known.set(name, made);
    return made;
  }
}

const listeners = new NamePart('Z","listener":', ',"method":');
const methods = new NamePart("", ',"host":');
const upstreams = new NamePart(',"upstream":', ',"client":');
const protocols = new NamePart(',"protocol":', "");
const tlsVersions = new NamePart(',"tls":', "");
const userAgents = new NamePart(',"user_agent":', "");
/** By status, then by reason. */
const outcomes: (NamePart | undefined)[] = [];

function outcome(status: number, reason: string): Uint8Array {
  outcomes[status] ??= new NamePart(`,"status":${status},"reason":`, ',"bytes_in":');
  return outcomes[status].of(reason);
}

function putBytes(bytes: Uint8Array, out: Uint8Array, at: number): number {
  if (bytes.length >= LONG) out.set(bytes, at);
  else for (let i = 0; i < bytes.length; i++) out[at + i] = bytes[i];
  return at + bytes.length;
}

/** Writes a text as a JSON string. */
function putText(text: string, out: Uint8Array, start: number): number {
  let at = start;
  out[at++] = QUOTE;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (PLAIN[unit] !== 1) {
      return start + encoder.encodeInto(JSON.stringify(text), out.subarray(start)).written;
    }
    out[at++] = unit;
  }
  out[at++] = QUOTE;
  return at;
}

/** Writes a whole number, of at least `least` digits. */
function putNumber(value: number, least: number, out: Uint8Array, at: number): number {
  let digits = least;
  for (let limit = 10 ** least; value >= limit; limit *= 10) digits++;
  let rest = value;
  for (let i = digits - 1; i >= 0; i--) {
    const less = Math.floor(rest / 10);
    out[at + i] = 48 + (rest - less * 10);
    rest = less;
  }
  return at + digits;
}

/** Writes a time as milliseconds with three decimals. */
function putMilliseconds(milliseconds: number, out: Uint8Array, start: number): number {
  // As thousandths, which are whole numbers.
  const micros = Math.round(milliseconds * 1000);
  const whole = Math.floor(micros / 1000);
  const at = putNumber(whole, 1, out, start);
  out[at] = 46;
  return putNumber(micros - whole * 1000, 3, out, at + 1);
}

/**
 * Writes JSON lines as bytes: strings would have to be joined, flattened and encoded, which costs several
 * times as much. Never blocks: a line that finds no memory is dropped and counted.
 */
export class AccessLog {
  readonly #memory: LogMemory;
  #bytes: Uint8Array<ArrayBuffer> | null = null;
  #at = 0;
  #lines = 0;
  #second = -1;
  /** The beginning of a line, up to the second. */
  #beginning: Uint8Array = new Uint8Array();
  /** Lines that found no memory. */
  dropped = 0;
  enabled = true;

  constructor(memory: LogMemory) {
    this.#memory = memory;
  }

  /** @param now milliseconds since 1970 */
  add(record: AccessRecord, now: number): void {
    const units = record.host.length + record.path.length + record.method.length +
      record.listener.length + record.route.length + record.upstream.length +
      record.client.length + record.requestId.length + record.traceId.length +
      record.detail.length + record.userAgent.length + record.referer.length;
    const most = FIXED + units * ESCAPED;
    if (this.#bytes !== null && this.#bytes.length - this.#at < most) this.flush();
    const bytes = this.#bytes ??= this.#memory.take();
    if (bytes === null) {
      this.dropped++;
    } else if (bytes.length < most) {
      // Longer than a whole batch: it travels in memory of its own.
      const own = new Uint8Array(most);
      this.#memory.send(own, this.#put(record, now, own, 0), 1);
    } else {
      this.#at = this.#put(record, now, bytes, this.#at);
      this.#lines++;
    }
  }

  /** Hands over what was written. */
  flush(): void {
    if (this.#lines === 0) return;
    this.#memory.send(this.#bytes!, this.#at, this.#lines);
    this.#bytes = null;
    this.#at = 0;
    this.#lines = 0;
  }

  #put(record: AccessRecord, now: number, out: Uint8Array, start: number): number {
    const second = Math.floor(now / SECOND);
    if (second !== this.#second) {
      this.#second = second;
      this.#beginning = ascii(`{"time":"${new Date(second * SECOND).toISOString().slice(0, 20)}`);
    }
    let at = putBytes(this.#beginning, out, start);
    at = putNumber(Math.floor(now - second * SECOND), 3, out, at);
    at = putBytes(listeners.of(record.listener), out, at);
    at = putBytes(methods.of(record.method), out, at);
    at = putText(record.host, out, at);
    at = putBytes(PATH, out, at);
    at = putText(record.path, out, at);
    at = putBytes(outcome(record.status, record.reason), out, at);
    at = putNumber(record.bytesIn, 1, out, at);
    at = putBytes(BYTES_OUT, out, at);
    at = putNumber(record.bytesOut, 1, out, at);
    at = putBytes(DURATION, out, at);
    at = putMilliseconds(record.milliseconds, out, at);
    at = putBytes(ROUTE, out, at);
    at = putText(record.route, out, at);
    at = putBytes(upstreams.of(record.upstream), out, at);
    at = putText(record.client, out, at);
    at = putBytes(REQUEST_ID, out, at);
    at = putText(record.requestId, out, at);
    if (record.upstreamTime >= 0) {
      at = putBytes(UPSTREAM_TIME, out, at);
      at = putMilliseconds(record.upstreamTime, out, at);
    }
    if (record.protocol !== "") at = putBytes(protocols.of(record.protocol), out, at);
    if (record.tls !== "") at = putBytes(tlsVersions.of(record.tls), out, at);
    if (record.userAgent.length > REMEMBERED) {
      at = putBytes(USER_AGENT, out, at);
      at = putText(record.userAgent, out, at);
    } else if (record.userAgent !== "") at = putBytes(userAgents.of(record.userAgent), out, at);
    if (record.referer !== "") {
      at = putBytes(REFERER, out, at);
      at = putText(record.referer, out, at);
    }
    if (record.attempts > 1) {
      at = putBytes(ATTEMPTS, out, at);
      at = putNumber(record.attempts, 1, out, at);
    }
    if (record.detail !== "") {
      at = putBytes(DETAIL, out, at);
      at = putText(record.detail, out, at);
    }
    if (record.traceId !== "") {
      at = putBytes(TRACE_ID, out, at);
      at = putText(record.traceId, out, at);
    }
    return putBytes(END, out, at);
  }
}
