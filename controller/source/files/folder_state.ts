import { isDeepStrictEqual } from "node:util";
import type { KindName, KindTypes } from "../../../api/kinds.ts";
import { type HeldVersion, keptText } from "../../translate/held_versions.ts";
import { type ObjectKey, objectKey, type SourceChange } from "../../translate/source_object.ts";
import type { Taken } from "../source.ts";
import { SOURCE_LIMIT } from "../source_limits.ts";
import type { SourceProblem } from "../source_problem.ts";
import { ProblemList } from "../problem_list.ts";
import { splitDocuments } from "./documents.ts";
import { type ParsedFile, parseFile, refusedFile, type SourceDocument } from "./parse_file.ts";

/** A body that was accepted, kept for the case that its document turns bad. */
export interface LastGood {
  readonly key: ObjectKey;
  readonly body: KindTypes[KindName];
  readonly origin: string;
  /** When it was read (RFC 3339). */
  readonly since: string;
}

/** What a step of the source changed. */
export interface FolderStep {
  readonly changes: SourceChange[];
  /** Objects whose last good body is not needed any more. */
  readonly forgotten: string[];
}

/** What a file holds now: its text, null when it is gone, or why it cannot be read. */
export type FileText = string | null | UnreadableFile;

/** A file that cannot be read, or not as text. */
export interface UnreadableFile {
  readonly unreadable: string;
  /** What there is of its text: a policy in it still closes its target. */
  readonly remains?: string;
}

type Document = SourceDocument;

const WITHHELD = "the target of this ProxyPolicy cannot be told, so that no change is served; " +
  "correct or remove the document";

interface Claim {
  readonly file: string;
  readonly document: Document;
}

/** What the translator was told of an object. */
interface Told {
  /** Null for a body that is remembered. */
  readonly document: Document | null;
  readonly body: LastGood["body"];
  readonly heldBecause: string;
  readonly origin: string;
  readonly since: string;
}

/**
 * The objects of a folder of YAML files. Pure: told which text each file has now, it says what changed.
 * An object whose document is invalid keeps its last accepted version; of two documents for one object the
 * one that serves counts, else the first (by file name, then position), and the other is an error.
 */
export class FolderState {
  readonly #files = new Map<string, readonly Document[]>();
  /** Files with an invalid document, and objects with more than one: where problems are looked for. */
  readonly #faulty = new Set<string>();
  readonly #contested = new Set<string>();
  /** Documents by the object they name. */
  readonly #claims = new Map<string, Claim[]>();
  readonly #lastGood = new Map<string, LastGood>();
  readonly #served = new Map<string, Told>();
  /** Versions that translation does not accept, by object. */
  #held: ReadonlyMap<string, HeldVersion> = new Map();
  readonly #now: () => string;

  /**
   * @param remembered accepted bodies from before the start
   * @param now the time (RFC 3339)
   */
  constructor(remembered: Iterable<LastGood> = [], now: () => string = () => "") {
    for (const good of remembered) this.#lastGood.set(objectKey(good.key), good);
    this.#now = now;
  }

  get files(): Iterable<string> {
    return this.#files.keys();
  }

  get empty(): boolean {
    return this.#files.size === 0;
  }

  /** Objects of a file that a new text would remove. */
  removals(file: string, text: string): boolean {
    const old = this.#files.get(file);
    // A text with too many documents is refused as a whole, and removes nothing.
    return old !== undefined &&
      splitDocuments(text, SOURCE_LIMIT.documents + 1).length < old.length;
  }

