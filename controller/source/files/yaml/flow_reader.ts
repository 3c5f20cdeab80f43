import { type Fields, NO_PROPERTIES, type NodeReader, type Properties } from "./node_reader.ts";
import { endsKey, readPlainLine, readPlainLines, startsPlain } from "./plain_scalar.ts";
import { readQuoted } from "./quoted_scalar.ts";
import { isBlank, type TextCursor } from "./text_cursor.ts";

const DOUBLE = 34;
const SINGLE = 39;
const STAR = 42;
const COMMA = 44;
const COLON = 58;
const QUESTION = 63;
const OPEN_LIST = 91;
const CLOSE_LIST = 93;
const OPEN_MAP = 123;
const CLOSE_MAP = 125;

const UNEXPECTED = "no value begins with this character; put it in quotes";

/** Reads nodes in brackets (YAML 1.2.2 section 7.4). */
export class FlowReader {
  readonly #reader: NodeReader;
  readonly #cursor: TextCursor;
  /** Column that further lines must be indented beyond. */
  #parent = -1;
  /** Whether the node just read may have its colon without a space: it is quoted or in brackets. */
  #closed = false;

  constructor(reader: NodeReader) {
    this.#reader = reader;
    this.#cursor = reader.cursor;
  }

  /**
   * Reads a list or map whose bracket is at the position.
   * @param parent column that further lines must be indented beyond
   */
  read(parent: number, properties: Properties): Fields | unknown[] {
    this.#parent = parent;
    return this.#cursor.code() === OPEN_LIST ? this.#list(properties) : this.#map(properties);
  }

  /** Skips to the next token, which may be indented like the parent only when it closes. */
  #skip(): void {
    const cursor = this.#cursor;
    cursor.skipBlank(true);
    if (cursor.atEnd) cursor.fail("a closing bracket is missing");
    if (!cursor.atHead) return;
    const code = cursor.code();
    const closes = code === CLOSE_LIST || code === CLOSE_MAP;
    const indent = indentOf(cursor);
    if (closes ? indent < this.#parent : indent <= this.#parent) {
      cursor.fail("a closing bracket is missing, or this line is not indented enough");
    }
  }

  #list(properties: Properties): unknown[] {
    const reader = this.#reader;
    const cursor = this.#cursor;
    const list: unknown[] = [];
    reader.enter();
    cursor.pos++;
    for (;;) {
      this.#skip();
      if (cursor.code() === CLOSE_LIST) break;
      const start = cursor.pos;
      const explicit = this.#explicit();
      const item = this.#node(explicit);
      const pair = this.#atColon();
      reader.add(list, explicit || pair ? this.#pair(item, start) : item, start);
      this.#separator(CLOSE_LIST, "]");
    }
    cursor.pos++;
    reader.leave();
    this.#closed = true;
    return reader.collection(list, properties);
  }

  /** The map that a list has for an item like "key: value". */
  #pair(key: unknown, start: number): Fields {
    const map: Fields = {};
    this.#reader.nodes++;
    const name = this.#reader.fieldName(key, start);
    this.#reader.set(map, name, this.#value(), start);
    return map;
  }

  #map(properties: Properties): Fields {
    const reader = this.#reader;
    const cursor = this.#cursor;
    const map: Fields = {};
    reader.enter();
    cursor.pos++;
    for (;;) {
      this.#skip();
      if (cursor.code() === CLOSE_MAP) break;
      const start = cursor.pos;
      const explicit = this.#explicit();
      const code = cursor.code();
      if (code === OPEN_MAP && cursor.code(-1) === OPEN_MAP) {
        cursor.fail("a template ({{ }}) must be rendered first, or put in quotes");
      }
      if (code === OPEN_LIST || code === OPEN_MAP) {
        cursor.fail("a key must be a scalar, not a list or a map");
      }
      const name = reader.fieldName(this.#node(explicit), start);
      reader.checkUnique(map, name, start);
      reader.set(map, name, this.#value(), start);
      this.#separator(CLOSE_MAP, "}");
    }
    cursor.pos++;
    reader.leave();
    this.#closed = true;
    return reader.collection(map, properties);
  }

  /** Skips a "?" before a key. */
  #explicit(): boolean {
    const cursor = this.#cursor;
    if (cursor.code() !== QUESTION || !isBlank(cursor.code(1))) return false;
    cursor.pos++;
    this.#skip();
    return true;
  }

  /** Reads what follows a key: a value, or nothing. */
  #value(): unknown {
    if (!this.#atColon()) return null;
    this.#cursor.pos++;
    this.#skip();
    return this.#node(true);
  }

  #atColon(): boolean {
    const closed = this.#closed;
    this.#skip();
    return this.#cursor.code() === COLON && (closed || endsKey(this.#cursor, true));
  }

  #separator(close: number, bracket: string): void {
    const cursor = this.#cursor;
    this.#skip();
    if (cursor.code() === COMMA) cursor.pos++;
    else if (cursor.code() !== close) cursor.fail(`expected a comma or ${bracket}`);
  }

  /**
   * Reads a node.
   * @param mayMiss whether nothing before a comma or bracket is null
   */
  #node(mayMiss: boolean): unknown {
    const reader = this.#reader;
    const cursor = this.#cursor;
    const properties = reader.properties();
    if (properties !== null) this.#skip();
    const given = properties ?? NO_PROPERTIES;
    this.#closed = false;
    const code = cursor.code();
    switch (code) {
      case OPEN_LIST:
        return this.#list(given);
      case OPEN_MAP:
        return this.#map(given);
      case DOUBLE:
      case SINGLE: {
        const text = readQuoted(cursor, this.#parent);
        this.#closed = true;
        return reader.scalar(text, false, given);
      }
      case STAR:
        if (properties !== null) cursor.fail("an alias has no anchor or tag of its own");
        return reader.alias();
    }
    if (startsPlain(cursor, true)) {
      const first = readPlainLine(cursor, true);
      return reader.scalar(readPlainLines(cursor, first, true, this.#parent), true, given);
    }
    const ends = code === CLOSE_LIST || code === CLOSE_MAP || code === COMMA;
    if (endsKey(cursor, true) || (ends && (mayMiss || properties !== null))) {
      return reader.scalar("", true, given);
    }
    return cursor.fail(code === COMMA ? "a value before the comma is missing" : UNEXPECTED);
  }
}

/** Spaces and tabs before the first token of the line. */
function indentOf(cursor: TextCursor): number {
  const start = cursor.lineStart;
  let at = start;
  while (cursor.text.charCodeAt(at) === 32) at++;
  return at - start;
}
