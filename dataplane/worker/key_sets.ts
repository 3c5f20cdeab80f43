import { messageOf } from "../../common/errors.ts";
import type { Logger } from "../../common/log.ts";
import type { Answer, GetOptions } from "../net/guarded_get.ts";
import type { KeysWanted } from "./messages.ts";
import { keysId } from "./policy_services.ts";

/** Milliseconds in which unknown keys cause one fetch at most. */
const COOLDOWN = 30_000;
/** Milliseconds before a failed fetch is tried again, at first and at most. */
const FIRST_RETRY = 1_000;
const LAST_RETRY = 60_000;
/** Bytes of the largest set. */
const LARGEST = 1_048_576;

interface KeySet {
  readonly wanted: KeysWanted;
  readonly workers: Set<number>;
  json: string | null;
  fetching: boolean;
  /** `now` of the last fetch that an unknown key caused. */
  askedAt: number;
  failures: number;
  timer: ReturnType<typeof setTimeout> | undefined;
}

export interface KeySetsOptions {
  readonly log: Logger;
  /** Tells a worker the keys, or null that there are still none. */
  readonly send: (worker: number, wanted: KeysWanted, json: string | null) => void;
  readonly get: (url: string, options: GetOptions) => Promise<Answer>;
  readonly now?: () => number;
}

/**
 * The JWK Sets that policies follow, fetched once for all workers: at the start, after their time, and
 * when a token names a key that nobody knows. A set that cannot be fetched stays as it was.
 */
export class KeySets {
  readonly #options: KeySetsOptions;
  readonly #sets = new Map<string, KeySet>();
  readonly #now: () => number;
  /** Fetches that failed. */
  failures = 0;

  constructor(options: KeySetsOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  follow(worker: number, wanted: KeysWanted): void {
    const id = keysId(wanted);
    let set = this.#sets.get(id);
    if (set === undefined) {
      set = {
        wanted,
        workers: new Set(),
        json: null,
        fetching: false,
        askedAt: -Infinity,
        failures: 0,
        timer: undefined,
      };
      this.#sets.set(id, set);
      void this.#fetch(set);
    } else if (set.json !== null) this.#options.send(worker, wanted, set.json);
    set.workers.add(worker);
  }

  /** A worker met a key that it does not know; it gets an answer in any case. */
  refresh(worker: number, wanted: KeysWanted): void {
    const set = this.#sets.get(keysId(wanted));
    if (set === undefined) this.#options.send(worker, wanted, null);
    // Whoever waits for a fetch hears of its end.
    else if (set.fetching) return;
    else if (this.#now() - set.askedAt < COOLDOWN) this.#options.send(worker, wanted, set.json);
    else {
      set.askedAt = this.#now();
      void this.#fetch(set);
    }
  }

  drop(worker: number, wanted: KeysWanted): void {
    const id = keysId(wanted);
    const set = this.#sets.get(id);
    set?.workers.delete(worker);
    if (set?.workers.size !== 0) return;
    clearTimeout(set.timer);
    this.#sets.delete(id);
  }

  /** A worker is gone. */
  dropAll(worker: number): void {
    for (const { wanted, workers } of [...this.#sets.values()]) {
      if (workers.has(worker)) this.drop(worker, wanted);
    }
  }

  async #fetch(set: KeySet): Promise<void> {
    const { wanted, workers } = set;
    const { log, send } = this.#options;
    clearTimeout(set.timer);
    set.fetching = true;
    try {
      set.json = await this.#load(wanted);
      if (set.failures > 0) log.info({ url: shown(wanted) }, "keys are there again");
      set.failures = 0;
    } catch (error) {
      this.failures++;
      if (set.failures++ === 0) {
        log.error(
          { url: shown(wanted), reason: messageOf(error), stale: set.json !== null },
          "no keys from issuer",
        );
      }
    }
    set.fetching = false;
    if (this.#sets.get(keysId(wanted)) !== set) return;
    const wait = set.failures === 0
      ? wanted.refresh
      : Math.min(LAST_RETRY, FIRST_RETRY * 2 ** (set.failures - 1));
    set.timer = setTimeout(() => void this.#fetch(set), wait);
    for (const worker of workers) send(worker, wanted, set.json);
  }

  async #load({ url, timeout }: KeysWanted): Promise<string> {
    const { status, body } = await this.#options.get(url, {
      timeout,
      largest: LARGEST,
      accept: "application/jwk-set+json, application/json",
    });
    if (status !== 200) throw new Error(`status ${status}`);
    const { keys } = parsed(body) as { keys?: unknown };
    if (!Array.isArray(keys)) throw new Error("not a JWK Set");
    return body;
  }
}

/** Parses JSON. The runtime's own error quotes the text, which may hold a shared secret. */
function parsed(json: string): unknown {
  try {
    return JSON.parse(json) ?? {};
  } catch {
    throw new Error("not JSON");
  }
}

/** An address without what may be secret in it. */
function shown({ url }: KeysWanted): string {
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname}`;
}
