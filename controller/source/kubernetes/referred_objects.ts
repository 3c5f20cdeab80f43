import type { KindName, KindTypes } from "../../../api/kinds.ts";
import { validate } from "../../../api/validate.ts";
import { delay } from "../../../common/backoff.ts";
import { messageOf } from "../../../common/errors.ts";
import type { Logger } from "../../../common/log.ts";
import { type ObjectKey, objectKey, type SourceChange } from "../../translate/source_object.ts";
import { type ApiClient, ApiError, type ApiObject } from "./api_client.ts";
import { objectPath } from "./paths.ts";
import { trimmed } from "./trim.ts";

/** Milliseconds between tries to fetch an object, tries in a row, and milliseconds until they begin again. */
const RETRY = 200;
const TRIES = 3;
const LATER = 10_000;

/** What it takes to fetch objects. */
export interface ReferredObjectsOptions {
  readonly client: Pick<ApiClient, "request">;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** Does something, and asks for what is missing again, after some milliseconds. */
  readonly later: (milliseconds: number, before: () => void) => void;
}

/**
 * Objects of the kinds of which only what is referred to is read: of the others no more is known than that they
 * are there, and in which version.
 */
export class ReferredObjects {
  readonly #options: ReferredObjectsOptions;
  /** Versions by key. */
  readonly #versions = new Map<string, string>();
  /** The versions that were handed on. */
  readonly #fetched = new Map<string, string>();

  constructor(options: ReferredObjectsOptions) {
    this.#options = options;
  }

  /** An object came or changed. */
  noted(kind: KindName, { metadata }: ApiObject): void {
    const { name, namespace = "", resourceVersion } = metadata;
    this.#versions.set(objectKey({ kind, namespace, name }), resourceVersion);
  }

  /** An object is gone. */
  removed(text: string): void {
    this.#versions.delete(text);
    this.#fetched.delete(text);
  }

  /** Objects that are wanted in a version that was not handed on. */
  async missing(wanted: ReadonlySet<string>): Promise<SourceChange[]> {
    const missing = [...wanted].filter((key) => {
      const version = this.#versions.get(key);
      return version !== undefined && this.#fetched.get(key) !== version;
    });
    const changes = await Promise.all(missing.map((key) => this.#fetch(key)));
    return changes.filter((change) => change !== null);
  }

  /** What nobody wants any more is not kept: those keys are given back. */
  forget(wanted: ReadonlySet<string>): ObjectKey[] {
    const unwanted = [...this.#fetched.keys()].filter((text) => !wanted.has(text));
    for (const text of unwanted) this.#fetched.delete(text);
    return unwanted.map(keyOf);
  }

  /** Null when it cannot be had now: what is held of it stays, and others do not wait for it. */
  async #fetch(text: string): Promise<SourceChange | null> {
    const { client, log, signal, later } = this.#options;
    const key = keyOf(text);
    const version = this.#versions.get(text)!;
    for (let tries = 1;; tries++) {
      try {
        const object = await client.request(objectPath(key), { signal });
        // As new as what was noted, or newer, which will be noted in a moment.
        this.#fetched.set(text, version);
        const { body } = trimmed(key.kind, object);
        if (validate(key.kind, body).length > 0) return { key, object: null };
        return {
          key,
          object: {
            ...key,
            body: body as unknown as KindTypes[KindName],
            origin: `resourceVersion ${object.metadata.resourceVersion}`,
            heldBecause: "",
          },
        };
      } catch (error) {
        if (signal.aborted) throw error;
        if (error instanceof ApiError && error.status === 404) {
          this.#versions.delete(text);
          return { key, object: null };
        }
        if (tries < TRIES) {
          await delay(RETRY, signal);
          continue;
        }
        log.warn({ object: text, reason: messageOf(error) }, "an object cannot be read");
        this.#fetched.set(text, version);
        later(LATER, () => this.#fetched.delete(text));
        return null;
      }
    }
  }
}

function keyOf(text: string): ObjectKey {
  const [kind, namespace, name] = text.split("/") as [KindName, string, string];
  return { kind, namespace, name };
}
