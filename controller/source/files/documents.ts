import { lineFeeds } from "./yaml/parse_yaml.ts";

/** One document of a multi-document YAML file. */
export interface TextDocument {
  readonly text: string;
  /** Line of its first character in the file, counted from 1. */
  readonly line: number;
}

const TAB = 9;
const LF = 10;
const SPACE = 32;
const HASH = 35;

/** Characters of a mark without anything behind it. */
const BARE = 3;

const MARK = /^---(?:[ \t].*)?$/;

/** A mark whose line has more than a comment: the document begins on it. */
const CONTENT = /^---[ \t]+[^#\s]/;
const BYTE_ORDER_MARK = "\ufeff";

/**
 * Splits a file at its document marks without parsing it, so that unchanged documents cost a string
 * comparison. Empty documents are left out.
 * @param most documents to return; the text behind them is not looked at
 */
export function splitDocuments(text: string, most = Infinity): TextDocument[] {
  return splitLines(withoutByteOrderMarks(lineFeeds(text)), most);
}

/** Each document of a stream may begin with a mark (YAML 1.2.2 section 5.2). */
function withoutByteOrderMarks(text: string): string {
  if (!text.includes(BYTE_ORDER_MARK)) return text;
  const rest = text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text;
  return rest.replaceAll(`\n${BYTE_ORDER_MARK}`, "\n");
}

function splitLines(text: string, most: number): TextDocument[] {
  const documents: TextDocument[] = [];
  let start = 0;
  let line = 1;
  // Spaces for the mark keep the columns of what stands behind it.
  let indent = "";
  const take = (end: number) => {
    if (!hasContent(text, start, end)) return;
    documents.push({ text: indent + text.slice(start, end), line });
  };
  let at = text.startsWith("---", start) ? start : nextMark(text, start);
  while (at < text.length && documents.length < most) {
    let newline = text.indexOf("\n", at);
    if (newline < 0) newline = text.length;
    const mark = newline - at <= BARE ? "---" : text.slice(at, newline);
    if (mark.length <= BARE || MARK.test(mark)) {
      take(at);
      line += countLines(text, start, at);
      start = at + BARE;
      indent = " ".repeat(BARE);
      if (mark.length <= BARE || !CONTENT.test(mark)) {
        start = newline + 1;
        indent = "";
        line++;
      }
    }
    at = nextMark(text, newline);
  }
  if (documents.length < most) take(text.length);
  return documents;
}

/**
 * Finds the documents of a file that have a word in them. Unlike splitting, this costs nothing for the
 * other documents, of which there may be millions.
 */
export function* documentsWith(text: string, word: string): Generator<TextDocument> {
  const lines = lineFeeds(text);
  let end = 0;
  let line = 1;
  for (let at = lines.indexOf(word); at >= 0; at = lines.indexOf(word, end)) {
    const start = Math.max(lines.lastIndexOf("\n---", at) + 1, end);
    line += countLines(lines, end, start);
    end = nextMark(lines, at);
    yield { text: lines.slice(start, end).replace(/^---/, "   "), line };
    line += countLines(lines, start, end);
  }
}

/** Offset of the next line that begins like a mark; the text's length when there is none. */
function nextMark(text: string, from: number): number {
  const found = text.indexOf("\n---", from);
  return found < 0 ? text.length : found + 1;
}

/** How many lines end in a part of a text. A loop: texts of line ends alone are as fast as others. */
function countLines(text: string, start: number, end: number): number {
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
    } else if (code > SPACE || (code !== LF && code !== TAB && code !== SPACE)) {
      return true;
    }
  }
  return false;
}
