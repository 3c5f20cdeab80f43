import { overLimit, SOURCE_LIMIT } from "../../source_limits.ts";
import { Anchors, type OpenAnchor } from "./anchors.ts";
import { plainValue } from "./plain_value.ts";
import type { Places } from "./places.ts";
import { checkCollectionTag, parseTag, type Tag, taggedScalar } from "./tags.ts";
import { isBlank, TextCursor } from "./text_cursor.ts";
import { isFlowIndicator } from "./plain_scalar.ts";

const AMPERSAND = 38;
const EXCLAMATION = 33;
const LESS = 60;
const GREATER = 62;

/** An object of the document, by its fields' names. */
export type Fields = Record<string, unknown>;

/** Anchor and tag of a node. */
export interface Properties {
  readonly anchor: OpenAnchor | null;
  readonly tag: Tag | null;
}

export const NO_PROPERTIES: Properties = { anchor: null, tag: null };

/** What blocks and brackets share: bounds, properties, aliases, and how values are put together. */
export class NodeReader {
  readonly cursor: TextCursor;
  readonly #anchors = new Anchors();
  readonly #places: Places | null;
  #depth = 0;
  /** Values read so far. */
  nodes = 0;

  /** @param places gets the offset of every field and item, where it is not null */
  constructor(text: string, places: Places | null) {
    this.cursor = new TextCursor(text, endOfDocument(text));
    this.#places = places;
  }

  /** Notes that a collection begins at the position. */
  enter(): void {
    if (++this.#depth > SOURCE_LIMIT.depth) {
      this.cursor.fail(overLimit("the document nests too deep", "depth"));
    }
  }

  leave(): void {
    this.#depth--;
  }

  /** Reads an anchor and a tag, in either order; null when the position has neither. */
  properties(): Properties | null {
    const { cursor } = this;
    let anchor: OpenAnchor | null = null;
    let tag: Tag | null = null;
    for (;;) {
      const offset = cursor.pos;
      if (cursor.code() === AMPERSAND && anchor === null) {
        anchor = this.#anchors.open(this.#name(), offset);
      } else if (cursor.code() === EXCLAMATION && tag === null) {
        tag = parseTag(this.#tagText(), cursor, offset);
      } else break;
      if (!isBlank(cursor.code()) && !isFlowIndicator(cursor.code())) {
        cursor.fail("a space must follow an anchor or a tag");
      }
      cursor.skipSpaces();
    }
    return anchor === null && tag === null ? null : { anchor, tag };
  }

  /** Returns the properties of a node that stand on two lines. */
  united(first: Properties, second: Properties): Properties {
    if (first.anchor !== null && second.anchor !== null) {
      this.cursor.fail("a node has one anchor; remove the other", second.anchor.start);
    }
    if (first.tag !== null && second.tag !== null) {
      this.cursor.fail("a node has one tag; remove the other", second.tag.offset);
    }
    return { anchor: first.anchor ?? second.anchor, tag: first.tag ?? second.tag };
  }

  /** Reads an alias; returns the value that it stands for. */
  alias(): unknown {
    const offset = this.cursor.pos;
    this.nodes++;
    return this.#anchors.resolve(this.#name(), this.cursor, offset);
  }

  /**
   * Reads the name of an anchor or an alias, whose mark is at the position. Returned is "&name" for both: the
   * engine hashes strings of digits alike by the thousand, and no others.
   */
  #name(): string {
    const { cursor } = this;
    const start = ++cursor.pos;
    while (!isBlank(cursor.code()) && !isFlowIndicator(cursor.code())) cursor.pos++;
    if (cursor.pos === start) {
      const remedy = "put a value that begins with & or * in quotes";
      cursor.fail(`the name of an anchor or alias is missing; ${remedy}`, start - 1);
    }
    return `&${cursor.text.slice(start, cursor.pos)}`;
  }

  #tagText(): string {
    const { cursor } = this;
    const start = cursor.pos;
    const verbatim = cursor.code(1) === LESS;
    while (!isBlank(cursor.code()) && (verbatim || !isFlowIndicator(cursor.code()))) {
      if (verbatim && cursor.code() === GREATER) {
        cursor.pos++;
        break;
      }
      cursor.pos++;
    }
    return cursor.text.slice(start, cursor.pos);
  }

  /**
   * Finishes a scalar and returns its value.
   * @param plain whether its text may stand for a number, a boolean or null
   */
  scalar(text: string, plain: boolean, { anchor, tag }: Properties): unknown {
    this.nodes++;
    const value = tag !== null
      ? taggedScalar(text, tag, this.cursor)
      : plain
      ? plainValue(text)
      : text;
    if (anchor !== null) this.#anchors.close(anchor, value, this.cursor.pos);
    return value;
  }

  /** Finishes a collection and returns it. */
  collection<T extends Fields | unknown[]>(value: T, { anchor, tag }: Properties): T {
    this.nodes++;
    checkCollectionTag(tag, Array.isArray(value) ? "seq" : "map", this.cursor);
    if (anchor !== null) this.#anchors.close(anchor, value, this.cursor.pos);
    return value;
  }

  /** Returns the name of a field that a scalar gives. */
  fieldName(key: unknown, offset: number): string {
    if (typeof key === "object" && key !== null) {
      this.cursor.fail("a key must be a scalar, not a list or a map", offset);
    }
    return key === null ? "" : String(key);
  }

  /** Refuses a key that the map has already. */
  checkUnique(map: Fields, name: string, offset: number): void {
    if (Object.hasOwn(map, name)) {
      this.cursor.fail("the key stands twice in one map", offset);
    }
  }

  /** Sets a field of a map. @param offset of its key */
  set(map: Fields, name: string, value: unknown, offset: number): void {
    if (name === "<<" && typeof value === "object" && value !== null) {
      const remedy = "write the fields out or alias the whole map";
      this.cursor.fail(`merge keys (<<) are not supported; ${remedy}`, offset);
    }
    // Assignment would change the prototype.
    if (name === "__proto__") {
      const rest = { enumerable: true, configurable: true, writable: true };
      Object.defineProperty(map, name, { value, ...rest });
    } else map[name] = value;
    this.#places?.note(map, name, offset);
  }

  /** Adds an item to a list. */
  add(list: unknown[], value: unknown, offset: number): void {
    this.#places?.note(list, list.length, offset);
    list.push(value);
  }
}

/** Offset of the mark "..." that ends the document, or of the end of the text. */
function endOfDocument(text: string): number {
  for (let at = text.indexOf("..."); at >= 0; at = text.indexOf("...", at + 3)) {
    const first = at === 0 || text.charCodeAt(at - 1) === 10;
    if (first && isBlank(text.charCodeAt(at + 3))) return at;
  }
  return text.length;
}
