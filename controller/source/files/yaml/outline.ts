import { isFlowIndicator } from "./plain_scalar.ts";
import { parseYaml } from "./parse_yaml.ts";

const TAB = 9;
const LF = 10;
const SPACE = 32;
const DOUBLE = 34;
const HASH = 35;
const AMPERSAND = 38;
const SINGLE = 39;
const STAR = 42;
const COMMA = 44;
const DASH = 45;
const GREATER = 62;
const QUESTION = 63;
const OPEN_LIST = 91;
const CLOSE_LIST = 93;
const OPEN_MAP = 123;
const PIPE = 124;
const CLOSE_MAP = 125;
const EXCLAMATION = 33;

/** Fields that an outline has at most; the text behind them is not looked at. */
const MOST_FIELDS = 10_000;
/** Fields and brackets inside each other; the text behind a deeper one is not looked at. */
const DEEPEST = 200;
/** Characters of a value that are kept: names are shorter. */
const LONGEST_VALUE = 1_000;
/** A key and its colon, at the position. Names are bounded, so that a search costs a constant. */
const KEY = /(["']?)([A-Za-z_<][\w./<-]{0,80})\1[ \t]{0,80}:/y;
/** Keys whose colon needs no white space behind it: a document is broken where it lacks. */
const GLUED = new Set([
  "kind",
  "name",
  "namespace",
  "sectionname",
  "metadata",
  "spec",
  "targetref",
]);

/** A field of a document that is no YAML, as far as it can be told. */
export interface OutlineField {
  /** In lower case. */
  readonly name: string;
  /** Its text where it is a scalar; "" otherwise. */
  value: string;
  fields: OutlineField[];
}

/** A field or a bracket that is open. */
interface Frame {
  readonly field: OutlineField;
  /** Of a field at the head of a line; -1 inside brackets. */
  readonly column: number;
  /** Code of the opening bracket, 0 for a field at the head of a line. */
  readonly bracket: number;
}

/**
 * Returns the fields of a text that is no YAML, or not what is served of it. Every field that can be a key
 * is one: quotes, brackets and indentation are followed where they fit, and passed over where they do not.
 * Takes time linear in the text's length.
 */
export function outline(text: string): OutlineField {
  return new OutlineReader(text.replaceAll("\ufeff", "").replace(/\r\n?/g, "\n")).read();
}

class OutlineReader {
  readonly #text: string;
  readonly #root: OutlineField = { name: "", value: "", fields: [] };
  readonly #stack: Frame[] = [];
  readonly #anchors = new Map<string, OutlineField>();
  #pos = 0;
  #lineStart = 0;
  #count = 0;
  /** The field that the next scalar or bracket is the value of. */
  #open: OutlineField | null = this.#root;
  /** Column of the field whose block scalar is being read; -1 for none. */
  #scalarColumn = -1;

  constructor(text: string) {
    this.#text = text;
  }

  read(): OutlineField {
    while (this.#pos < this.#text.length && this.#count < MOST_FIELDS) {
      this.#lineStart = this.#pos;
      this.#line();
      const end = this.#text.indexOf("\n", this.#pos);
      this.#pos = end < 0 ? this.#text.length : end + 1;
    }
    return this.#root;
  }

  #code(): number {
    return this.#text.charCodeAt(this.#pos);
  }

  #skipSpaces(): void {
    while (this.#code() === SPACE || this.#code() === TAB) this.#pos++;
  }

  #line(): void {
    this.#skipSpaces();
    if (this.#pos - this.#lineStart > this.#scalarColumn && this.#scalarColumn >= 0) {
      if (this.#code() !== LF) this.#setValue(this.#restOfLine());
      return;
    }
    if (this.#atEnd() || this.#code() === HASH) return;
    this.#scalarColumn = -1;
    while (this.#code() === DASH || this.#code() === QUESTION) {
      const next = this.#text.charCodeAt(this.#pos + 1);
      if (next !== SPACE && next !== TAB) break;
      this.#pos++;
      this.#skipSpaces();
    }
    const column = this.#pos - this.#lineStart;
    this.#properties(null);
    const name = this.#key();
    if (name !== null) {
      this.#close(column);
      if (!this.#inBrackets) {
        this.#push(this.#add(name), column, 0);
        this.#skipSpaces();
        this.#value(column);
        return;
      }
      this.#add(name);
    } else if (!this.#inBrackets) {
      // A value may stand on the line below its key.
      const { field, column: parent } = this.#stack.at(-1) ?? { field: this.#root, column: -1 };
      if (column <= parent || field.value !== "" || field.fields.length > 0) return;
      this.#open = field;
      this.#value(parent);
      return;
    }
    this.#tokens();
  }

  #atEnd(): boolean {
    return this.#pos >= this.#text.length || this.#code() === LF;
  }

  get #inBrackets(): boolean {
    return this.#stack.length > 0 && this.#stack.at(-1)!.bracket !== 0;
  }

  /** Closes what a field in this column ends: brackets, too, that were opened behind it. */
  #close(column: number): void {
    let keep = this.#stack.length;
    for (let i = keep - 1; i >= 0; i--) {
      const frame = this.#stack[i];
      if (frame.bracket !== 0) continue;
      if (frame.column < column) break;
      keep = i;
    }
    this.#stack.length = keep;
  }

  /** Reads a key and its colon at the position; null where there is none. */
  #key(): string | null {
    KEY.lastIndex = this.#pos;
    const found = KEY.exec(this.#text);
    if (found === null) return null;
    const name = found[2].toLowerCase();
    const next = this.#text.charCodeAt(KEY.lastIndex);
    const ends = !(next > SPACE) || found[1] !== "" || next === DOUBLE || next === SINGLE ||
      next === OPEN_MAP || next === OPEN_LIST || GLUED.has(name);
    if (!ends) return null;
    this.#pos = KEY.lastIndex;
    return name;
  }

  /** Adds a field to what is open. */
  #add(name: string): OutlineField {
    const field: OutlineField = { name, value: "", fields: [] };
    (this.#stack.at(-1)?.field ?? this.#root).fields.push(field);
    this.#count++;
    return this.#open = field;
  }

  #push(field: OutlineField, column: number, bracket: number): void {
    this.#stack.push({ field, column, bracket });
    if (this.#stack.length > DEEPEST) this.#count = MOST_FIELDS;
  }

  #setValue(value: string): void {
    if (this.#open !== null && this.#open.value === "") {
      this.#open.value = value.slice(0, LONGEST_VALUE);
    }
    if (value !== "") this.#open = null;
  }

  #restOfLine(): string {
    const end = this.#text.indexOf("\n", this.#pos);
    const rest = this.#text.slice(this.#pos, end < 0 ? undefined : end);
    const comment = rest.search(/[ \t]#/);
    return (comment < 0 ? rest : rest.slice(0, comment)).trim();
  }

  /** Skips anchors and tags; an anchor then names the field. */
  #properties(field: OutlineField | null): void {
    while (this.#code() === AMPERSAND || this.#code() === EXCLAMATION) {
      const anchor = this.#code() === AMPERSAND;
      const name = this.#word();
      if (anchor && field !== null) this.#anchors.set(name, field);
      this.#skipSpaces();
    }
  }

  /** Reads the name behind the mark of an anchor, a tag or an alias. */
  #word(): string {
    const start = ++this.#pos;
    while (this.#code() > SPACE && !isFlowIndicator(this.#code())) this.#pos++;
    return `&${this.#text.slice(start, this.#pos)}`;
  }

  /** Takes an alias for what it stands for. */
  #alias(): void {
    const target = this.#anchors.get(this.#word());
    if (target === undefined || this.#open === null) return;
    this.#open.fields = target.fields;
    this.#setValue(target.value);
  }

  /** Reads the value of a field at the head of a line. @param column of the field */
  #value(column: number): void {
    this.#properties(this.#open);
    const code = this.#code();
    if (this.#atEnd()) return;
    if (code === PIPE || code === GREATER) this.#scalarColumn = Math.max(column, 0);
    else if (code === OPEN_LIST || code === OPEN_MAP) this.#tokens();
    else if (code === STAR) this.#alias();
    else if (code === DOUBLE || code === SINGLE) {
      const quoted = this.#quoted();
      this.#setValue(quoted ?? this.#restOfLine());
    } else if (code !== HASH) this.#setValue(this.#restOfLine());
  }

  /** Reads a quoted scalar that ends on its line; null, and stays, where none does. */
  #quoted(): string | null {
    const start = this.#pos;
    const quote = this.#code();
    for (let at = start + 1; at < this.#text.length; at++) {
      const code = this.#text.charCodeAt(at);
      if (code === LF) break;
      if (code === 92 && quote === DOUBLE) at++;
      else if (code === quote) {
        this.#pos = at + 1;
        const parsed = parseYaml(this.#text.slice(start, this.#pos));
        const value = "value" in parsed ? parsed.value : null;
        return typeof value === "string" ? value : this.#text.slice(start + 1, at);
      }
    }
    return null;
  }

  /** Reads the rest of a line that has brackets. */
  #tokens(): void {
    for (;;) {
      this.#skipSpaces();
      const code = this.#code();
      if (this.#atEnd() || (code === HASH && this.#pos > 0)) return;
      if (code === OPEN_LIST || code === OPEN_MAP) {
        this.#pos++;
        const field = this.#open ?? this.#stack.at(-1)?.field ?? this.#root;
        this.#push(field, -1, code);
        this.#open = null;
      } else if (code === CLOSE_LIST || code === CLOSE_MAP) {
        this.#pos++;
        this.#open = null;
        this.#closeBracket(code === CLOSE_LIST ? OPEN_LIST : OPEN_MAP);
        if (!this.#inBrackets) return;
      } else if (code === COMMA) {
        this.#pos++;
        this.#open = null;
      } else if (!this.#token(code)) return;
    }
  }

  #closeBracket(opened: number): void {
    const open = this.#stack.findLastIndex(({ bracket }) => bracket === opened || bracket === 0);
    if (open >= 0 && this.#stack[open].bracket === opened) this.#stack.length = open;
  }

  /** Reads a key or a scalar inside brackets; returns whether the line goes on. */
  #token(code: number): boolean {
    const name = this.#key();
    if (name !== null) this.#add(name);
    else if (code === AMPERSAND || code === EXCLAMATION) this.#properties(this.#open);
    else if (code === STAR) this.#alias();
    else if (code === DOUBLE || code === SINGLE) {
      const quoted = this.#quoted();
      if (quoted === null) return false;
      this.#setValue(quoted);
    } else {
      const start = this.#pos;
      while (!this.#atEnd() && !isFlowIndicator(this.#code())) {
        const before = this.#text.charCodeAt(this.#pos - 1);
        if (this.#code() === HASH && (before === SPACE || before === TAB)) break;
        this.#pos++;
      }
      this.#setValue(this.#text.slice(start, this.#pos).trim());
    }
    return true;
  }
}
