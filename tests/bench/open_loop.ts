import type { Buffer } from "node:buffer";
import { getRequest, RawClient } from "./raw_client.ts";

/** Milliseconds between two looks at which requests are due. */
const STEP = 1;

export interface OpenLoopOptions {
  readonly port: number;
  readonly host: string;
  readonly connections: number;
  /** Requests per second over all connections. */
  readonly rate: number;
  /** A 200 and the millisecond (performance.now) at which it arrived. */
  onAnswer(connection: number, body: string, arrived: number): void;
  /** A connection was lost and is replaced. */
  onReplaced(connection: number): void;
}

/** A connection with one request in flight; those due meanwhile wait, and are sent late but sent. */
interface Lane {
  client: RawClient;
  busy: boolean;
  waiting: number;
}

/**
 * Requests at a constant rate, whether or not the earlier ones were answered: a gateway that stalls is
 * not spared. They go over keep-alive connections in turn, which the kernel spreads over the workers.
 */
export class OpenLoop implements Disposable {
  sent = 0;
  answered = 0;
  /** Answers but 200, and requests whose connection broke. */
  failed = 0;
  /** The first failure, for the report. */
  firstFailure = "";
  readonly #options: OpenLoopOptions;
  readonly #request: Buffer;
  readonly #lanes: Lane[];
  readonly #start = performance.now();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: OpenLoopOptions) {
    this.#options = options;
    this.#request = getRequest(options.host, "/");
    this.#lanes = Array.from({ length: options.connections }, (_, index) => ({
      client: this.#connect(index),
      busy: false,
      waiting: 0,
    }));
    this.#tick();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    for (const { client } of this.#lanes) client.close();
  }

  #connect(index: number): RawClient {
    const { port, onAnswer, onReplaced } = this.#options;
    return new RawClient(port, {
      onAnswer: ({ status, body }) => {
        const arrived = performance.now();
        this.answered++;
        if (status === 200) onAnswer(index, body.toString("latin1"), arrived);
        else this.#fail(`status ${status}`);
        this.#next(this.#lanes[index]);
      },
      onEnd: (reason) => {
        const lane = this.#lanes[index];
        if (lane.busy) this.#fail(`connection: ${reason}`);
        lane.client = this.#connect(index);
        onReplaced(index);
        this.#next(lane);
      },
    });
  }

  #fail(reason: string): void {
    this.failed++;
    if (this.firstFailure === "") this.firstFailure = reason;
  }

  #next(lane: Lane): void {
    lane.busy = lane.waiting > 0;
    if (!lane.busy) return;
    lane.waiting--;
    lane.client.send(this.#request);
  }

  #tick(): void {
    const due = Math.floor((performance.now() - this.#start) * this.#options.rate / 1000);
    for (; this.sent < due; this.sent++) {
      const lane = this.#lanes[this.sent % this.#lanes.length];
      lane.waiting++;
      if (!lane.busy) this.#next(lane);
    }
    this.#timer = setTimeout(() => this.#tick(), STEP);
  }
}
