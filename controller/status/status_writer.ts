import { messageOf } from "../../common/errors.ts";
import type { Logger } from "../../common/log.ts";
import { Kind } from "../../common/delta/resources.ts";
import { Outcome } from "../../proto/gen/novaedge/v1/distribution.ts";
import { type ApiClient, ApiError, MERGE_PATCH } from "../source/kubernetes/api_client.ts";
import type { ObjectFacts } from "../source/kubernetes/kubernetes_source.ts";
import { objectPath } from "../source/kubernetes/paths.ts";
import { isNewer } from "../source/kubernetes/reflector.ts";
import { WITH_STATUS } from "../source/kubernetes/trim.ts";
import { type ObjectKey, originOf } from "../translate/source_object.ts";
import type { ResourceUpdate } from "../translate/translator.ts";
import { Attachments } from "./attachments.ts";
import { type Programming, type Status, statusOf } from "./status_documents.ts";

/** Writes under way at once. */
const PARALLEL = 10;
/** Writes a second, and how many may come at once after a rest. */
const RATE = 100;
const BURST = 200;
/** Milliseconds between two writes of one object, for what changes with each route. */
const PAUSE = 200;
/** Milliseconds until a write that failed is tried again, at first and at most. */
const FIRST_WAIT = 200;
const LAST_WAIT = 30_000;
/** Kinds that are served by nodes. */
const SERVED = new Set(["Gateway", "ListenerSet"]);

/** What the writer needs of the controller. */
export interface StatusWriterOptions {
  readonly client: Pick<ApiClient, "request">;
  readonly log: Logger;
  /** What is known of an object in the cluster. */
  readonly factsOf: (key: ObjectKey) => ObjectFacts | undefined;
  /** Whether what an object promises is in place on the nodes. @param listener "" for the object itself */
  readonly programmed: (key: string, listener: string) => Programming;
  /** Whether this controller may write now. */
  readonly leads: () => boolean;
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
  /** Now, RFC 3339 to the second. */
  readonly time: () => string;
}

interface Pending {
  /** When it may be written, in milliseconds. */
  at: number;
  /** Milliseconds that the next failure waits. */
  wait: number;
}

/**
 * Writes the statuses of a cluster's objects: patches, only what changed, at a limited rate, and only while
 * this controller leads. Each carries the version of the object that it was made from; where that is old it
 * is made anew from the newer one.
 */
export class StatusWriter {
  readonly #options: StatusWriterOptions;
  readonly #outcomes = new Map<string, Outcome>();
  /** Those whose status says how the nodes stand. */
  readonly #served = new Set<string>();
  readonly #attachments = new Attachments();
  readonly #pending = new Map<string, Pending>();
  /** What was written last, and the version that came of it: what the API server drops is not written again. */
  readonly #written = new Map<string, { text: string; facts: ObjectFacts; at: number }>();
  readonly #busy = new Set<string>();
  #tokens = BURST;
  #refilled: number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stopped = false;
  /** Patches sent. */
  writes = 0;
  /** Patches that were refused or got no answer. */
  failures = 0;

  constructor(options: StatusWriterOptions) {
    this.#options = options;
    this.#refilled = options.now();
  }

  /** Objects whose status may differ from what the cluster has. */
  get waiting(): number {
    return this.#pending.size + this.#busy.size;
  }

