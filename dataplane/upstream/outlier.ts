import type { OutlierDetection } from "../../proto/gen/novaedge/v1/config.ts";
import { type EndpointTable, TIME, WORD } from "./endpoint_table.ts";

/** How a request ended at an endpoint. */
export type RequestResult =
  | "ok"
  /** An answer of 500 and above that the endpoint itself gave. */
  | "error"
  /** An answer of 502 to 504, or none. */
  | "gateway";

/** Takes out endpoints for what they answer, for a time that grows. */
export class Outlier {
  readonly #table: EndpointTable;
  readonly #settings: OutlierDetection;

  constructor(table: EndpointTable, settings: OutlierDetection) {
    this.#table = table;
    this.#settings = settings;
  }

  /**
   * Takes in the end of a request.
   * @param others slots of all endpoints of the backend
   * @returns whether the endpoint was taken out
   */
  report(slot: number, result: RequestResult, others: readonly number[], now: number): boolean {
    const table = this.#table;
    table.add(slot, WORD.requests, 1);
    if (result === "ok") {
      table.add(slot, WORD.successes, 1);
      table.set(slot, WORD.consecutive5xx, 0);
      table.set(slot, WORD.consecutiveGateway, 0);
      return false;
    }
    const { consecutive5xx, consecutiveGateway } = this.#settings;
    const errors = table.add(slot, WORD.consecutive5xx, 1);
    const gateway = result === "gateway"
      ? table.add(slot, WORD.consecutiveGateway, 1)
      : (table.set(slot, WORD.consecutiveGateway, 0), 0);
    const out = (consecutive5xx > 0 && errors >= consecutive5xx) ||
      (consecutiveGateway > 0 && gateway >= consecutiveGateway);
    return out && this.#eject(slot, others, now);
  }

  /** Compares the endpoints' success over the interval and begins a new one; returns those taken out. */
  judge(slots: readonly number[], now: number): number[] {
    const table = this.#table;
    const { successHosts, successRequests, successFactor } = this.#settings;
    const judged = slots.map((slot) => ({
      slot,
      requests: table.get(slot, WORD.requests),
      successes: table.get(slot, WORD.successes),
    }));
    for (const slot of slots) {
      table.set(slot, WORD.requests, 0);
      table.set(slot, WORD.successes, 0);
      // Good behaviour is remembered too.
      const ejections = table.get(slot, WORD.ejections);
      if (ejections > 0 && table.time(slot, TIME.ejectedUntil) <= now) {
        table.set(slot, WORD.ejections, ejections - 1);
      }
    }
    const busy = judged.filter(({ requests }) => requests >= successRequests && requests > 0);
    if (successHosts === 0 || busy.length < successHosts) return [];
    const rates = busy.map(({ requests, successes }) => successes / requests);
    const mean = rates.reduce((sum, rate) => sum + rate, 0) / rates.length;
    const variance = rates.reduce((sum, rate) => sum + (rate - mean) ** 2, 0) / rates.length;
    const least = mean - successFactor * Math.sqrt(variance);
    return busy.filter((_, i) => rates[i] < least).map(({ slot }) => slot)
      .filter((slot) => this.#eject(slot, slots, now));
  }

  #eject(slot: number, all: readonly number[], now: number): boolean {
    const table = this.#table;
    if (table.time(slot, TIME.ejectedUntil) > now) return false;
    const { baseEjectionMs, maxEjectionMs, maxPercent } = this.#settings;
    const out = all.filter((other) => table.time(other, TIME.ejectedUntil) > now).length;
    // One may always go, but never the last.
    if (out + 1 >= all.length) return false;
    if (out > 0 && (out + 1) * 100 > maxPercent * all.length) return false;
    const ejections = table.add(slot, WORD.ejections, 1);
    const time = Math.min(baseEjectionMs * ejections, Math.max(baseEjectionMs, maxEjectionMs));
    table.setTime(slot, TIME.ejectedUntil, now + time);
    table.set(slot, WORD.consecutive5xx, 0);
    table.set(slot, WORD.consecutiveGateway, 0);
    table.changed();
    return true;
  }
}
