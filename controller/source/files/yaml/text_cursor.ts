const TAB = 9;
const LF = 10;
const CR = 13;
const SPACE = 32;
const HASH = 35;

/**
 * What a reader throws for a document that is not YAML, or not the part of YAML that is served. No `Error`:
 * a stack trace for each of thousands of bad documents would cost more than reading them.
 */
export class YamlError {
  /** @param offset of the place in the text, in UTF-16 units */
  constructor(readonly reason: string, readonly offset: number) {}
}

/** Whether white space or the end follows: what makes "-", "?" and ":" indicators. */
export function isBlank(code: number): boolean {
  return code === SPACE || code === LF || code === TAB || code === CR || code !== code;
}

/**
 * A position in a text that only moves forward, with the column that indentation is counted by. Every
 * step consumes characters, so that reading a text to its end takes linear time.
 */
export class TextCursor {
  pos = 0;
  /** Offset of the first character of the current line. */
  lineStart = 0;
  /** Offset of the first token of a line, where one was just reached; -1 before. */
  #head = -1;
  /** Start of the last line whose first token stands behind a tab; -1 before. */
  #tabLine = -1;

  /** @param text with line feeds only */
  constructor(readonly text: string, readonly end: number = text.length) {}

  /** Code of the character at the position, or `ahead` of it; NaN at the end. */
  code(ahead = 0): number {
    const at = this.pos + ahead;
    return at < this.end ? this.text.charCodeAt(at) : NaN;
  }

  get atEnd(): boolean {
    return this.pos >= this.end;
  }

  get column(): number {
    return this.pos - this.lineStart;
  }

  /** Whether the position is the first token of its line. */
  get atHead(): boolean {
    return this.pos === this.#head;
  }

  /** Whether the first token of this line stands behind a tab, where no collection may begin or go on. */
  get tabIndented(): boolean {
    return this.lineStart === this.#tabLine;
  }

  /** Spaces at the start of the line. */
  get indent(): number {
    let at = this.lineStart;
    while (this.text.charCodeAt(at) === SPACE) at++;
    return at - this.lineStart;
  }

  fail(reason: string, offset: number = this.pos): never {
    throw new YamlError(reason, offset);
  }

  /** Moves behind the line feed at the position. */
  newline(): void {
    this.pos++;
    this.lineStart = this.pos;
  }

  /** Skips spaces and tabs; returns whether there was a tab. */
  skipSpaces(): boolean {
    let tab = false;
    for (;; this.pos++) {
      const code = this.code();
      if (code === TAB) tab = true;
      else if (code !== SPACE) return tab;
    }
  }

  /** Whether a comment begins here: "#" at the start of a line or behind white space. */
  get atComment(): boolean {
    return this.code() === HASH && (this.pos === this.lineStart || isBlank(this.code(-1)));
  }

  /** Whether only a comment or nothing follows on this line. */
  get atLineEnd(): boolean {
    return this.atEnd || this.code() === LF || this.atComment;
  }

  /** Moves to the line feed that ends this line, or to the end. */
  skipLine(): void {
    const next = this.text.indexOf("\n", this.pos);
    this.pos = next < 0 || next > this.end ? this.end : next;
  }

  /**
   * Skips white space, line ends and comments up to the next token.
   * @param flow inside brackets, where indentation may have tabs
   */
  skipBlank(flow = false): void {
    let fresh = this.pos === this.lineStart || this.atHead;
    let tab = fresh && !this.atHead && this.skipSpaces();
    for (;;) {
      const code = this.code();
      if (code === SPACE || code === TAB) tab = this.skipSpaces() && fresh;
      else if (code === LF) {
        this.newline();
        fresh = true;
        tab = false;
      } else if (this.atComment) this.skipLine();
      else break;
    }
    if (!fresh || this.atEnd) return;
    if (tab && !flow) this.#tabLine = this.lineStart;
    this.#head = this.pos;
  }
}
