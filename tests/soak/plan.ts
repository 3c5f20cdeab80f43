import { chance, pick, roll, rollLength } from "./dice.ts";

/** What a backend does with a request, beside answering it. */
export type Fault =
  | "none"
  /** Answers piece by piece, with pauses. */
  | "slow"
  /** Ends the connection after its answer, and says so. */
  | "close"
  /** Answers before it has read the request's content. */
  | "early"
  /** Ends the connection after its answer without a word: what was sent on it meanwhile is lost. */
  | "silent-close"
  | "reset-before"
  /** Resets after `faultAt` bytes of the request's content. */
  | "reset-in-request"
  | "reset-in-head"
  /** Resets after the head and `faultAt` bytes of the answer's content. */
  | "reset-in-body"
  | "fin-in-body"
  /** Proves once that it did not process the request. */
  | "refuse";

/** How a client leaves. */
export type Abort =
  | "none"
  | "reset-in-request"
  | "fin-in-request"
  | "reset-in-answer"
  | "fin-in-answer"
  /** Sends FIN behind a whole request: its answer must come all the same. */
  | "half-close"
  /** HTTP/2: resets the stream, or the whole connection with it. */
  | "stream-reset-in-request"
  | "stream-reset-in-answer"
  | "connection-reset";

export type Framing = "length" | "chunked" | "until-close";

/** One request: what is sent, what the backend does, how its client behaves. */
export interface Plan {
  readonly id: number;
  readonly backend: BackendName;
  readonly method: "GET" | "POST";
  /** Bytes of the request's content, 0 for a GET. */
  readonly upload: number;
  readonly chunkedUpload: boolean;
  readonly size: number;
  readonly framing: Framing;
  readonly fault: Fault;
  readonly faultAt: number;
  readonly abort: Abort;
  readonly abortAt: number;
}

/**
 * HTTP/1.1; the same with connections that end silently; HTTP/2; HTTP/2 behind a relay that tears
 * connections. Where one request's fault may hit its neighbours, it has a backend of its own, so that
 * nothing has to be forgiven on the others.
 */
export const BACKENDS = ["one", "silent", "two", "torn"] as const;
export type BackendName = typeof BACKENDS[number];

const MEGABYTE = 1 << 20;
/** Bytes behind the point at which a client leaves. */
const LONG = MEGABYTE / 2;
const ANY_FAULTS = ["reset-before", "reset-in-request", "reset-in-body"] as const;
const FAULTS: Readonly<Record<BackendName, readonly Fault[]>> = {
  one: ["close", "early", "reset-in-head", "fin-in-body", ...ANY_FAULTS],
  silent: ["silent-close"],
  two: ["early", "refuse", ...ANY_FAULTS],
  torn: ["none"],
};
const CLIENT_ABORTS: Readonly<Record<"http1" | "http1-tls" | "http2", readonly Abort[]>> = {
  "http1": [
    ...["reset-in-request", "fin-in-request", "reset-in-answer", "fin-in-answer"] as const,
    "half-close",
  ],
  "http1-tls": ["reset-in-request", "fin-in-request", "reset-in-answer", "fin-in-answer"],
  "http2": ["stream-reset-in-request", "stream-reset-in-answer", "connection-reset"],
};

let lastId = 0;

/** An id that no other request of this run has. */
export function nextId(): number {
  return ++lastId;
}

/** A random request; at most one side misbehaves, so that what must come of it is certain. */
export function rollPlan(client: "http1" | "http1-tls" | "http2"): Plan {
  const backend = pick(["one", "one", "one", "silent", "two", "two", "torn"] as const);
  const method = chance(0.4) ? "POST" : "GET";
  const upload = method === "GET" ? 0 : rollLength(chance(0.1) ? MEGABYTE : 100_000);
  const turn = Math.random();
  const fault: Fault = turn < 0.12 ? pick(FAULTS[backend]) : turn < 0.16 ? "slow" : "none";
  const abort: Abort = turn > 0.9 ? pick(CLIENT_ABORTS[client]) : "none";
  // What a client leaves in the midst of has to be too long to arrive at once.
  const leaves = abort.endsWith("in-answer") || abort === "connection-reset";
  const size = (leaves ? LONG : cutsAnswer(fault) ? 1 : 0) +
    rollLength(chance(0.1) ? 4 * MEGABYTE : 100_000);
  return {
    id: nextId(),
    backend,
    method,
    upload: method === "POST" && abort.endsWith("in-request") ? upload + 1 : upload,
    chunkedUpload: chance(0.5),
    size,
    framing: pick(["length", "chunked", fault === "fin-in-body" ? "length" : "until-close"]),
    fault,
    faultAt: roll(0, fault === "reset-in-request" ? upload : Math.max(0, size - 1)),
    abort,
    abortAt: roll(0, abort.endsWith("in-request") ? upload : leaves ? size - LONG : 0),
  };
}

/** Whether the backend ends its answer before it is whole. */
export function cutsAnswer(fault: Fault): boolean {
  return fault === "reset-in-body" || fault === "fin-in-body";
}

/** The target that tells the backend what to do. */
export function targetOf({ id, backend, size, framing, fault, faultAt }: Plan): string {
  return `/${backend}/${id}?${new URLSearchParams({
    size: `${size}`,
    framing,
    fault,
    at: `${faultAt}`,
  })}`;
}

/** What a backend is to do. */
export interface Orders {
  readonly id: number;
  readonly size: number;
  readonly framing: Framing;
  readonly fault: Fault;
  readonly at: number;
}

export function ordersOf(target: string): Orders {
  const { pathname, searchParams } = new URL(target, "http://soak");
  return {
    id: Number(pathname.slice(pathname.lastIndexOf("/") + 1)),
    size: Number(searchParams.get("size")),
    framing: searchParams.get("framing") as Framing,
    fault: searchParams.get("fault") as Fault,
    at: Number(searchParams.get("at")),
  };
}
