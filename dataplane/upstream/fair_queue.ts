/** Something that waits, with who it is for. */
export interface Queued {
  /** Equal for all of one client; null for what the gateway does itself. */
  readonly share: object | null;
}

/**
 * A queue in which clients have turns, those that hold least first: entries of one client do not
 * delay those of others. Entries of one client leave in the order of arrival.
 */
export class FairQueue<T extends Queued> {
  /** By client; of those that hold as much, the one whose turn is next first. */
  readonly #lines = new Map<object | null, T[]>();
  readonly #held: (share: T["share"]) => number;
  #length = 0;

  /** @param held how much of the awaited resource a client already has */
  constructor(held: (share: T["share"]) => number) {
    this.#held = held;
  }

  get length(): number {
    return this.#length;
  }

  /** The first of a client for which a condition holds, undefined for none. */
  find(meets: (item: T) => boolean): T | undefined {
    for (const [item] of this.#lines.values()) if (meets(item)) return item;
    return undefined;
  }

  push(item: T): void {
    const line = this.#lines.get(item.share);
    if (line === undefined) this.#lines.set(item.share, [item]);
    else line.push(item);
    this.#length++;
  }

  /** Takes the next that meets a condition, null for none. Its client's next turn comes after the others'. */
  take(meets: (item: T) => boolean = () => true): T | null {
    let least = Infinity;
    let chosen: T | null = null;
    for (const [share, line] of this.#lines) {
      const held = this.#lines.size === 1 ? 0 : this.#held(share);
      if (held >= least) continue;
      const item = line.find(meets);
      if (item === undefined) continue;
      chosen = item;
      least = held;
    }
    if (chosen === null) return null;
    const { share } = chosen;
    const line = this.#lines.get(share)!;
    line.splice(line.indexOf(chosen), 1);
    this.#lines.delete(share);
    if (line.length > 0) this.#lines.set(share, line);
    this.#length--;
    return chosen;
  }

  /** Takes everything. */
  takeAll(): T[] {
    const all = [...this.#lines.values()].flat();
    this.#lines.clear();
    this.#length = 0;
    return all;
  }

  /** Takes out what meets a condition, if anything does. */
  remove(share: object | null, meets: (item: T) => boolean): void {
    const line = this.#lines.get(share);
    const position = line === undefined ? -1 : line.findIndex(meets);
    if (position < 0) return;
    line!.splice(position, 1);
    if (line!.length === 0) this.#lines.delete(share);
    this.#length--;
  }

  /** How many one client has waiting. */
  count(share: object | null): number {
    return this.#lines.get(share)?.length ?? 0;
  }

  /** The last of the client that has most waiting; null when that is not more than `least`. */
  lastOfLongest(least: number): T | null {
    let longest: T[] = [];
    for (const line of this.#lines.values()) if (line.length > longest.length) longest = line;
    return longest.length > least ? longest[longest.length - 1] : null;
  }
}
