import { alike, type Balancer, type Candidate, inOrder } from "./balancer.ts";
import { hash32, mix32 } from "./hash.ts";

/** Points of a candidate of average weight: shares within some 5 % of what they should be. */
const POINTS = 512;
/** Most points of all candidates: 10,000 of them have 26 each. */
const MOST = 1 << 18;

/**
 * Consistent hashing on a ring (Karger et al., 1997): a key belongs to the first point at or behind it,
 * and a candidate that leaves gives up its own keys alone.
 */
export class RingHash<T extends Candidate> implements Balancer<T> {
  #candidates: readonly T[] = [];
  #ring: Ring = { points: new Uint32Array(0), owners: new Uint32Array(0) };

  update(candidates: readonly T[]): void {
    const before = this.#candidates;
    this.#candidates = inOrder(candidates);
    if (!alike(before, this.#candidates)) this.#ring = inRing(pointsOf(this.#candidates));
  }

  pick(excluded: T | null, key: number): T | null {
    const { owners } = this.#ring;
    const { length } = owners;
    if (length === 0) return null;
    let at = this.#search(key) % length;
    if (this.#candidates.length > 1) {
      while (this.#candidates[owners[at]] === excluded) at = (at + 1) % length;
    }
    return this.#candidates[owners[at]];
  }

  /** Position of the first point at or behind the key. */
  #search(key: number): number {
    const { points } = this.#ring;
    let low = 0;
    let high = points.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (points[middle] < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Points, and the positions of the candidates whose they are. */
interface Ring {
  readonly points: Uint32Array;
  readonly owners: Uint32Array;
}

function pointsOf(candidates: readonly Candidate[]): Ring {
  const total = candidates.reduce((sum, { weight }) => sum + weight, 0);
  const size = Math.min(MOST, POINTS * candidates.length);
  const counts = candidates.map(({ weight }) => Math.max(1, Math.round(weight / total * size)));
  const length = counts.reduce((sum, count) => sum + count, 0);
  const ring = { points: new Uint32Array(length), owners: new Uint32Array(length) };
  let at = 0;
  candidates.forEach(({ label }, position) => {
    const first = hash32(label);
    const second = hash32(label, 1);
    for (let i = 0; i < counts[position]; i++) {
      ring.points[at] = mix32(mix32(first + i) ^ second);
      ring.owners[at++] = position;
    }
  });
  return ring;
}

/** Sorts by point, equal ones as they come: half a point's bits at a time, a fraction of what comparing costs. */
function inRing(ring: Ring): Ring {
  return sortBits(sortBits(ring, 0), 16);
}

/** Sorts by 16 bits of the points. */
function sortBits({ points, owners }: Ring, shift: number): Ring {
  const { length } = points;
  const next = new Uint32Array(0x10001);
  for (let i = 0; i < length; i++) next[((points[i] >>> shift) & 0xffff) + 1]++;
  for (let i = 1; i < next.length; i++) next[i] += next[i - 1];
  const sorted = { points: new Uint32Array(length), owners: new Uint32Array(length) };
  for (let i = 0; i < length; i++) {
    const to = next[(points[i] >>> shift) & 0xffff]++;
    sorted.points[to] = points[i];
    sorted.owners[to] = owners[i];
  }
  return sorted;
}
