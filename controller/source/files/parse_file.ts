import { overLimit, SOURCE_LIMIT } from "../source_limits.ts";
import { documentsWith, splitDocuments, type TextDocument } from "./documents.ts";
import { withoutLists } from "./lists.ts";
import { type ParsedDocument, parseObject, refused } from "./parse.ts";

/** A document and what it holds. */
export interface SourceDocument extends TextDocument {
  readonly parsed: ParsedDocument;
}

/** The documents of a file. */
export interface ParsedFile {
  readonly documents: readonly SourceDocument[];
}

/**
 * Returns what stands for a file that is refused: a document that cannot be told apart, and the policies of
 * the file, which close their targets. Yields like `parseFile`.
 * @param remains what there is of its text
 */
export function* refusedFile(
  reason: string,
  line: number,
  remains: string,
): Generator<void, ParsedFile> {
  const problems = [{ path: "", reason, line }];
  const nothing = { key: null, body: null, substitute: null, targetUnknown: false };
  const documents: SourceDocument[] = [{ text: "", line, parsed: { ...nothing, problems } }];
  let looked = 0;
  for (const document of documentsWith(remains, "ProxyPolicy")) {
    if (looked > SOURCE_LIMIT.sliceCharacters) {
      yield;
      looked = 0;
    }
    looked += document.text.length;
    const parsed = refused(document.text);
    if (parsed.key === null && !parsed.targetUnknown) continue;
    const here = [{ path: "", reason, line: document.line }];
    documents.push({ ...document, parsed: { ...parsed, problems: here } });
  }
  return { documents };
}

/**
 * Splits a text and parses the documents that the file did not have before. Yields from time to time, so
 * that the caller may let other work come between.
 * @param old documents of the file before
 */
export function* parseFile(
  text: string,
  old: readonly SourceDocument[],
): Generator<void, ParsedFile> {
  const { documents: most, fileBytes, sliceCharacters } = SOURCE_LIMIT;
  if (text.length > fileBytes) {
    const found = `the file has ${text.length.toLocaleString("en-US")} characters`;
    return yield* refusedFile(overLimit(found, "fileBytes"), 1, "");
  }
  const texts = yield* withoutLists(splitDocuments(text, most + 1), most + 1);
  if (texts.length > most) {
    const reason = overLimit("the file has too many documents", "documents");
    return yield* refusedFile(reason, texts[most].line, text);
  }
  const known = new Map(old.map((document) => [document.text, document]));
  const documents: SourceDocument[] = [];
  let parsed = 0;
  for (const [i, document] of texts.entries()) {
    const same = old[i]?.text === document.text ? old[i] : known.get(document.text);
    if (same !== undefined) {
      documents.push(moved(same, document));
      continue;
    }
    if (parsed > 0 && parsed + document.text.length > sliceCharacters) {
      yield;
      parsed = 0;
    }
    parsed += document.text.length;
    documents.push({ ...document, parsed: parseObject(document) });
  }
  return { documents };
}

/** A document that was parsed before, at its line now. */
function moved(same: SourceDocument, document: TextDocument): SourceDocument {
  if (same.line === document.line) return same;
  const distance = document.line - same.line;
  const problems = same.parsed.problems.map((p) => ({ ...p, line: p.line + distance }));
  return {
    ...document,
    parsed: problems.length === 0 ? same.parsed : { ...same.parsed, problems },
  };
}
