/** Violations whose text is kept. */
const KEPT = 40;

/** How a request may end. */
export type Ending =
  | "right"
  /** An answer of the edge's own, or a cut one, because the backend failed. */
  | "backend fault"
  | "client abort"
  | "worker crash";

/** Counts how requests end, and what must not happen. */
export class Ledger {
  readonly endings = new Map<string, number>();
  readonly violations: string[] = [];
  violationCount = 0;
  requests = 0;
  /** The request that took longest, which shows what ends by a timer only. */
  slowest = { milliseconds: 0, what: "" };
  readonly #posts = new Set<number>();
  readonly #byEnding = new Map<Ending, number>();

  /** @param detail what tells endings of one kind apart, such as a status and its reason */
  ended(traffic: string, ending: Ending, detail = ""): void {
    this.requests++;
    this.#byEnding.set(ending, this.count(ending) + 1);
    const key = `${traffic}: ${ending}${detail === "" ? "" : ` (${detail})`}`;
    this.endings.set(key, (this.endings.get(key) ?? 0) + 1);
  }

  count(ending: Ending): number {
    return this.#byEnding.get(ending) ?? 0;
  }

  lasted(milliseconds: number, what: () => string): void {
    if (milliseconds > this.slowest.milliseconds) this.slowest = { milliseconds, what: what() };
  }

  violate(text: string): void {
    this.violationCount++;
    if (this.violations.length < KEPT) this.violations.push(`${clock()} ${text}`);
  }

  /** A backend has begun to process a request that must not be processed twice. */
  processed(id: number): void {
    if (this.#posts.has(id)) this.violate(`POST ${id} reached a backend twice`);
    this.#posts.add(id);
  }

  get posts(): number {
    return this.#posts.size;
  }
}

function clock(): string {
  return new Date().toISOString().slice(11, 23);
}
