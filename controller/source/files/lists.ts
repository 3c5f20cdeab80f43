import type { TextDocument } from "./documents.ts";
import { SOURCE_LIMIT } from "../source_limits.ts";
import { LineIndex } from "./yaml/line_index.ts";
import { lineFeeds, parseYaml } from "./yaml/parse_yaml.ts";
import { Places } from "./yaml/places.ts";

/** What a List has in its text, as kubectl writes it in YAML and in JSON. */
const LIST = /\bkind["']?[ \t]*:[ \t]*["']?List["']?[ \t]*(?:[,}#]|$)/m;

/**
 * The documents with Lists (`kind: List`, apiVersion v1) replaced by their items, each at its line. A List that cannot
 * be read stays as it is, to be refused like any other document. Yields behind each List, so that the caller may let
 * other work come between.
 * @param most documents to return
 */
export function* withoutLists(
  documents: readonly TextDocument[],
  most: number,
): Generator<void, TextDocument[]> {
  const found: TextDocument[] = [];
  for (const document of documents) {
    if (found.length >= most) break;
    const items = itemsOf(document, most - found.length);
    if (items === null) found.push(document);
    else {
      found.push(...items);
      yield;
    }
  }
  return found;
}

function itemsOf({ text, line }: TextDocument, most: number): TextDocument[] | null {
  if (text.length > SOURCE_LIMIT.documentCharacters || !LIST.test(text)) return null;
  const places = new Places();
  const parsed = parseYaml(text, places);
  if ("reason" in parsed || typeof parsed.value !== "object" || parsed.value === null) return null;
  const { kind, apiVersion, items } = parsed.value as Record<string, unknown>;
  if (kind !== "List" || apiVersion !== "v1" || !Array.isArray(items)) return null;
  const lines = new LineIndex(lineFeeds(text));
  return items.slice(0, most).map((item, index) => {
    const offset = places.find(parsed.value, ["items", index]);
    return { text: JSON.stringify(item), line: line + (offset === null ? 0 : lines.at(offset)) };
  });
}
