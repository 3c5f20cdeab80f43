import type { KindName, KindTypes } from "../../../api/kinds.ts";
import {
  type ObjectKey,
  objectKey,
  type SourceChange,
  type SourceObject,
} from "../../translate/source_object.ts";
import type { SourceProblem } from "../source_problem.ts";
import { splitDocuments, type TextDocument } from "./documents.ts";
import { type ParsedDocument, parseObject } from "./parse.ts";

/** A body that served before, kept for the case that its document turns bad. */
export interface LastGood {
  readonly key: ObjectKey;
  readonly body: KindTypes[KindName];
  readonly origin: string;
}

/** What a step of the source changed. */
export interface FolderStep {
  readonly changes: SourceChange[];
  /** Bodies that became the last good ones. */
  readonly good: LastGood[];
  /** Objects whose last good body is not needed any more. */
  readonly forgotten: string[];
}

/** What a file holds now: its text, null when it is gone, or why it cannot be read. */
export type FileText = string | null | { readonly unreadable: string };

interface Document extends TextDocument {
  readonly parsed: ParsedDocument;
}

interface Claim {
  readonly file: string;
  readonly document: Document;
}

/**
 * The objects of a folder of YAML files. Pure: told which text each file has now, it says what changed.
 * An object whose document is invalid keeps its last good version; of two documents for one object the
 * first (by file name, then position) counts and the other is an error.
 */
export class FolderState {
  readonly #files = new Map<string, readonly Document[]>();
  /** Files with an invalid document, and objects with more than one: where problems are looked for. */
  readonly #faulty = new Set<string>();
  readonly #contested = new Set<string>();
  /** Documents by the object they name. */
  readonly #claims = new Map<string, Claim[]>();
  readonly #lastGood = new Map<string, LastGood>();
  /** What the translator was told, by object. */
  readonly #served = new Map<
    string,
    { document: Document | null; heldBecause: string; origin: string }
  >();

  /** @param remembered last good bodies from before the start */
  constructor(remembered: Iterable<LastGood> = []) {
    for (const good of remembered) this.#lastGood.set(objectKey(good.key), good);
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
    return old !== undefined && splitDocuments(text).length < old.length;
  }

  /** Sets the texts of files. */
  apply(files: Iterable<readonly [string, FileText]>): FolderStep {
    const touched = new Map<string, ObjectKey>();
    for (const [file, text] of files) {
      const old = this.#files.get(file) ?? this.#remembered(file);
      const next = text === null ? null : withHeld(documentsOf(text, old), old);
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
        parsed: { key, body: null, substitute: null, problems: [] },
      });
    }
    return documents;
  }

  /** Every problem there is now. */
  problems(): SourceProblem[] {
    const problems: SourceProblem[] = [];
    for (const file of this.#faulty) {
      for (const { parsed } of this.#files.get(file) ?? []) {
        const object = parsed.key === null ? "" : objectKey(parsed.key);
        const lastGoodServing = this.#lastGood.has(object);
        for (const { line, path, reason } of parsed.problems) {
          problems.push({ file, line, path, object, reason, lastGoodServing });
        }
      }
    }
    for (const object of this.#contested) {
      const [first, ...others] = this.#claims.get(object)!;
      const reason = `already defined at ${first.file}:${first.document.line}`;
      for (const { file, document: { line } } of others) {
        problems.push({
          file,
          line,
          path: "metadata.name",
          object,
          reason,
          lastGoodServing: false,
        });
      }
    }
    return problems.sort((a, b) => a.file < b.file ? -1 : a.file > b.file ? 1 : a.line - b.line);
  }

  #reclaim(file: string, old: readonly Document[], next: readonly Document[]): void {
    for (const { parsed } of old) {
      if (parsed.key === null) continue;
      const key = objectKey(parsed.key);
      const rest = (this.#claims.get(key) ?? []).filter(({ document }) =>
        document.parsed !== parsed
      );
      if (rest.length === 0) this.#claims.delete(key);
      else this.#claims.set(key, rest);
    }
    for (const document of next) {
      if (document.parsed.key === null) continue;
      const key = objectKey(document.parsed.key);
      const claims = [...(this.#claims.get(key) ?? []), { file, document }];
      claims.sort((a, b) =>
        a.file < b.file ? -1 : a.file > b.file ? 1 : a.document.line - b.document.line
      );
      this.#claims.set(key, claims);
    }
    for (const { parsed } of [...old, ...next]) {
      if (parsed.key === null) continue;
      const key = objectKey(parsed.key);
      if ((this.#claims.get(key)?.length ?? 0) > 1) this.#contested.add(key);
      else this.#contested.delete(key);
    }
  }

  #settle(touched: ReadonlyMap<string, ObjectKey>): FolderStep {
    const step: FolderStep = { changes: [], good: [], forgotten: [] };
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
        const good: LastGood = { key, body, origin };
        if (served?.document?.text !== document.text) step.good.push(good);
        this.#lastGood.set(text, good);
        this.#served.set(text, { document, heldBecause: "", origin });
        step.changes.push({ key, object: { ...key, body, origin, heldBecause: "" } });
        continue;
      }
      const { substitute } = document.parsed;
      const good = this.#lastGood.get(text) ??
        (substitute === null ? undefined : { key, body: substitute, origin });
      if (good === undefined) {
        this.#served.delete(text);
        if (served !== undefined) step.changes.push({ key, object: null });
        continue;
      }
      const problem = document.parsed.problems[0];
      const heldBecause = `${file}:${problem.line}: ${problem.path}: ${problem.reason}`;
      if (served?.heldBecause === heldBecause) continue;
      this.#served.set(text, { document: null, heldBecause, origin });
      const object: SourceObject = { ...key, body: good.body, origin: good.origin, heldBecause };
      step.changes.push({ key, object });
    }
    return step;
  }
}

/** Documents of a file; one that cannot be read is a single document that cannot be told apart. */
function documentsOf(text: string | { unreadable: string }, old: readonly Document[]): Document[] {
  if (typeof text === "string") return parseChanged(text, old);
  const problems = [{ path: "", reason: text.unreadable, line: 0 }];
  return [{ text: "", line: 0, parsed: { key: null, body: null, substitute: null, problems } }];
}

/** Splits a text and parses only the documents that the file did not have before. */
function parseChanged(text: string, old: readonly Document[]): Document[] {
  const known = new Map(old.map((document) => [document.text, document]));
  return splitDocuments(text).map((document, i) => {
    const same = old[i]?.text === document.text ? old[i] : known.get(document.text);
    if (same === undefined) return { ...document, parsed: parseObject(document) };
    if (same.line === document.line) return same;
    const moved = document.line - same.line;
    const problems = same.parsed.problems.map((p) => ({ ...p, line: p.line + moved }));
    return {
      ...document,
      parsed: problems.length === 0 ? same.parsed : { ...same.parsed, problems },
    };
  });
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
      parsed: { key, body: null, substitute: null, problems: broken.parsed.problems },
    });
  }
  return next;
}
