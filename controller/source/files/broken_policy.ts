import { SOURCE_LIMIT } from "../source_limits.ts";
import { outline, type OutlineField } from "./yaml/outline.ts";

const KIND = "ProxyPolicy";
/** Names and kinds of objects that exist: a text that cannot be one tells nothing. */
const NAME = /^[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?$/;
const COMMENT = /(?:^|\s)#.*$/gm;

/** What a ProxyPolicy is attached to. */
export interface BrokenTarget {
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string;
  readonly sectionName?: string;
}

/** A ProxyPolicy whose document is broken, as far as it can be told. */
export interface BrokenPolicy {
  readonly name: string | null;
  /** Undefined where the document says none. */
  readonly namespace: string | null | undefined;
  /** Null where none can be told, or more than one. */
  readonly target: BrokenTarget | null;
}

/**
 * Returns the policy of a document that is no YAML or not what the schema asks for; null when it is of
 * another kind. What may be a policy is one: a document that is taken for none leaves open what it was
 * meant to restrict. Of a document beyond the limit the first part counts.
 */
export function brokenPolicy(text: string): BrokenPolicy | null {
  if (!text.includes(KIND)) return null;
  const root = outline(text.slice(0, SOURCE_LIMIT.documentCharacters));
  if (!isPolicy(root, text)) return null;
  const fields = flatten(root);
  const metadata = fields.filter(({ name }) => name === "metadata").flatMap((field) =>
    field.fields
  );
  const about = metadata.length > 0 ? metadata : root.fields;
  const namespaces = valuesOf(about, "namespace");
  return {
    name: valuesOf(about, "name").find((name) => name !== null) ?? null,
    namespace: namespaces.length > 1 ? null : namespaces[0],
    target: targetOf(fields),
  };
}

function isPolicy(root: OutlineField, text: string): boolean {
  const kinds = valuesOf(root.fields, "kind");
  if (kinds.includes(KIND)) return true;
  // Where the kind cannot be told, as with broken indentation, the word anywhere counts; so it does in a List.
  const untold = kinds.length === 0 || kinds.includes(null) || kinds.includes("List");
  return untold && text.replace(COMMENT, "").includes(KIND);
}

/** Returns all fields of a tree. An alias shares fields, which are visited once. */
function flatten(root: OutlineField): OutlineField[] {
  const found = new Set<OutlineField>([root]);
  for (const { fields } of found) for (const field of fields) found.add(field);
  return [...found];
}

/** Returns the different values of the fields of a name; null for one that tells no name. */
function valuesOf(fields: readonly OutlineField[], name: string): (string | null)[] {
  const values = fields.filter((field) => field.name === name).map(({ value }) =>
    NAME.test(value) && value.length <= SOURCE_LIMIT.nameCharacters ? value : null
  );
  return [...new Set(values)];
}

/** Returns the one target that all references name; null where there is none, or more than one. */
function targetOf(fields: readonly OutlineField[]): BrokenTarget | null {
  const references = fields.filter(({ name }) => name === "targetref" || name === "targetrefs");
  const named = references.flatMap((reference) => reference.fields);
  const merged = named.filter(({ name }) => name === "<<").flatMap((merge) => merge.fields);
  const parts = [...named, ...merged];
  const [kinds, names, namespaces, sections] = ["kind", "name", "namespace", "sectionname"].map(
    (part) => valuesOf(parts, part),
  );
  const [[kind], [name], [namespace], [sectionName]] = [kinds, names, namespaces, sections];
  if (kinds.length !== 1 || names.length !== 1 || !kind || !name) return null;
  return {
    kind,
    name,
    ...(namespaces.length === 1 && namespace ? { namespace } : {}),
    // Where the section cannot be told, all of the target is closed.
    ...(references.length === 1 && sections.length === 1 && sectionName ? { sectionName } : {}),
  };
}
