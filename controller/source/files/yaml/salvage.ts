import { parseYaml } from "./parse_yaml.ts";

/** Fields that are read of a broken map, with those that are read of theirs when they are broken too. */
export interface WantedFields {
  readonly [name: string]: WantedFields;
}

/**
 * Returns the wanted fields of a map that is no YAML as a whole: each is parsed alone, and one that fails
 * is taken apart in turn. Linear: only the first field of a name is parsed.
 */
export function salvage(text: string, wanted: WantedFields): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  for (const [name, field] of fieldsOf(text)) {
    if (!Object.hasOwn(wanted, name) || Object.hasOwn(found, name)) continue;
    const parsed = parseYaml(field);
    const value = "value" in parsed ? parsed.value : null;
    found[name] = typeof value === "object" && value !== null
      ? (value as Record<string, unknown>)[name]
      : salvage(field.slice(field.indexOf("\n") + 1 || field.length), wanted[name]);
  }
  return found;
}

/** Cuts a text where a key is indented like the first line. */
function* fieldsOf(text: string): Generator<[name: string, field: string]> {
  const indent = /^( *)[^\s#]/m.exec(text)?.[1] ?? "";
  let name = "";
  let start = 0;
  for (let at = 0; at <= text.length;) {
    const end = text.indexOf("\n", at);
    const key = /^([A-Za-z]+):(?:\s|$)/.exec(
      text.slice(at + indent.length, at + indent.length + 40),
    );
    if (key !== null && text.startsWith(indent, at)) {
      if (name !== "") yield [name, text.slice(start, at)];
      name = key[1];
      start = at;
    }
    if (end < 0) break;
    at = end + 1;
  }
  if (name !== "") yield [name, text.slice(start)];
}
