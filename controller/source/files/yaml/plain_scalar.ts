import { isBlank, type TextCursor } from "./text_cursor.ts";

const LF = 10;
const COLON = 58;
const SPACE = 32;
const TAB = 9;

/** Whether the code is one of , [ ] { } */
export function isFlowIndicator(code: number): boolean {
  return code === 44 || code === 91 || code === 93 || code === 123 || code === 125;
}

/** Characters that begin no plain scalar (YAML 1.2.2 section 7.3.3), but "-", "?" and ":". */
const NO_START = new Set(",[]{}#&*!|>'\"%@`");

/** Whether a plain scalar may begin here. */
export function startsPlain(cursor: TextCursor, flow: boolean): boolean {
  const first = cursor.text.charAt(cursor.pos);
  if (NO_START.has(first)) return false;
  if (first !== "-" && first !== "?" && first !== ":") return true;
  const next = cursor.code(1);
  return !isBlank(next) && !(flow && isFlowIndicator(next));
}

/** Whether the colon at the position ends a key. */
export function endsKey(cursor: TextCursor, flow: boolean): boolean {
  if (cursor.code() !== COLON) return false;
  const next = cursor.code(1);
  return isBlank(next) || (flow && isFlowIndicator(next));
}

/** Reads the part of a plain scalar on this line; the position is then behind its last character. */
export function readPlainLine(cursor: TextCursor, flow: boolean): string {
  const start = cursor.pos;
  let last = start;
  for (;; cursor.pos++) {
    const code = cursor.code();
    if (code === SPACE || code === TAB) continue;
    if (code === LF || code !== code || (flow && isFlowIndicator(code))) break;
    if (code === COLON && endsKey(cursor, flow)) break;
    if (cursor.atComment) break;
    last = cursor.pos + 1;
  }
  cursor.pos = last;
  return cursor.text.slice(start, last);
}

/**
 * Reads the further lines of a plain scalar behind its first, and returns all of it folded.
 * @param parent column that further lines must be indented beyond
 */
export function readPlainLines(
  cursor: TextCursor,
  first: string,
  flow: boolean,
  parent: number,
): string {
  const parts = [first];
  for (;;) {
    const { pos, lineStart } = cursor;
    cursor.skipSpaces();
    let feeds = 0;
    let indent = 0;
    while (cursor.code() === LF) {
      feeds++;
      cursor.newline();
      while (cursor.code() === SPACE) cursor.pos++;
      indent = cursor.column;
      cursor.skipSpaces();
    }
    const ends = feeds === 0 || cursor.atEnd || cursor.atComment || indent <= parent ||
      (flow && (isFlowIndicator(cursor.code()) || endsKey(cursor, flow)));
    if (ends) {
      cursor.pos = pos;
      cursor.lineStart = lineStart;
      return parts.length === 1 ? first : parts.join("");
    }
    parts.push(feeds === 1 ? " " : "\n".repeat(feeds - 1), readPlainLine(cursor, flow));
  }
}
