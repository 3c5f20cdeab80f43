import { waitsFor } from "../loop/outside.ts";
import { isIP } from "node:net";
import type { Resolver } from "../net/resolver.ts";

/** Longest and shortest use of an answer, in milliseconds, whatever its own TTL says. */
const LONGEST = 300_000;
const SHORTEST = 1_000;
/** How long a name that did not resolve is not asked for again, in milliseconds. */
const FAILED = 1_000;

interface Entry {
  addresses: readonly string[];
  expires: number;
  /** Which address the next connection begins with. */
  turn: number;
  asking: ((addresses: readonly string[]) => void)[] | null;
}

/**
 * Addresses of endpoint names, of both families, asked for anew when their TTL is over. A name that
 * fails to resolve keeps its last addresses: a resolver that is away must not take backends with it.
 */
export class AddressBook {
  readonly #entries = new Map<string, Entry>();
  readonly #resolve: Resolver;
  readonly #now: () => number;

  /** @param now milliseconds, monotonic */
  constructor(resolve: Resolver, now: () => number) {
    this.#resolve = resolve;
    this.#now = now;
  }

  /** Gives the addresses of a name, best first, in this call where they are known; none if it has none. */
  lookup(name: string, done: (addresses: readonly string[]) => void): void {
    if (isIP(name) !== 0) {
      done([name]);
      return;
    }
    let entry = this.#entries.get(name);
    if (entry === undefined) {
      entry = { addresses: [], expires: -Infinity, turn: 0, asking: null };
      this.#entries.set(name, entry);
    }
    if (this.#now() < entry.expires) {
      done(rotated(entry));
      return;
    }
    if (entry.asking === null) this.#ask(name, entry);
    // What has expired serves until the new answer is there.
    if (entry.addresses.length > 0) done(rotated(entry));
    else entry.asking!.push(done);
  }

  /** Forgets names for which no endpoint is left. */
  keep(names: ReadonlySet<string>): void {
    for (const name of this.#entries.keys()) if (!names.has(name)) this.#entries.delete(name);
  }

  #ask(name: string, entry: Entry): void {
    entry.asking = [];
    waitsFor(this.#resolve(name)).then(
      ({ addresses, ttl }) => {
        if (addresses.length > 0) entry.addresses = interleaved(addresses);
        this.#answered(entry, Math.min(LONGEST, Math.max(SHORTEST, ttl)));
      },
      () => this.#answered(entry, FAILED),
    );
  }

  #answered(entry: Entry, ttl: number): void {
    entry.expires = this.#now() + ttl;
    const asking = entry.asking!;
    entry.asking = null;
    for (const done of asking) done(rotated(entry));
  }
}

/** Both families in turn (RFC 8305 section 4), so that one that does not work costs one attempt. */
function interleaved(addresses: readonly string[]): string[] {
  const v4 = addresses.filter((address) => isIP(address) === 4);
  const v6 = addresses.filter((address) => isIP(address) === 6);
  const out: string[] = [];
  for (let i = 0; i < Math.max(v4.length, v6.length); i++) {
    if (i < v4.length) out.push(v4[i]);
    if (i < v6.length) out.push(v6[i]);
  }
  return out;
}

function rotated(entry: Entry): readonly string[] {
  const { addresses } = entry;
  if (addresses.length < 2) return addresses;
  const start = entry.turn++ % addresses.length;
  return [...addresses.slice(start), ...addresses.slice(0, start)];
}
