import { alike, type Balancer, type Candidate, inOrder } from "./balancer.ts";
import { hash32 } from "./hash.ts";

/** Places of the table, a prime: shares are even to a hundredth with up to some 650 candidates. */
const SIZE = 65_537;
/** A place that nobody has; candidates behind this many get none. */
const EMPTY = 0xffff;

/**
 * Maglev hashing (Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer", 2016,
 * section 3.4): a lookup is one read, shares are even, and few keys move when candidates change.
 */
export class Maglev<T extends Candidate> implements Balancer<T> {
  #table: Uint16Array = new Uint16Array(0);
  #candidates: readonly T[] = [];

  update(candidates: readonly T[]): void {
    const before = this.#candidates;
    this.#candidates = inOrder(candidates).slice(0, EMPTY);
    if (!alike(before, this.#candidates)) this.#table = fill(this.#candidates);
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
  if (candidates.length === 0) return new Uint16Array(0);
  const table = new Uint16Array(SIZE).fill(EMPTY);
  const states = candidates.map(({ label }) => ({
    place: hash32(label) % SIZE,
    skip: hash32(label, 1) % (SIZE - 1) + 1,
  }));
  let taken = 0;
  for (const turn of turns(candidates)) {
    if (taken++ === SIZE) break;
    const position = turn % (EMPTY + 1);
    const state = states[position];
    while (table[state.place] !== EMPTY) state.place = (state.place + state.skip) % SIZE;
    table[state.place] = position;
  }
  return table;
}

/**
 * Who takes a place after whom, at least as often as there are places: the heaviest in every round, one
 * of half its weight in every second. Each turn is a round, and below it a candidate's position.
 */
function turns(candidates: readonly Candidate[]): Float64Array {
  const heaviest = Math.max(...candidates.map(({ weight }) => weight));
  const shares = candidates.map(({ weight }) => weight / heaviest);
  const sum = shares.reduce((all, share) => all + share, 0);
  // In so many rounds each has its turns, but for a part of one.
  const rounds = Math.ceil((SIZE + candidates.length) / sum);
  const counts = shares.map((share) => Math.floor(rounds * share));
  const all = new Float64Array(counts.reduce((total, count) => total + count, 0));
  let at = 0;
  shares.forEach((share, position) => {
    for (let i = 1; i <= counts[position]; i++) {
      all[at++] = Math.ceil(i / share) * (EMPTY + 1) + position;
    }
  });
  return all.sort();
}
