import type { KindName } from "../../api/kinds.ts";
import { type Failure, failureText, newFailures } from "./failures.ts";
import {
  type ObjectKey,
  objectKey,
  type SourceChange,
  type SourceObject,
} from "./source_object.ts";
import type { ResourceUpdate, Translator, UpdateTrace } from "./translator.ts";

/** Kinds that restrict: what is wrong with one of these closes what it protects, whatever served before. */
const RESTRICTING: ReadonlySet<KindName> = new Set([
  "ProxyPolicy",
  "BackendTLSPolicy",
  "ReferenceGrant",
]);
/** What two objects that both serve cannot have at once. */
const CONFLICTS: ReadonlySet<string> = new Set([
  "Conflicted",
  "HostnameConflict",
  "PathConflict",
  "ProtocolConflict",
]);

/** A version of an object that is not served. */
export interface HeldVersion {
  readonly key: ObjectKey;
  readonly reason: string;
  /** Whether an earlier version of the object serves meanwhile. */
  readonly serves: boolean;
}

/** What became of changes. */
export interface Verdict {
  readonly updates: readonly ResourceUpdate[];
  /** Objects whose newest version serves from now on. */
  readonly accepted: readonly ObjectKey[];
}

interface Held extends HeldVersion {
  readonly change: SourceChange;
  /** Lookups of the version's derivation: when one of them has another result it may be accepted. */
  readonly reads: ReadonlySet<string>;
}

/** A version that is tried. */
interface Candidate {
  readonly change: SourceChange;
  /** What served before it; null for an object that did not. */
  readonly before: SourceObject | null;
}

/**
 * Lets a version of an object serve only when it makes nothing worse; otherwise the version before goes on. A
 * version is held when its outcome says something against the object that was not said before, a new object when
 * one that serves gets into conflict by it. Held versions are tried again when something that they
 * read changes. Deletions always count, and so do changes of what restricts. Pure, as translation is.
 */
export class HeldVersions {
  readonly #translator: Translator;
  readonly #held = new Map<string, Held>();

  constructor(translator: Translator) {
    this.#translator = translator;
  }

  /** Versions that are not served, by the key of their object. */
  get held(): ReadonlyMap<string, HeldVersion> {
    return this.#held;
  }

  /** Applies changes as far as they make nothing worse. */
  update(changes: readonly SourceChange[]): Verdict {
    const updates: ResourceUpdate[] = [];
    const accepted: ObjectKey[] = [];
    for (let due = changes; due.length > 0;) {
      for (const { key } of due) this.#held.delete(objectKey(key));
      const trace: UpdateTrace = { before: new Map(), touched: new Set() };
      const tried = this.#try(due, trace, updates);
      accepted.push(...tried);
      // Versions that were held a moment ago would fail again, unless one was accepted beside them.
      due = tried.length === 0 && due !== changes ? [] : this.#retries(trace.touched);
    }
    return { updates, accepted };
  }

  /** Tries versions together; returns the objects whose version was accepted. */
  #try(
    changes: readonly SourceChange[],
    trace: UpdateTrace,
    updates: ResourceUpdate[],
  ): ObjectKey[] {
    const candidates = new Map<string, Candidate>();
    for (const change of changes) {
      const key = objectKey(change.key);
      candidates.set(key, { change, before: this.#translator.objectAt(key) });
    }
    updates.push(...this.#translator.update(changes, trace));
    for (;;) {
      const guilty = this.#guilty(candidates, trace);
      if (guilty.size === 0) break;
      const reverts: SourceChange[] = [];
      for (const [key, text] of guilty) {
        const { change, before } = candidates.get(key)!;
        const reason = before === null ? `waits: ${text}` : keptText(text, before.readAt ?? "");
        candidates.delete(key);
        const reads = this.#translator.readsOf(key);
        const held = { key: change.key, reason, serves: before !== null, change, reads };
        this.#held.set(key, held);
        reverts.push({ key: change.key, object: before && { ...before, heldBecause: reason } });
      }
      updates.push(...this.#translator.update(reverts, trace));
    }
    return [...candidates.values()].map(({ change }) => change.key);
  }

  /** Candidates that make something worse, with the reason. */
  #guilty(candidates: ReadonlyMap<string, Candidate>, trace: UpdateTrace): Map<string, string> {
    const worse = new Map<string, readonly Failure[]>();
    for (const [key, before] of trace.before) {
      const failures = newFailures(before, this.#translator.failuresOf(key));
      if (failures.length > 0) worse.set(key, failures);
    }
    const own = [...worse.keys()].filter((key) => isReplaced(candidates.get(key)));
    if (own.length > 0) {
      // Of those that depend on each other the first ones: the others may be good without them.
      const first = own.filter((key) => !this.#dependsOn(key, own));
      return new Map((first.length > 0 ? first : own).map((key) => [key, textOf(worse.get(key)!)]));
    }
    return this.#intruders(candidates, worse);
  }

  /** New objects by which one that serves gets into conflict. */
  #intruders(
    candidates: ReadonlyMap<string, Candidate>,
    worse: ReadonlyMap<string, readonly Failure[]>,
  ): Map<string, string> {
    const intruders = new Map<string, string>();
    const hurt = [...worse].some(([key, failures]) =>
      !candidates.has(key) && failures.some(({ reason }) => CONFLICTS.has(reason))
    );
    if (!hurt) return intruders;
    for (const [key, { change, before }] of candidates) {
      if (change.object === null || before !== null) continue;
      const conflicts = this.#translator.failuresOf(key).filter(({ reason }) =>
        CONFLICTS.has(reason)
      );
      if (conflicts.length > 0) intruders.set(key, textOf(conflicts));
    }
    return intruders;
  }

  #dependsOn(key: string, others: readonly string[]): boolean {
    const reads = this.#translator.readsOf(key);
    return others.some((other) => other !== key && reads.has(`object:${other}`));
  }

  #retries(touched: ReadonlySet<string>): SourceChange[] {
    const due: SourceChange[] = [];
    for (const { change, reads } of this.#held.values()) {
      if ([...reads].some((read) => touched.has(read))) due.push(change);
    }
    return due;
  }
}

/** Whether a candidate is a new version of an object that serves, of a kind that may be held. */
function isReplaced(candidate: Candidate | undefined): boolean {
  if (candidate === undefined || candidate.before === null) return false;
  const { object } = candidate.change;
  // What a source holds is the version that serves.
  return object !== null && object.heldBecause === "" && !RESTRICTING.has(object.kind);
}

/** Why a version is not served, with the one that is. */
export function keptText(reason: string, since: string): string {
  return `${reason}; the version ${since === "" ? "before" : `read at ${since}`} keeps serving`;
}

function textOf(failures: readonly Failure[]): string {
  return failures.map(failureText).join("; ");
}
