import { readBlockScalar } from "./block_scalar.ts";
import { FlowReader } from "./flow_reader.ts";
import { type Fields, NO_PROPERTIES, NodeReader, type Properties } from "./node_reader.ts";
import { endsKey, readPlainLine, readPlainLines, startsPlain } from "./plain_scalar.ts";
import { readQuoted } from "./quoted_scalar.ts";
import { isBlank, type TextCursor } from "./text_cursor.ts";

const DOUBLE = 34;
const PERCENT = 37;
const SINGLE = 39;
const STAR = 42;
const DASH = 45;
const COLON = 58;
const GREATER = 62;
const QUESTION = 63;
const OPEN_LIST = 91;
const PIPE = 124;
const OPEN_MAP = 123;

const TAB_INDENTS = "a tab cannot indent; use spaces";
const DEEPER = "this line is indented deeper than the field above";
const KEY_WITHOUT_COLON = "a colon and a space must follow the key, on the same line";
const ALIAS_HAS_NONE = "an alias has no anchor or tag of its own";
const YAML_DIRECTIVE = /^%YAML[ \t]+1\.[12][ \t]*(?:[ \t]#.*)?$/;

/** A scalar that may turn out to be a key. */
interface Atom {
  readonly text: string;
  readonly plain: boolean;
  /** The value that an alias stands for. */
  readonly alias?: { readonly value: unknown };
}

/** Where a node stands. */
interface Place {
  /** Column of the collection around it, which it must be indented beyond; -1 for none. */
  readonly parent: number;
  /** Whether a list or map of the block style may begin on this line. */
  readonly compact: boolean;
  /** Whether a list on further lines may stand at the parent's column: the parent is a map. */
  readonly listAtParent: boolean;
}

/** Reads nodes that indentation tells apart (YAML 1.2.2 section 8). */
export class BlockReader {
  readonly #reader: NodeReader;
  readonly #cursor: TextCursor;
  readonly #flow: FlowReader;

  constructor(reader: NodeReader) {
    this.#reader = reader;
    this.#cursor = reader.cursor;
    this.#flow = new FlowReader(reader);
  }

  /** Reads the whole document. */
  document(): unknown {
    const cursor = this.#cursor;
    let value: unknown = null;
    if (!skipDirectives(cursor)) {
      const { column } = cursor;
      value = this.#node({ parent: -1, compact: true, listAtParent: false });
      cursor.skipBlank();
      if (!cursor.atEnd) {
        const second = cursor.atHead && cursor.column === column && !cursor.tabIndented;
        cursor.fail(
          second ? "a second value begins; separate documents with ---" : this.#unexpected(),
        );
      }
    }
    this.#checkRest();
    return value;
  }

  /** Only comments, and directives of the next document, may follow the mark "...". */
  #checkRest(): void {
    const { text, end } = this.#cursor;
    if (end === text.length) return;
    const rest = new NodeReader(text.slice(end + 3), null).cursor;
    if (!skipDirectives(rest) || rest.end < rest.text.length) {
      this.#cursor.fail("a line ... ends the document, but more follows; remove the line", end);
    }
  }

  #unexpected(): string {
    if (!this.#cursor.atHead) return "unexpected text behind a value; put the value in quotes";
    return this.#cursor.tabIndented ? TAB_INDENTS : "the indentation fits no line above";
  }

  #node(place: Place): unknown {
    const cursor = this.#cursor;
    const reader = this.#reader;
    let start = cursor.pos;
    let own = reader.properties();
    let above = NO_PROPERTIES;
    let here = place;
    // Anchors and tags may stand on lines of their own before the node.
    while (own !== null && cursor.atLineEnd) {
      above = reader.united(above, own);
      here = { ...place, compact: true };
      cursor.skipBlank();
      if (!this.#inside(here)) return reader.scalar("", true, above);
      start = cursor.pos;
      own = reader.properties();
    }
    return this.#content(here, above, own, start);
  }

  /** Whether the token at the head of a line belongs to the node. */
  #inside({ parent, listAtParent }: Place): boolean {
    const { column, atEnd, tabIndented } = this.#cursor;
    if (atEnd) return false;
    if (tabIndented) return this.#cursor.indent > parent;
    return column > parent || (listAtParent && column === parent && this.#at(DASH));
  }

  /** Whether an indicator with white space behind it is at the position. */
  #at(indicator: number): boolean {
    return this.#cursor.code() === indicator && isBlank(this.#cursor.code(1));
  }

  /**
   * @param above anchor and tag on lines above the node
   * @param own anchor and tag on its line
   * @param start of the node with its own
   */
  #content(place: Place, above: Properties, own: Properties | null, start: number): unknown {
    const cursor = this.#cursor;
    const reader = this.#reader;
    const column = start - cursor.lineStart;
    if (this.#at(DASH)) {
      if (own !== null) cursor.fail("a list begins on the line below its anchor or tag");
      this.#needsLine(place, "a list");
      return this.#list(column, above);
    }
    if (this.#at(QUESTION)) {
      if (own !== null) cursor.fail("a map begins on the line below its anchor or tag");
      this.#needsLine(place, "a map");
      return this.#map(column, above, null, start);
    }
    const code = cursor.code();
    const whole = () => own === null ? above : reader.united(above, own);
    if (code === PIPE || code === GREATER) {
      return reader.scalar(readBlockScalar(cursor, place.parent), false, whole());
    }
    if (code === OPEN_LIST || code === OPEN_MAP) {
      const at = cursor.pos;
      const value = this.#flow.read(place.parent, whole());
      this.#refuseKey(at);
      return value;
    }
    const line = cursor.lineStart;
    const atom = this.#atom(own !== null, place.parent);
    const { pos } = cursor;
    cursor.skipSpaces();
    if (endsKey(cursor, false) && line === cursor.lineStart) {
      this.#needsLine(place, "a map");
      // Anchor and tag on the line of a key are the key's.
      return this.#map(column, above, { key: this.#value(atom, own ?? NO_PROPERTIES) }, start);
    }
    cursor.pos = pos;
    if (atom.alias !== undefined && above !== NO_PROPERTIES) cursor.fail(ALIAS_HAS_NONE, start);
    if (!atom.plain) return this.#value(atom, whole());
    const text = readPlainLines(cursor, atom.text, false, place.parent);
    this.#refuseKeyBehind(place, start);
    return this.#value({ ...atom, text }, whole());
  }

  /** Refuses a colon behind the lines of a plain scalar: its last line was meant as a key. */
  #refuseKeyBehind({ compact }: Place, start: number): void {
    const cursor = this.#cursor;
    cursor.skipSpaces();
    if (!endsKey(cursor, false)) return;
    if (compact) cursor.fail(KEY_WITHOUT_COLON, start);
    const head = cursor.lineStart + cursor.indent;
    cursor.fail(DEEPER, head);
  }

  #value({ alias, text, plain }: Atom, properties: Properties): unknown {
    return alias === undefined ? this.#reader.scalar(text, plain, properties) : alias.value;
  }

  #needsLine({ compact }: Place, what: string): void {
    if (this.#cursor.tabIndented) this.#cursor.fail(TAB_INDENTS, this.#cursor.lineStart);
    if (!compact) {
      this.#cursor.fail(`${what} must begin on a line of its own; or put the value in quotes`);
    }
  }

  /** Refuses a colon behind what cannot be a key. */
  #refuseKey(offset: number): void {
    const cursor = this.#cursor;
    cursor.skipSpaces();
    if (endsKey(cursor, false)) {
      cursor.fail("a key must be a scalar on one line, not a list or a map", offset);
    }
  }

  /** Reads an alias, a quoted scalar, or the first line of a plain one. */
  #atom(hasProperties: boolean, parent: number): Atom {
    const cursor = this.#cursor;
    const code = cursor.code();
    if (code === STAR) {
      if (hasProperties) cursor.fail(ALIAS_HAS_NONE);
      return { text: "", plain: false, alias: { value: this.#reader.alias() } };
    }
    if (code === DOUBLE || code === SINGLE) {
      return { text: readQuoted(cursor, parent), plain: false };
    }
    if (endsKey(cursor, false)) return { text: "", plain: true };
    if (!startsPlain(cursor, false)) {
      cursor.fail("no value begins with this character; put it in quotes");
    }
    return { text: readPlainLine(cursor, false), plain: true };
  }

  /** Reads a list whose first dash is at the position. */
  #list(column: number, properties: Properties): unknown[] {
    const cursor = this.#cursor;
    const list: unknown[] = [];
    this.#reader.enter();
    do {
      const start = cursor.pos++;
      const value = this.#after({ parent: column, compact: true, listAtParent: false });
      this.#reader.add(list, value, start);
    } while (this.#next(column, list.at(-1)) && this.#at(DASH));
    this.#reader.leave();
    return this.#reader.collection(list, properties);
  }

  /**
   * Reads a map.
   * @param first its first key, when that was read already; null when a "?" is at the position
   * @param start of the first key
   */
  #map(
    column: number,
    properties: Properties,
    first: { readonly key: unknown } | null,
    start: number,
  ): Fields {
    const cursor = this.#cursor;
    const reader = this.#reader;
    const map: Fields = {};
    reader.enter();
    let key = first;
    let at = start;
    for (;;) {
      const explicit = key === null && this.#at(QUESTION);
      const name = reader.fieldName(
        key === null ? explicit ? this.#explicitKey(column) : this.#implicitKey() : key.key,
        at,
      );
      reader.checkUnique(map, name, at);
      const place: Place = { parent: column, compact: explicit, listAtParent: !explicit };
      let value: unknown = null;
      if (!explicit || (this.#next(column, null) && this.#at(COLON))) {
        cursor.pos++;
        value = this.#after(place);
      }
      reader.set(map, name, value, at);
      if (!this.#next(column, value)) break;
      if (this.#at(DASH)) cursor.fail("a list item stands where a key must");
      key = null;
      at = cursor.pos;
    }
    reader.leave();
    return reader.collection(map, properties);
  }

  #implicitKey(): unknown {
    const cursor = this.#cursor;
    const line = cursor.lineStart;
    const properties = this.#reader.properties();
    const code = cursor.code();
    if (code === OPEN_LIST || code === OPEN_MAP) {
      cursor.fail("a key must be a scalar, not a list or a map");
    }
    const { pos } = cursor;
    const atom = this.#atom(properties !== null, -1);
    cursor.skipSpaces();
    if (!endsKey(cursor, false) || line !== cursor.lineStart) {
      cursor.fail(code === DASH ? "a space must follow the dash" : KEY_WITHOUT_COLON, pos);
    }
    return this.#value(atom, properties ?? NO_PROPERTIES);
  }

  /** Reads the key behind a "?". */
  #explicitKey(column: number): unknown {
    const cursor = this.#cursor;
    cursor.pos++;
    const start = cursor.pos;
    cursor.skipSpaces();
    if (cursor.atLineEnd) {
      cursor.skipBlank();
      if (cursor.atEnd || cursor.column <= column) return null;
    }
    const properties = this.#reader.properties() ?? NO_PROPERTIES;
    if (cursor.atLineEnd) {
      cursor.skipBlank();
      if (cursor.atEnd || cursor.column <= column) return this.#reader.scalar("", true, properties);
    }
    const code = cursor.code();
    if (code === PIPE || code === GREATER) {
      return this.#reader.scalar(readBlockScalar(cursor, column), false, properties);
    }
    const collection = code === OPEN_LIST || code === OPEN_MAP || this.#at(DASH) ||
      this.#at(QUESTION);
    if (collection) cursor.fail("a key must be a scalar, not a list or a map", start);
    const atom = this.#atom(properties !== NO_PROPERTIES, column);
    const text = atom.plain ? readPlainLines(cursor, atom.text, false, column) : atom.text;
    this.#refuseKey(start);
    return this.#value({ ...atom, text }, properties);
  }

  /** Reads the node behind a dash or a colon. */
  #after(place: Place): unknown {
    const cursor = this.#cursor;
    const tab = cursor.skipSpaces();
    if (!cursor.atLineEnd) return this.#node(tab ? { ...place, compact: false } : place);
    cursor.skipBlank();
    if (!this.#inside(place)) {
      this.#reader.nodes++;
      return null;
    }
    return this.#node({ ...place, compact: true });
  }

  /**
   * Moves to the next token; returns whether it is at the head of a line and in this column.
   * @param value that was just read
   */
  #next(column: number, value: unknown): boolean {
    const cursor = this.#cursor;
    cursor.skipBlank();
    if (cursor.atEnd) return false;
    if (cursor.atHead && !cursor.tabIndented && cursor.column <= column) {
      return cursor.column === column;
    }
    const deeper = cursor.atHead && !cursor.tabIndented && typeof value !== "object";
    return cursor.fail(deeper ? DEEPER : this.#unexpected());
  }
}

/**
 * Skips directives before a document; returns whether nothing follows. "%YAML" changes nothing: what differs
 * between 1.1 and 1.2 is read as 1.2.
 */
function skipDirectives(cursor: TextCursor): boolean {
  cursor.skipBlank();
  let directives = false;
  while (cursor.column === 0 && cursor.code() === PERCENT) {
    const start = cursor.pos;
    cursor.skipLine();
    if (!YAML_DIRECTIVE.test(cursor.text.slice(start, cursor.pos))) {
      cursor.fail("directives (%) but %YAML 1.1 and 1.2 are not supported; remove the line", start);
    }
    directives = true;
    cursor.skipBlank();
  }
  if (directives && !cursor.atEnd) {
    cursor.fail("a line --- must stand between %YAML and the document");
  }
  return cursor.atEnd;
}
