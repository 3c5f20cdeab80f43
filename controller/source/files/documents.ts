/** One document of a multi-document YAML file. */
export interface TextDocument {
  readonly text: string;
  /** Line of its first character in the file, counted from 1. */
  readonly line: number;
}

const MARK = /^---(?:[ \t].*)?\r?$/;

/**
 * Splits a file at its document marks without parsing it, so that unchanged documents cost a string
 * comparison. Empty documents are left out.
 */
export function splitDocuments(text: string): TextDocument[] {
  const documents: TextDocument[] = [];
  let start = 0;
  let startLine = 1;
  let line = 1;
  let at = 0;
  const take = (end: number) => {
    const body = text.slice(start, end);
    if (hasContent(body)) documents.push({ text: body, line: startLine });
  };
  while (at < text.length) {
    let newline = text.indexOf("\n", at);
    if (newline < 0) newline = text.length;
    if (
      text.charCodeAt(at) === 45 && text.startsWith("---", at) && MARK.test(text.slice(at, newline))
    ) {
      take(at);
      start = newline + 1;
      startLine = line + 1;
    }
    at = newline + 1;
    line++;
  }
  take(text.length);
  return documents;
}

function hasContent(text: string): boolean {
  return /^[ \t]*[^#\s]/m.test(text);
}
