import type { Edge } from "../support/edge.ts";
import { pause } from "./dice.ts";
import type { Pair } from "../support/authority.ts";
import type { Ledger } from "./ledger.ts";
import type { Variant } from "./resources.ts";

const INTERVAL = 1_000;

type Change = (before: Variant, change: number, pairs: readonly Pair[]) => Partial<Variant>;

/** Unrelated ones and such as touch what is in use, in turn. */
const CHANGES: readonly Change[] = [
  () => ({}),
  (_before, change) => ({ connectTimeout: 2_000 + change }),
  ({ unusedRules }) => ({ unusedRules: (unusedRules + 1) % 4 }),
  ({ secondEndpoint }) => ({ secondEndpoint: !secondEndpoint }),
  (_before, change, pairs) => ({ certificate: pairs[change % pairs.length] }),
  ({ spareListener }) => ({ spareListener: !spareListener }),
];

/** Changes the configuration each second until stopped. */
export class Changer {
  applied = 0;
  #stopped = false;
  #variant: Variant;
  #running: Promise<void> = Promise.resolve();
  readonly #edge: Edge;
  readonly #files: (variant: Variant) => Record<string, string>;
  readonly #pairs: readonly Pair[];
  readonly #ledger: Ledger;

  constructor(
    edge: Edge,
    first: Variant,
    files: (variant: Variant) => Record<string, string>,
    pairs: readonly Pair[],
    ledger: Ledger,
  ) {
    this.#edge = edge;
    this.#variant = first;
    this.#files = files;
    this.#pairs = pairs;
    this.#ledger = ledger;
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const before = this.#files(this.#variant);
      const change = this.#variant.change + 1;
      const part = CHANGES[change % CHANGES.length](this.#variant, change, this.#pairs);
      this.#variant = { ...this.#variant, ...part, change };
      const after = this.#files(this.#variant);
      try {
        for (const [name, text] of Object.entries(after)) {
          if (before[name] !== text) await this.#edge.change(name, text);
        }
        this.applied++;
      } catch (error) {
        this.#ledger.violate(`change ${change} was not applied: ${(error as Error).message}`);
      }
      await pause(INTERVAL);
    }
  }
}
