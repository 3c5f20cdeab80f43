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
    cursor.skipBlank();
    let value: unknown = null;
    if (!cursor.atEnd) {
      if (cursor.column === 0 && cursor.code() === PERCENT) {
        cursor.fail("directives (%) are not supported; remove the line");
      }
      value = this.#node({ parent: -1, compact: true, listAtParent: false });
      cursor.skipBlank();
      if (!cursor.atEnd) cursor.fail(this.#unexpected());
    }
    this.#checkRest();
    return value;
  }

  /** Only comments may follow the mark "...". */
  #checkRest(): void {
    const { text, end } = this.#cursor;
    if (end === text.length) return;
    const rest = new NodeReader(text.slice(end + 3), null).cursor;
    rest.skipBlank();
    if (!rest.atEnd || rest.end < rest.text.length) {
      this.#cursor.fail('text behind "..." must begin with "---"', end);
    }
  }

  #unexpected(): string {
    return this.#cursor.atHead
      ? "the indentation fits no line above"
      : "unexpected text behind a value; put the value in quotes";
  }

  #node(place: Place): unknown {
    const cursor = this.#cursor;
    const start = cursor.pos;
    const properties = this.#reader.properties();
    if (properties === null) return this.#content(place, NO_PROPERTIES, start);
    if (!cursor.atLineEnd) return this.#content(place, properties, start);
    cursor.skipBlank();
    const below: Place = { ...place, compact: true };
    if (this.#inside(below)) {
      return this.#content(below, properties, cursor.pos);
    }
    return this.#reader.scalar("", true, properties);
  }

  /** Whether the token at the head of a line belongs to the node. */
  #inside({ parent, listAtParent }: Place): boolean {
    const { column, atEnd } = this.#cursor;
    return !atEnd && (column > parent || (listAtParent && column === parent && this.#at(DASH)));
  }

  /** Whether an indicator with white space behind it is at the position. */
  #at(indicator: number): boolean {
    return this.#cursor.code() === indicator && isBlank(this.#cursor.code(1));
  }

  /** @param start of the node with its properties, where they are on the same line */
  #content(place: Place, properties: Properties, start: number): unknown {
    const cursor = this.#cursor;
    const reader = this.#reader;
    const column = start - cursor.lineStart;
    if (this.#at(DASH)) {
      if (start !== cursor.pos) cursor.fail("a list begins on the line below its anchor or tag");
      this.#needsLine(place, "a list");
      return this.#list(column, properties);
    }
    if (this.#at(QUESTION)) {
      if (start !== cursor.pos) cursor.fail("a map begins on the line below its anchor or tag");
      this.#needsLine(place, "a map");
      return this.#map(column, properties, null, start);
    }
    const code = cursor.code();
    if (code === PIPE || code === GREATER) {
      return reader.scalar(readBlockScalar(cursor, place.parent), false, properties);
    }
    if (code === OPEN_LIST || code === OPEN_MAP) {
      const at = cursor.pos;
      const value = this.#flow.read(place.parent, properties);
      this.#refuseKey(at);
      return value;
    }
    const line = cursor.lineStart;
    // Anchor and tag on the line of a key are the key's own.
    const own = start !== cursor.pos;
    const atom = this.#atom(own, place.parent);
    const { pos } = cursor;
    cursor.skipSpaces();
    if (endsKey(cursor, false) && line === cursor.lineStart) {
      this.#needsLine(place, "a map");
      const key = this.#value(atom, own ? properties : NO_PROPERTIES);
      return this.#map(column, own ? NO_PROPERTIES : properties, { key }, start);
    }
    cursor.pos = pos;
    const whole = atom.plain
      ? { ...atom, text: readPlainLines(cursor, atom.text, false, place.parent) }
      : atom;
    if (atom.plain) this.#refuseKey(pos);
    return this.#value(whole, properties);
  }

  #value({ alias, text, plain }: Atom, properties: Properties): unknown {
    return alias === undefined ? this.#reader.scalar(text, plain, properties) : alias.value;
  }

  #needsLine({ compact }: Place, what: string): void {
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
      if (hasProperties) cursor.fail("an alias has no anchor or tag of its own");
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
    } while (this.#next(column) && this.#at(DASH));
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
      if (!explicit || (this.#next(column) && this.#at(COLON))) {
        cursor.pos++;
        value = this.#after(place);
      }
      reader.set(map, name, value, at);
      if (!this.#next(column)) break;
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
      cursor.fail("a colon and a space must follow the key, on the same line", pos);
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

  /** Moves to the next token; returns whether it is at the head of a line and in this column. */
  #next(column: number): boolean {
    const cursor = this.#cursor;
    cursor.skipBlank();
    if (cursor.atEnd) return false;
    if (!cursor.atHead || cursor.column > column) cursor.fail(this.#unexpected());
    return cursor.column === column;
  }
}
