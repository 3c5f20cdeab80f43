import type { Edge } from "../support/edge.ts";
import { pause } from "./dice.ts";
import type { Ledger } from "./ledger.ts";
import { type Links, mostOfOneWorker } from "./links.ts";
import { injectFault } from "../support/metrics.ts";
import { WORKERS } from "./samples.ts";

/** Milliseconds after which the toll is counted: beyond the window of a crash. */
const COUNT_AFTER = 3_000;

/** Makes workers crash in turn, and counts what each crash took with it. */
export class Crashes {
  readonly tolls: string[] = [];
  #count = 0;
  readonly #edge: Edge;
  readonly #ledger: Ledger;
  readonly #links: Links;

  constructor(edge: Edge, ledger: Ledger, links: Links) {
    this.#edge = edge;
    this.#ledger = ledger;
    this.#links = links;
  }

  get count(): number {
    return this.#count;
  }

  /** Ends when another worker serves in the place of the crashed one. */
  async crash(): Promise<void> {
    const worker = this.#count++ % WORKERS;
    const { dataplane } = this.#edge;
    const failedBefore = this.#ledger.count("worker crash");
    const { mark } = dataplane;
    this.#links.crashing();
    const start = performance.now();
    await injectFault(this.#edge, worker, "throw");
    try {
      await dataplane.line(/traffic worker died/, mark);
      await dataplane.line(/traffic worker serves again/, mark);
    } catch (error) {
      this.#ledger.violate(`worker ${worker} was not replaced: ${(error as Error).message}`);
    }
    const back = Math.round(performance.now() - start);
    await pause(Math.max(0, COUNT_AFTER - back));
    const { open, lost } = this.#links.toll();
    const failed = this.#ledger.count("worker crash") - failedBefore;
    this.tolls.push(
      `worker ${worker}: ${lost} of ${open} connections lost, ${failed} requests failed, ` +
        `another served after ${back} ms`,
    );
    if (lost > mostOfOneWorker(open)) {
      this.#ledger.violate(`a crash took ${lost} of ${open} connections: more than one worker's`);
    }
  }
}
