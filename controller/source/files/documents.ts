/** One document of a multi-document YAML file. */
export interface TextDocument {
  readonly text: string;
  /** Line of its first character in the file, counted from 1. */
  readonly line: number;
}

const MARK = /^---(?:[ \t].*)?\r?$/;

/** A mark whose line has more than a comment: the document begins on it. */
const CONTENT = /^---[ \t]+[^#\s]/;
const BYTE_ORDER_MARK = "\ufeff";

/**
 * Splits a file at its document marks without parsing it, so that unchanged documents cost a string
 * comparison. Empty documents are left out.
 * @param most documents to return; the text behind them is not looked at
 */
export function splitDocuments(text: string, most = Infinity): TextDocument[] {
  const documents: TextDocument[] = [];
  let start = text.startsWith(BYTE_ORDER_MARK) ? 1 : 0;
  let startLine = 1;
  let line = 1;
  let at = start;
  const take = (end: number) => {
    const body = text.slice(start, end);
    if (hasContent(body)) documents.push({ text: body, line: startLine });
  };
  while (at < text.length && documents.length < most) {
    let newline = text.indexOf("\n", at);
    if (newline < 0) newline = text.length;
    if (
      text.charCodeAt(at) === 45 && text.startsWith("---", at) && MARK.test(text.slice(at, newline))
    ) {
      take(at);
      const begins = CONTENT.test(text.slice(at, newline));
      start = begins ? at + 3 : newline + 1;
      startLine = begins ? line : line + 1;
    }
    at = newline + 1;
    line++;
  }
  if (documents.length < most) take(text.length);
  return documents;
}

function hasContent(text: string): boolean {
  return /^[ \t]*[^#\s]/m.test(text);
}
