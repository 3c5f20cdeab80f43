import { type Balancer, type Candidate, usable } from "./balancer.ts";
import { hash32 } from "./hash.ts";

/** Places of the table, a prime: shares are even to a hundredth with up to some 650 candidates. */
const SIZE = 65_537;
/** More candidates than this have no place of their own in a 16-bit table. */
const EMPTY = 0xffff;

/**
 * Maglev hashing (Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer", 2016,
 * section 3.4): a lookup is one read, shares are even, and few keys move when candidates change.
 */
export class Maglev<T extends Candidate> implements Balancer<T> {
  #table: Uint16Array = new Uint16Array(0);
  #candidates: readonly T[] = [];

  update(candidates: readonly T[]): void {
    this.#candidates = usable(candidates).sort((a, b) => a.label < b.label ? -1 : 1);
    this.#table = this.#candidates.length === 0 ? new Uint16Array(0) : fill(this.#candidates);
  }

  pick(excluded: T | null, key: number): T | null {
    const { length } = this.#candidates;
    if (length === 0) return null;
    let place = key % SIZE;
    let picked = this.#candidates[this.#table[place]];
    if (picked !== excluded || length === 1) return picked;
    // Some candidates of little weight may have no place at all.
    for (let i = 1; i < SIZE && picked === excluded; i++) {
      place = place + 1 === SIZE ? 0 : place + 1;
      picked = this.#candidates[this.#table[place]];
    }
    return picked;
  }
}

/** Lets the candidates take places in turn, each by its own permutation, as often as their weights say. */
function fill(candidates: readonly Candidate[]): Uint16Array {
  const table = new Uint16Array(SIZE).fill(EMPTY);
  const heaviest = Math.max(...candidates.map(({ weight }) => weight));
  const states = candidates.map(({ label, weight }) => ({
    place: hash32(label) % SIZE,
    skip: hash32(label, 1) % (SIZE - 1) + 1,
    share: weight / heaviest,
    due: 0,
  }));
  for (let taken = 0;;) {
    for (let i = 0; i < states.length; i++) {
      const state = states[i];
      state.due += state.share;
      if (state.due < 1) continue;
      state.due -= 1;
      while (table[state.place] !== EMPTY) state.place = (state.place + state.skip) % SIZE;
      table[state.place] = i;
      if (++taken === SIZE) return table;
    }
  }
}
