import type { Delta, Refusal } from "../../proto/gen/novaedge/v1/distribution.ts";
import {
  inApplyOrder,
  keyOf,
  partsOf,
  type Resource,
  type ResourceRef,
  type Version,
} from "./resources.ts";

/** The sender's complete state. */
export interface ResourceView {
  readonly version: Version;
  get(key: string): Resource | undefined;
  keys(): Iterable<string>;
}

/**
 * Brings one peer from what it holds to what the view holds, by deltas: at most one is unacknowledged,
 * and what changes meanwhile joins the next. Pure: the caller moves the messages.
 */
export class DeltaSender {
  readonly #view: ResourceView;
  /**
   * Hash by key: what the peer holds once the delta in flight is acknowledged. There are as many of these
   * as peers, so that keys and hashes are the view's own strings where they can be.
   */
  readonly #held = new Map<string, string>();
  readonly #dirty = new Set<string>();
  /** What the peer refused, by key: not sent again. */
  readonly #refused = new Map<string, { readonly hash: string; readonly refusal: Refusal }>();
  #standing: Refusal[] = [];
  #nonce = 0;
  #inFlight = 0;
  #acknowledged: Version | null = null;

  constructor(view: ResourceView, held: readonly ResourceRef[]) {
    this.#view = view;
    const told = new Map(held.map((ref) => [keyOf(ref), ref.hash]));
    for (const key of view.keys()) {
      this.#dirty.add(key);
      const hash = told.get(key);
      if (hash === undefined) continue;
      told.delete(key);
      const own = view.get(key)?.hash;
      this.#held.set(key, own === hash ? own : hash);
    }
    for (const [key, hash] of told) {
      this.#dirty.add(key);
      this.#held.set(key, hash);
    }
  }

  /** Version that the peer last acknowledged; null before the first. */
  get acknowledged(): Version | null {
    return this.#acknowledged;
  }

  get pending(): boolean {
    return this.#inFlight !== 0;
  }

  /**
   * Refusals of earlier that apply again: what `next` last left out because the peer refused that very
   * version before.
   */
  get standing(): readonly Refusal[] {
    return this.#standing;
  }

  /** These keys changed in the view. */
  changed(keys: Iterable<string>): void {
    for (const key of keys) this.#dirty.add(key);
  }

  /**
   * The next delta, or null while one is in flight or when the peer is up to date. The first one is sent
   * even when it is empty: it tells the peer that it is complete.
   */
  next(): Delta | null {
    if (this.#inFlight !== 0) return null;
    const upserts: Resource[] = [];
    const removals: ResourceRef[] = [];
    this.#standing = [];
    for (const key of this.#dirty) {
      const resource = this.#view.get(key);
      const held = this.#held.get(key);
      if (resource === undefined) {
        if (held !== undefined) removals.push({ ...partsOf(key), hash: held });
        this.#held.delete(key);
        this.#refused.delete(key);
      } else if (held !== resource.hash) {
        const refused = this.#refused.get(key);
        if (refused?.hash === resource.hash) {
          this.#standing.push(refused.refusal);
          continue;
        }
        upserts.push(resource);
        this.#held.set(key, resource.hash);
      }
    }
    this.#dirty.clear();
    if (upserts.length + removals.length === 0 && this.#nonce > 0) {
      // What changed came back to what the peer holds: nothing to send.
      return null;
    }
    this.#inFlight = ++this.#nonce;
    return {
      version: this.#view.version,
      nonce: this.#nonce,
      upserts: inApplyOrder(upserts),
      removals: inApplyOrder(removals).reverse(),
    };
  }

  /** The peer applied the delta, but for `refusals`. Returns false for an answer that was not awaited. */
  acknowledge(nonce: number, version: Version, refusals: readonly Refusal[] = []): boolean {
    if (nonce !== this.#inFlight) return false;
    this.#inFlight = 0;
    this.#acknowledged = version;
    for (const refusal of refusals) this.#refuse(refusal);
    return true;
  }

  /** The peer does not hold this version of the resource after all. */
  #refuse(refusal: Refusal): void {
    const { resource } = refusal;
    if (resource === undefined) return;
    const key = keyOf(resource);
    this.#refused.set(key, { hash: resource.hash, refusal });
    // The peer keeps its last accepted version, whose hash is unknown here: an empty one never matches.
    if (this.#held.get(key) === resource.hash) this.#held.set(key, "");
  }
}
