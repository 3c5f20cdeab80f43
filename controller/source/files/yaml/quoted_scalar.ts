import type { TextCursor } from "./text_cursor.ts";

const TAB = 9;
const LF = 10;
const SPACE = 32;
const DOUBLE = 34;
const SINGLE = 39;
const BACKSLASH = 92;

/** Escapes of one character (YAML 1.2.2 section 5.7). */
const ESCAPES: Readonly<Record<string, string>> = {
  ...{ "0": "\0", a: "\x07", b: "\b", t: "\t", "\t": "\t", n: "\n", v: "\v", f: "\f", r: "\r" },
  ...{ e: "\x1b", " ": " ", '"': '"', "/": "/", "\\": "\\", N: "\u0085", _: "\u00a0" },
  ...{ L: "\u2028", P: "\u2029" },
};
const HEX_DIGITS: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };

/**
 * Reads a quoted scalar whose quote is at the position (YAML 1.2.2 sections 7.3.1 and 7.3.2).
 * @param parent column that further lines must be indented beyond
 */
export function readQuoted(cursor: TextCursor, parent: number): string {
  const quote = cursor.code();
  const opened = cursor.pos;
  const parts: string[] = [];
  cursor.pos++;
  let start = cursor.pos;
  const take = (end: number) => {
    if (end > start) parts.push(cursor.text.slice(start, end));
  };
  for (;;) {
    const code = cursor.code();
    if (code === quote) {
      take(cursor.pos);
      cursor.pos++;
      if (quote !== SINGLE || cursor.code() !== SINGLE) return parts.join("");
      parts.push("'");
      start = ++cursor.pos;
    } else if (code === BACKSLASH && quote === DOUBLE) {
      take(cursor.pos);
      parts.push(escape(cursor, opened, parent));
      start = cursor.pos;
    } else if (code === LF) {
      take(trimmedEnd(cursor.text, start, cursor.pos));
      parts.push(fold(cursor, opened, parent));
      start = cursor.pos;
    } else if (code !== code) unclosed(cursor, opened);
    else cursor.pos++;
  }
}

function unclosed(cursor: TextCursor, opened: number): never {
  return cursor.fail("the closing quote is missing", opened);
}

function trimmedEnd(text: string, start: number, end: number): number {
  while (end > start && isSpace(text.charCodeAt(end - 1))) end--;
  return end;
}

function isSpace(code: number): boolean {
  return code === SPACE || code === TAB;
}

/** Skips line ends and indentation; returns what stands for them: a space, or a line feed a blank line. */
function fold(cursor: TextCursor, opened: number, parent: number): string {
  const feeds = skipLines(cursor, opened, parent);
  return feeds === 1 ? " " : "\n".repeat(feeds - 1);
}

/** Skips line ends and the white space behind them; returns how many there were. */
function skipLines(cursor: TextCursor, opened: number, parent: number): number {
  let feeds = 0;
  let indent = 0;
  while (cursor.code() === LF) {
    feeds++;
    cursor.newline();
    while (cursor.code() === SPACE) cursor.pos++;
    indent = cursor.column;
    cursor.skipSpaces();
  }
  if (cursor.atEnd || indent <= parent) unclosed(cursor, opened);
  return feeds;
}

/** Reads an escape, whose backslash is at the position. */
function escape(cursor: TextCursor, opened: number, parent: number): string {
  const at = cursor.pos++;
  const letter = cursor.text.charAt(cursor.pos);
  if (letter === "\n") {
    // An escaped line end joins the lines; blank lines behind it stay line feeds.
    const feeds = skipLines(cursor, opened, parent);
    return "\n".repeat(feeds - 1);
  }
  cursor.pos++;
  const simple = Object.hasOwn(ESCAPES, letter) ? ESCAPES[letter] : undefined;
  if (simple !== undefined) return simple;
  const digits = Object.hasOwn(HEX_DIGITS, letter) ? HEX_DIGITS[letter] : 0;
  const hex = cursor.text.slice(cursor.pos, cursor.pos + digits);
  const point = parseInt(hex, 16);
  if (digits === 0 || hex.length < digits || !/^[0-9a-fA-F]+$/.test(hex) || point > 0x10ffff) {
    cursor.fail(`\\${letter} begins no escape; write \\\\ for a backslash`, at);
  }
  cursor.pos += digits;
  return String.fromCodePoint(point);
}
