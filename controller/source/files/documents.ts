/** One document of a multi-document YAML file. */
export interface TextDocument {
  readonly text: string;
  /** Line of its first character in the file, counted from 1. */
  readonly line: number;
}

const TAB = 9;
const LF = 10;
const CR = 13;
const SPACE = 32;
const HASH = 35;

/** Characters of a mark without anything behind it. */
const BARE = 3;

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
  let line = 1;
  const take = (end: number) => {
    if (hasContent(text, start, end)) documents.push({ text: text.slice(start, end), line });
  };
  let at = text.startsWith("---", start) ? start : nextMark(text, start);
  while (at < text.length && documents.length < most) {
    let newline = text.indexOf("\n", at);
    if (newline < 0) newline = text.length;
    const mark = newline - at <= BARE ? "---" : text.slice(at, newline);
    if (mark.length <= BARE || MARK.test(mark)) {
      take(at);
      line += lineFeeds(text, start, at);
      start = at + 3;
      if (mark.length <= BARE || !CONTENT.test(mark)) {
        start = newline + 1;
        line++;
      }
    }
    at = nextMark(text, newline);
  }
  if (documents.length < most) take(text.length);
  return documents;
}

/** Offset of the next line that begins like a mark; the text's length when there is none. */
function nextMark(text: string, from: number): number {
  const found = text.indexOf("\n---", from);
  return found < 0 ? text.length : found + 1;
}

/** How many lines end in a part of a text. A loop: texts of line ends alone are as fast as others. */
function lineFeeds(text: string, start: number, end: number): number {
  let count = 0;
  for (let at = start; at < end; at++) if (text.charCodeAt(at) === LF) count++;
  return count;
}

/** Whether a part of a text has more than comments and white space. */
function hasContent(text: string, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const code = text.charCodeAt(at);
    if (code === HASH) {
      at = text.indexOf("\n", at);
      if (at < 0) return false;
    } else if (code > SPACE || (code !== LF && code !== CR && code !== TAB && code !== SPACE)) {
      return true;
    }
  }
  return false;
}
