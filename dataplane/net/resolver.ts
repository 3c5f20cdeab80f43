/** What a name resolved to. */
export interface Resolved {
  readonly addresses: readonly string[];
  /** Milliseconds for which the answer may be used. */
  readonly ttl: number;
}

/** Asks the system; rejects when there is no answer. */
export type Resolver = (name: string) => Promise<Resolved>;