  /** Outcomes changed. */
  update(updates: readonly ResourceUpdate[]): void {
    for (const { kind, name, resource } of updates) {
      if (kind !== Kind.KIND_OUTCOME || !WITH_STATUS.has(keyOf(name).kind)) continue;
      const before = this.#outcomes.get(name);
      const after = resource === null ? undefined : Outcome.decode(resource.body);
      if (after === undefined) this.#outcomes.delete(name);
      else this.#outcomes.set(name, after);
      if (after === undefined) this.#served.delete(name);
      else if (SERVED.has(after.kind)) this.#served.add(name);
      for (const owner of this.#attachments.update(name, before, after)) this.touch(owner);
      this.touch(name);
    }
  }

  /** Something changed that an object's status says, or its status itself. */
  touch(key: string): void {
    const known = this.#pending.get(key);
    const last = this.#written.get(key)?.at ?? -PAUSE;
    const at = Math.max(this.#options.now(), last + PAUSE);
    if (known === undefined) this.#pending.set(key, { at, wait: FIRST_WAIT });
    else if (known.wait === FIRST_WAIT) known.at = Math.min(known.at, at);
    this.#schedule(0);
  }

  /** All objects of kinds whose status says how the nodes stand. */
  touchServed(): void {
    for (const key of this.#served) this.touch(key);
  }

  /** Everything is looked at anew: this controller leads now. */
  touchAll(): void {
    for (const key of this.#outcomes.keys()) this.touch(key);
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #schedule(milliseconds: number): void {
    if (this.#timer !== undefined || this.#stopped) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#pump();
    }, milliseconds);
  }

  #pump(): void {
    const { now, leads } = this.#options;
    // Whoever leads writes; when that is us, everything is touched.
    if (!leads()) {
      this.#pending.clear();
      return;
    }
    const time = now();
    this.#tokens = Math.min(BURST, this.#tokens + (time - this.#refilled) * RATE / 1_000);
    this.#refilled = time;
    let next = Infinity;
    for (const [key, pending] of this.#pending) {
      if (this.#busy.size >= PARALLEL) return;
      if (this.#busy.has(key)) continue;
      if (pending.at > time) {
        next = Math.min(next, pending.at - time);
        continue;
      }
      const document = this.#document(key);
      if (document === null) {
        this.#pending.delete(key);
        continue;
      }
      if (this.#tokens < 1) {
        next = 1_000 / RATE;
        break;
      }
      this.#tokens--;
      this.#pending.delete(key);
      this.#busy.add(key);
      void this.#write(key, document, pending.wait).finally(() => {
        this.#busy.delete(key);
        this.#schedule(0);
      });
    }
    if (next !== Infinity) this.#schedule(next);
  }

  /** What there is to write of an object; null for nothing. */
  #document(key: string): { facts: ObjectFacts; status: Status; text: string } | null {
    const outcome = this.#outcomes.get(key);
    const facts = this.#factsOf(key);
    if (outcome === undefined || facts === undefined) return null;
    // A newer one is on its way through translation.
    if (outcome.source !== originOf(facts.generation)) return null;
    const { programmed, time } = this.#options;
    const status = statusOf(outcome, {
      generation: facts.generation,
      status: facts.status as Status | undefined,
      now: time(),
      attachedRoutes: (listener) => this.#attachments.routes(key, listener),
      attachedSets: this.#attachments.sets(key),
      programmed: (listener) => programmed(key, listener),
    });
    if (status === null) return null;
    const text = JSON.stringify(status);
    const last = this.#written.get(key);
    const again = last?.text === text && last.facts.resourceVersion === facts.resourceVersion;
    return again ? null : { facts, status, text };
  }

  /** What is known of an object: what our last write came to, where the watch has not brought it yet. */
  #factsOf(key: string): ObjectFacts | undefined {
    const seen = this.#options.factsOf(keyOf(key));
    const own = this.#written.get(key)?.facts;
    if (seen === undefined || own === undefined) return seen;
    return isNewer(own.resourceVersion, seen.resourceVersion) ? own : seen;
  }

  async #write(
    key: string,
    { facts, status, text }: { facts: ObjectFacts; status: Status; text: string },
    wait: number,
  ): Promise<void> {
    const { client, log, now } = this.#options;
    this.writes++;
    try {
      const object = await client.request(`${objectPath(keyOf(key))}/status`, {
        method: "PATCH",
        contentType: MERGE_PATCH,
        body: { metadata: { resourceVersion: facts.resourceVersion }, status },
      });
      const { resourceVersion, generation = facts.generation } = object.metadata;
      this.#written.set(key, {
        text,
        at: now(),
        facts: { ...facts, resourceVersion, generation: Number(generation), status: object.status },
      });
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return;
      this.failures++;
      const conflict = error instanceof ApiError && error.status === 409;
      if (!conflict) log.warn({ object: key, reason: messageOf(error) }, "cannot write a status");
      // The watch brings the newer version in a moment.
      const later = Math.min(LAST_WAIT, conflict ? FIRST_WAIT : wait * 2);
      this.#pending.set(key, { at: now() + later, wait: later });
    }
  }
}

/** Key of an object from its text. */
function keyOf(text: string): ObjectKey {
  const [kind, namespace, name] = text.split("/") as [ObjectKey["kind"], string, string];
  return { kind, namespace, name };
}
