import type { TextCursor } from "./text_cursor.ts";

const TAB = 9;
const LF = 10;
const SPACE = 32;

interface Header {
  readonly folded: boolean;
  readonly chomp: "" | "-" | "+";
  /** Indentation beyond the parent's; 0 when the first line tells. */
  readonly indent: number;
}

/**
 * Reads a block scalar whose "|" or ">" is at the position (YAML 1.2.2 section 8.1); the position is
 * then at the start of a line.
 * @param parent column of the collection that holds the scalar, -1 for none
 */
export function readBlockScalar(cursor: TextCursor, parent: number): string {
  const header = readHeader(cursor);
  const lines: string[] = [];
  let indent = header.indent === 0 ? 0 : Math.max(parent, 0) + header.indent;
  let longestBlank = 0;
  while (!cursor.atEnd) {
    let spaces = cursor.pos;
    const limit = indent === 0 ? Infinity : cursor.pos + indent;
    while (spaces < limit && cursor.text.charCodeAt(spaces) === SPACE && spaces < cursor.end) {
      spaces++;
    }
    const width = spaces - cursor.pos;
    const blank = spaces >= cursor.end || cursor.text.charCodeAt(spaces) === LF;
    if (!blank && (indent === 0 ? width <= parent : width < indent)) break;
    if (blank) longestBlank = Math.max(longestBlank, width);
    else if (indent === 0) {
      indent = width;
      if (longestBlank > width) {
        cursor.fail("a blank line before the first line is indented deeper than it", spaces);
      }
      // A scalar of a whole document may stand at column 0.
      if (width === 0) return finish(header, [...lines, ...columnZero(cursor)]);
    }
    cursor.pos = spaces;
    cursor.skipLine();
    lines.push(blank ? "" : cursor.text.slice(spaces, cursor.pos));
    if (!cursor.atEnd) cursor.newline();
  }
  return finish(header, lines);
}

function columnZero(cursor: TextCursor): string[] {
  const lines = cursor.text.slice(cursor.pos, cursor.end).split("\n");
  if (lines.at(-1) === "") lines.pop();
  cursor.pos = cursor.end;
  return lines;
}

function readHeader(cursor: TextCursor): Header {
  const folded = cursor.text.charAt(cursor.pos++) === ">";
  let chomp: Header["chomp"] = "";
  let indent = 0;
  for (;; cursor.pos++) {
    const character = cursor.text.charAt(cursor.pos);
    if (chomp === "" && (character === "-" || character === "+")) chomp = character;
    else if (indent === 0 && /^[1-9]$/.test(character)) indent = Number(character);
    else break;
  }
  cursor.skipSpaces();
  if (!cursor.atLineEnd) cursor.fail("unexpected text behind the mark of a block scalar");
  cursor.skipLine();
  if (!cursor.atEnd) cursor.newline();
  return { folded, chomp, indent };
}

function finish({ folded, chomp }: Header, lines: string[]): string {
  let count = lines.length;
  while (count > 0 && lines[count - 1] === "") count--;
  const content = lines.slice(0, count);
  const body = folded ? fold(content) : content.join("\n");
  if (chomp === "-") return body;
  if (chomp === "+") return (count > 0 ? body + "\n" : "") + "\n".repeat(lines.length - count);
  return count > 0 ? body + "\n" : "";
}

/** Joins lines by spaces, but not those that are indented deeper (YAML 1.2.2 section 8.1.3). */
function fold(lines: readonly string[]): string {
  const parts: string[] = [];
  let feeds = 0;
  let deeperBefore = false;
  for (const line of lines) {
    if (line === "") {
      feeds++;
      continue;
    }
    const first = line.charCodeAt(0);
    const deeper = first === SPACE || first === TAB;
    // Nothing is joined to the first line: blank lines before it are line feeds.
    if (parts.length > 0 && (deeper || deeperBefore)) feeds++;
    else if (parts.length > 0 && feeds === 0) parts.push(" ");
    parts.push("\n".repeat(feeds), line);
    feeds = 0;
    deeperBefore = deeper;
  }
  return parts.join("");
}
