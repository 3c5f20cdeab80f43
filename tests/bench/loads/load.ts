/** What to ask for. */
export interface LoadPlan {
  readonly port: number;
  readonly path: string;
  /** Asked for in turn, where the generator can. */
  readonly hosts: readonly string[];
  readonly seconds: number;
  readonly connections: number;
  /** Streams at once on a connection, for HTTP/2. */
  readonly streams: number;
  readonly tls: boolean;
  /** A connection per request. */
  readonly closing: boolean;
  /** Messages that a gRPC call is answered with, 0 for what is not gRPC. */
  readonly messages: number;
  /** Bytes of one answer. */
  readonly answerLength: number;
  readonly core: number | null;
}

/** What came of a load. */
export interface LoadReport {
  /** Requests answered whole, or handshakes, or messages that came back. */
  readonly done: number;
  /** Bytes of answers, those that were cut by the end of the load included. */
  readonly bytes: number;
  readonly seconds: number;
  /** Milliseconds from request to answer; NaN where the generator does not say. */
  readonly p50: number;
  readonly p99: number;
  /** Answers outside 2xx and 3xx, failures of sockets, time-outs; "" without any. */
  readonly errors: string;
}

/** Drives a proxy as hard as it can on the load's core. */
export interface LoadGenerator {
  readonly description: string;
  /** Whether a proxy answers as the plan wants it. */
  check(plan: LoadPlan): Promise<boolean>;
  run(plan: LoadPlan): Promise<LoadReport>;
}
