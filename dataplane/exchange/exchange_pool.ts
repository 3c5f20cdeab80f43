import type { Engine } from "./engine.ts";
import { Exchange } from "./exchange.ts";

/** Exchanges kept; more than are in progress at once would only be memory. */
const KEPT = 1_024;

/** The exchanges of one worker that are not in use: a request takes one and gives it back. */
export class ExchangePool {
  readonly #free: Exchange[] = [];

  take(engine: Engine): Exchange {
    return this.#free.pop() ?? new Exchange(engine);
  }

  give(exchange: Exchange): void {
    if (this.#free.length < KEPT) this.#free.push(exchange);
  }
}
