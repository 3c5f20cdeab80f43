import { plainValue, type ScalarValue } from "./plain_value.ts";
import type { TextCursor } from "./text_cursor.ts";

/** A tag, and where it stands. */
export interface Tag {
  /** "!" or a name behind "!!". */
  readonly name: string;
  readonly offset: number;
}

const CORE = "tag:yaml.org,2002:";
const SCALARS: Readonly<Record<string, (value: ScalarValue) => boolean>> = {
  null: (value) => value === null,
  bool: (value) => typeof value === "boolean",
  int: (value) => Number.isInteger(value),
  float: (value) => typeof value === "number",
};
const NAMES = new Set(["str", "map", "seq", ...Object.keys(SCALARS)]);

/** Returns the tag that a text like "!!str" names; only those of the core schema are served. */
export function parseTag(text: string, cursor: TextCursor, offset: number): Tag {
  if (text === "!") return { name: "!", offset };
  const name = text.startsWith("!!")
    ? text.slice(2)
    : text.startsWith(`!<${CORE}`) && text.endsWith(">")
    ? text.slice(2 + CORE.length, -1)
    : "";
  if (!NAMES.has(name)) {
    cursor.fail("the tag is not supported; remove it or put the value in quotes", offset);
  }
  return { name, offset };
}

/** Returns the value of a scalar with a tag. */
export function taggedScalar(text: string, tag: Tag, cursor: TextCursor): ScalarValue {
  if (tag.name === "str" || tag.name === "!") return text;
  const value = plainValue(text);
  if (!Object.hasOwn(SCALARS, tag.name) || !SCALARS[tag.name](value)) mismatch(tag, cursor);
  return value;
}

/** Refuses a tag that says something else than the collection is. */
export function checkCollectionTag(tag: Tag | null, kind: "map" | "seq", cursor: TextCursor): void {
  if (tag !== null && tag.name !== kind && tag.name !== "!") mismatch(tag, cursor);
}

function mismatch({ name, offset }: Tag, cursor: TextCursor): never {
  return cursor.fail(`the value is no !!${name}`, offset);
}
