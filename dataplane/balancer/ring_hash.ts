import { type Balancer, type Candidate, usable } from "./balancer.ts";
import { hash32 } from "./hash.ts";

/** Points of a candidate of average weight: shares within some 5 % of what they should be. */
const POINTS = 512;
/** Most points of all candidates: 10,000 of them still have some 100 each. */
const MOST = 1 << 20;

/**
 * Consistent hashing on a ring (Karger et al., 1997): a key belongs to the first point at or behind it,
 * and a candidate that leaves gives up its own keys alone.
 */
export class RingHash<T extends Candidate> implements Balancer<T> {
  /** Hashes in order, and whose they are. */
  #points: Uint32Array = new Uint32Array(0);
  #owners: readonly T[] = [];
  #several = false;

  update(candidates: readonly T[]): void {
    // Points are the same whatever order the endpoints are listed in.
    const all = usable(candidates).sort((a, b) => a.label < b.label ? -1 : 1);
    this.#several = all.length > 1;
    const total = all.reduce((sum, { weight }) => sum + weight, 0);
    const size = Math.min(MOST, POINTS * all.length);
    const points: { readonly hash: number; readonly owner: T }[] = [];
    for (const owner of all) {
      const count = Math.max(1, Math.round(owner.weight / total * size));
      for (let i = 0; i < count; i++) points.push({ hash: hash32(`${owner.label}#${i}`), owner });
    }
    points.sort((a, b) => a.hash - b.hash);
    this.#points = Uint32Array.from(points, ({ hash }) => hash);
    this.#owners = points.map(({ owner }) => owner);
  }

  pick(excluded: T | null, key: number): T | null {
    const { length } = this.#owners;
    if (length === 0) return null;
    let at = this.#search(key) % length;
    while (this.#several && this.#owners[at] === excluded) at = (at + 1) % length;
    return this.#owners[at];
  }

  /** Position of the first point at or behind the key. */
  #search(key: number): number {
    let low = 0;
    let high = this.#points.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#points[middle] < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
