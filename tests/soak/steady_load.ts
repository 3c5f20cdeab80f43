import type { Buffer } from "node:buffer";
import { getRequest, RawClient } from "../bench/raw_client.ts";

/** Milliseconds between two looks at which requests are due. */
const STEP = 1;

/** A connection with one request in flight, and when those behind it were due. */
interface Lane {
  client: RawClient;
  /** When the request in flight was due; null without one. */
  due: number | null;
  readonly waiting: number[];
}

/**
 * Requests at a constant rate over keep-alive connections. Times count from when a request was due, so
 * that a stall is seen in all requests that it delays.
 */
export class SteadyLoad implements Disposable {
  failed = 0;
  firstFailure = "";
  sent = 0;
  readonly #port: number;
  readonly #rate: number;
  readonly #request: Buffer = getRequest("normal.example.com", "/");
  readonly #lanes: Lane[];
  readonly #start = performance.now();
  #times: number[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param rate requests per second over all connections */
  constructor(port: number, connections: number, rate: number) {
    this.#port = port;
    this.#rate = rate;
    this.#lanes = Array.from({ length: connections }, () => {
      const lane = { due: null, waiting: [] } as unknown as Lane;
      lane.client = this.#connect(lane);
      return lane;
    });
    this.#tick();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    for (const { client } of this.#lanes) client.close();
  }

  /** Milliseconds of the requests answered since the last call. */
  takeTimes(): number[] {
    const times = this.#times;
    this.#times = [];
    return times;
  }

  #connect(lane: Lane): RawClient {
    return new RawClient(this.#port, {
      onAnswer: ({ status }) => {
        if (status === 200) this.#times.push(performance.now() - lane.due!);
        else this.#fail(`status ${status}`);
        this.#next(lane);
      },
      onEnd: (reason) => {
        this.#fail(`connection: ${reason}`);
        lane.client = this.#connect(lane);
        this.#next(lane);
      },
    });
  }

  #fail(reason: string): void {
    this.failed++;
    if (this.firstFailure === "") this.firstFailure = reason;
  }

  #next(lane: Lane): void {
    lane.due = lane.waiting.shift() ?? null;
    if (lane.due !== null) lane.client.send(this.#request);
  }

  #tick(): void {
    const now = performance.now() - this.#start;
    for (; this.sent * 1000 <= now * this.#rate; this.sent++) {
      const lane = this.#lanes[this.sent % this.#lanes.length];
      lane.waiting.push(this.#start + this.sent * 1000 / this.#rate);
      if (lane.due === null) this.#next(lane);
    }
    this.#timer = setTimeout(() => this.#tick(), STEP);
  }
}
