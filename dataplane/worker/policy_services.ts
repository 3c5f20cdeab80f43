import type { KeySubscription } from "../policy/policy_context.ts";
import type { FromWorker, KeysWanted } from "./messages.ts";

interface Follower {
  readonly onKeys: (json: string) => void;
}

interface Followed {
  readonly wanted: KeysWanted;
  readonly followers: Set<Follower>;
  json: string | null;
  waiting: (() => void)[];
}

/** What a worker's policies ask of the main thread: keys, passwords and the numbers of buckets. */
export class PolicyServices {
  readonly #send: (message: FromWorker) => void;
  readonly #numbers = new Map<string, number>();
  readonly #followed = new Map<string, Followed>();
  readonly #passwords = new Map<number, (right: boolean | null) => void>();
  #nextPassword = 1;

  constructor(send: (message: FromWorker) => void) {
    this.#send = send;
  }

  learnNumbers(numbers: readonly (readonly [string, number])[]): void {
    for (const [policy, number] of numbers) this.#numbers.set(policy, number);
  }

  numberOf(policy: string): number {
    return this.#numbers.get(policy) ?? 0;
  }

  followKeys(
    url: string,
    refresh: number,
    timeout: number,
    onKeys: (json: string) => void,
  ): KeySubscription {
    const wanted: KeysWanted = { url, refresh, timeout };
    const id = keysId(wanted);
    let followed = this.#followed.get(id);
    if (followed === undefined) {
      followed = { wanted, followers: new Set(), json: null, waiting: [] };
      this.#followed.set(id, followed);
      this.#send({ type: "followKeys", wanted });
    }
    const { followers } = followed;
    const follower: Follower = { onKeys };
    followers.add(follower);
    if (followed.json !== null) onKeys(followed.json);
    const { waiting } = followed;
    return {
      refresh: () =>
        new Promise((resolve) => {
          // Nobody answers who is not followed any more.
          if (!followers.has(follower)) return resolve();
          waiting.push(resolve);
          this.#send({ type: "refreshKeys", wanted });
        }),
      close: () => {
        if (!followers.delete(follower) || followers.size > 0) return;
        this.#followed.delete(id);
        for (const resolve of waiting.splice(0)) resolve();
        this.#send({ type: "dropKeys", wanted });
      },
    };
  }

  /** Keys came, or it is known that there are no newer ones. */
  onKeys(wanted: KeysWanted, json: string | null): void {
    const followed = this.#followed.get(keysId(wanted));
    if (followed === undefined) return;
    if (json !== null && json !== followed.json) {
      followed.json = json;
      for (const { onKeys } of followed.followers) onKeys(json);
    }
    for (const resolve of followed.waiting.splice(0)) resolve();
  }

  checkPassword(password: string, hash: string): Promise<boolean | null> {
    return new Promise((resolve) => {
      const id = this.#nextPassword++;
      this.#passwords.set(id, resolve);
      this.#send({ type: "password", id, password, hash });
    });
  }

  onPassword(id: number, right: boolean | null): void {
    this.#passwords.get(id)?.(right);
    this.#passwords.delete(id);
  }
}

/** Tells sets of keys apart. */
export function keysId({ url, refresh, timeout }: KeysWanted): string {
  return `${url} ${refresh} ${timeout}`;
}
