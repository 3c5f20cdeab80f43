import { overLimit, SOURCE_LIMIT } from "../source_limits.ts";
import { splitDocuments, type TextDocument } from "./documents.ts";
import { type ParsedDocument, parseObject } from "./parse.ts";

/** A document and what it holds. */
export interface SourceDocument extends TextDocument {
  readonly parsed: ParsedDocument;
}

/** The documents of a file. */
export interface ParsedFile {
  readonly documents: readonly SourceDocument[];
}

/** Returns what stands for a file that cannot be read: a document that cannot be told apart. */
export function unreadable(reason: string, line: number): SourceDocument {
  const problems = [{ path: "", reason, line }];
  return { text: "", line, parsed: { key: null, body: null, substitute: null, problems } };
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
    return { documents: [unreadable(overLimit(found, "fileBytes"), 1)] };
  }
  const texts = splitDocuments(text, most + 1);
  if (texts.length > most) {
    const reason = overLimit("the file has too many documents", "documents");
    return { documents: [unreadable(reason, texts[most].line)] };
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