  /** Parses the text of a file; of documents that it had before, the result is taken over. */
  parse(file: string, text: string): Generator<void, ParsedFile> {
    return parseFile(text, this.#files.get(file) ?? []);
  }

  /** Sets the texts of files, or what they were parsed to. */
  apply(files: Iterable<readonly [string, FileText | ParsedFile]>): FolderStep {
    const touched = new Map<string, ObjectKey>();
    for (const [file, text] of files) {
      const old = this.#files.get(file) ?? this.#remembered(file);
      const next = text === null ? null : withHeld(this.#documentsOf(file, text), old);
      if (next?.some(({ parsed }) => parsed.problems.length > 0)) this.#faulty.add(file);
      else this.#faulty.delete(file);
      if (next === null) this.#files.delete(file);
      else this.#files.set(file, next);
      // Documents that stayed as they are, in their place, need no second look.
      const kept = new Set<Document>(next ?? []);
      const gone = old.filter((document) => !kept.has(document));
      const known = new Set<Document>(old);
      const come = (next ?? []).filter((document) => !known.has(document));
      for (const { parsed: { key } } of [...gone, ...come]) {
        if (key !== null) touched.set(objectKey(key), key);
      }
      this.#reclaim(file, gone, come);
    }
    return this.#settle(touched);
  }

  /** Takes in what became of the changes; returns the bodies that are the last accepted ones now. */
  judged({ accepted, held }: Pick<Taken, "accepted" | "held">): LastGood[] {
    this.#held = held;
    const good: LastGood[] = [];
    for (const key of accepted) {
      const text = objectKey(key);
      const told = this.#served.get(text);
      if (told === undefined || told.heldBecause !== "") continue;
      const { body, origin, since } = told;
      const old = this.#lastGood.get(text);
      if (old?.origin === origin && isDeepStrictEqual(old.body, body)) continue;
      const entry = { key, body, origin, since };
      this.#lastGood.set(text, entry);
      good.push(entry);
    }
    return good;
  }

  /** What served before the start of the objects that changes are about, and the changes that differ from it. */
  comparedWithRemembered(
    changes: readonly SourceChange[],
  ): { remembered: SourceChange[]; rest: SourceChange[] } {
    const remembered: SourceChange[] = [];
    const rest: SourceChange[] = [];
    for (const change of changes) {
      const { key, object } = change;
      const good = this.#lastGood.get(objectKey(key));
      if (good !== undefined) {
        const { body, origin, since } = good;
        remembered.push({ key, object: { ...key, body, origin, heldBecause: "", readAt: since } });
      }
      const same = good !== undefined && object?.heldBecause === "" &&
        object.origin === good.origin && isDeepStrictEqual(object.body, good.body);
      if (!same) rest.push(change);
    }
    return { remembered, rest };
  }

  /** Drops the last good bodies of objects that no document names; returns their keys. */
  forgetUnclaimed(): string[] {
    const unclaimed = [...this.#lastGood.keys()].filter((key) => !this.#claims.has(key));
    for (const key of unclaimed) this.#lastGood.delete(key);
    return unclaimed;
  }

  /** What a file held before the start, as far as it served. */
  #remembered(file: string): Document[] {
    const documents: Document[] = [];
    for (const { key, origin } of this.#lastGood.values()) {
      if (origin !== file) continue;
      documents.push({
        text: "",
        line: 0,
        parsed: { key, body: null, substitute: null, targetUnknown: false, problems: [] },
      });
    }
    return documents;
  }

  /**
   * Whether a ProxyPolicy is invalid and what it restricts cannot be told. What changed meanwhile may be
   * what it was meant to restrict, so nothing new may be served.
   */
  get withheld(): boolean {
    for (const file of this.#faulty) {
      for (const { parsed: { key, targetUnknown } } of this.#files.get(file) ?? []) {
        if (targetUnknown && (key === null || !this.#lastGood.has(objectKey(key)))) return true;
      }
    }
    return false;
  }

  /** Where the document of an object is that counts; null for an object of no document. */
  placeOf(object: string): { readonly file: string; readonly line: number } | null {
    const claim = this.#claims.get(object)?.[0];
    return claim === undefined ? null : { file: claim.file, line: claim.document.line };
  }

  /** The problems there are now, as many as are shown. */
  problems(): SourceProblem[] {
    const problems = new ProblemList();
    for (const file of this.#faulty) {
      for (const { parsed } of this.#files.get(file) ?? []) {
        const object = parsed.key === null ? "" : objectKey(parsed.key);
        const lastGoodServing = this.#lastGood.has(object);
        for (const { line, path, reason } of parsed.problems) {
          problems.add({ file, line, path, object, reason, lastGoodServing });
        }
        if (parsed.targetUnknown && !lastGoodServing) {
          const { line } = parsed.problems[0];
          problems.add({ file, line, path: "", object, reason: WITHHELD, lastGoodServing });
        }
      }
    }
    for (const [object, { reason, serves }] of this.#held) {
      const place = this.placeOf(object);
      if (place === null) continue;
      problems.add({ ...place, path: "", object, reason, lastGoodServing: serves });
    }
    for (const object of this.#contested) {
      const [first, ...others] = this.#claims.get(object)!;
      const reason = `already defined at ${first.file}:${first.document.line}`;
      for (const { file, document: { line } } of others) {
        problems.add({
          file,
          line,
          path: "metadata.name",
          object,
          reason,
          lastGoodServing: false,
        });
      }
    }
    return problems.shown();
  }

  #documentsOf(file: string, text: string | UnreadableFile | ParsedFile): Document[] {
    if (typeof text === "string") return finished(this.parse(file, text));
    if (!("unreadable" in text)) return [...text.documents];
    return finished(refusedFile(text.unreadable, 0, text.remains ?? ""));
  }

  #reclaim(file: string, old: readonly Document[], next: readonly Document[]): void {
    const gone = new Set(old);
    const come = new Map<string, Claim[]>();
    for (const { parsed: { key } } of old) if (key !== null) come.set(objectKey(key), []);
    for (const document of next) {
      const { key } = document.parsed;
      if (key === null) continue;
      const claims = come.get(objectKey(key));
      if (claims === undefined) come.set(objectKey(key), [{ file, document }]);
      else claims.push({ file, document });
    }
    for (const [key, added] of come) {
      const rest = (this.#claims.get(key) ?? []).filter(({ document }) => !gone.has(document));
      const claims = rest.concat(added);
      const ranks = new Map(claims.map((claim) => [claim, this.#rank(key, claim)]));
      claims.sort((a, b) =>
        ranks.get(a)! - ranks.get(b)! ||
        (a.file < b.file ? -1 : a.file > b.file ? 1 : a.document.line - b.document.line)
      );
      if (claims.length === 0) this.#claims.delete(key);
      else this.#claims.set(key, claims);
      if (claims.length > 1) this.#contested.add(key);
      else this.#contested.delete(key);
    }
  }

  /** The document that serves comes before others for its object, then those of its file. */
  #rank(key: string, { file, document }: Claim): number {
    const told = this.#served.get(key);
    if (told?.document?.parsed === document.parsed && told.origin === file) return 0;
    return (told ?? this.#lastGood.get(key))?.origin === file ? 1 : 2;
  }

  #settle(touched: ReadonlyMap<string, ObjectKey>): FolderStep {
    const step: FolderStep = { changes: [], forgotten: [] };
    for (const [text, key] of touched) {
      const claim = this.#claims.get(text)?.[0];
      const served = this.#served.get(text);
      if (claim === undefined) {
        this.#served.delete(text);
        if (this.#lastGood.delete(text)) step.forgotten.push(text);
        if (served !== undefined) step.changes.push({ key, object: null });
        continue;
      }
      const { document, file } = claim;
      // Without its line: a change above would move it for every object of the file.
      const origin = file;
      if (document.parsed.body !== null) {
        if (served?.document?.parsed === document.parsed && served.origin === origin) continue;
        const { body } = document.parsed;
        const since = this.#now();
        this.#served.set(text, { document, body, heldBecause: "", origin, since });
        const object = { ...key, body, origin, heldBecause: "", readAt: since };
        step.changes.push({ key, object });
        continue;
      }
      const { substitute } = document.parsed;
      const good = this.#lastGood.get(text) ??
        (substitute === null ? undefined : { key, body: substitute, origin, since: "" });
      if (good === undefined) {
        this.#served.delete(text);
        if (served !== undefined) step.changes.push({ key, object: null });
        continue;
      }
      const problem = document.parsed.problems[0];
      const reason = `${file}:${problem.line}: ${problem.path}: ${problem.reason}`;
      // What stands for a policy that never served serves nothing.
      const heldBecause = this.#lastGood.has(text) ? keptText(reason, good.since) : reason;
      if (served?.heldBecause === heldBecause && served.body === good.body) continue;
      const { body, since } = good;
      this.#served.set(text, { document: null, body, heldBecause, origin, since });
      const object = { ...key, body, origin: good.origin, heldBecause, readAt: since };
      step.changes.push({ key, object });
    }
    return step;
  }
}

/** Runs a generator to its end. */
function finished(steps: Generator<void, ParsedFile>): Document[] {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return [...step.value.documents];
  }
}

/**
 * While a document cannot even be told apart (a syntax error), no object that the file held before is
 * taken for removed: it stays claimed, with that document's problem.
 */
function withHeld(next: Document[], old: readonly Document[]): Document[] {
  const broken = next.find(({ parsed }) => parsed.key === null && parsed.problems.length > 0);
  if (broken === undefined) return next;
  const present = new Set(
    next.map(({ parsed }) => parsed.key === null ? "" : objectKey(parsed.key)),
  );
  for (const { parsed: { key } } of old) {
    if (key === null || present.has(objectKey(key))) continue;
    next.push({
      ...broken,
      parsed: { ...broken.parsed, key, substitute: null, targetUnknown: false },
    });
  }
  return next;
}
