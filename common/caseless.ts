const LETTER = /^[A-Za-z]$/;
/** Escapes and names of groups, whose letters are no text. */
const FIXED =
  /\\(?:x[\dA-Fa-f]{2}|u[\dA-Fa-f]{4}|u\{[\dA-Fa-f]+\}|c[A-Za-z]|[pP]\{[^}]*\}|k<[^>]*>|[\s\S])|\(\?(?:<[A-Za-z_$][\w$]*>|[a-z-]+:)|\{[\d,]*\}/y;
const RANGE = /([^\\])-(?:([^\\\]])|\\(?:x([\dA-Fa-f]{2})|u([\dA-Fa-f]{4})|([^a-zA-Z\d])))/y;

/**
 * A pattern that matches ASCII letters in either case: the engine's linear-time mode knows no flag for it. What is
 * escaped by a number stays as it is.
 */
export function caseless(pattern: string): string {
  let out = "";
  let within = false;
  for (let at = 0; at < pattern.length;) {
    FIXED.lastIndex = RANGE.lastIndex = at;
    const fixed = FIXED.exec(pattern);
    if (fixed !== null && (!within || fixed[0].startsWith("\\"))) {
      out += fixed[0];
      at += fixed[0].length;
      continue;
    }
    const range = within ? RANGE.exec(pattern) : null;
    if (range !== null) {
      const [whole, first, plain, hex, unicode, escaped] = range;
      const code = hex ?? unicode;
      const last = code === undefined ? plain ?? escaped : String.fromCharCode(parseInt(code, 16));
      out += bothRanges(whole, first, last, last === plain);
      at += range[0].length;
      continue;
    }
    const character = pattern[at++];
    if (character === "[") within = true;
    else if (character === "]") within = false;
    out += LETTER.test(character) ? both(character, within) : character;
  }
  return out;
}

function both(letter: string, within: boolean): string {
  const pair = `${letter.toLowerCase()}${letter.toUpperCase()}`;
  return within ? pair : `[${pair}]`;
}

function bothRanges(range: string, first: string, last: string, plain: boolean): string {
  const lower = plain && /[a-z]/.test(first) && /[a-z]/.test(last);
  const upper = plain && /[A-Z]/.test(first) && /[A-Z]/.test(last);
  if (lower) return `${range}${range.toUpperCase()}`;
  if (upper) return `${range}${range.toLowerCase()}`;
  // A range over other characters keeps its letters, and gets those of the other case.
  let more = "";
  for (let unit = first.charCodeAt(0); unit <= Math.min(last.charCodeAt(0), 122); unit++) {
    const character = String.fromCharCode(unit);
    if (LETTER.test(character)) more += both(character, true);
  }
  return `${range}${more}`;
}
