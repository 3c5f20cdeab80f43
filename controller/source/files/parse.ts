import { KINDS, type KindTypes } from "../../../api/kinds.ts";
import { kindOf, type Problem, validate } from "../../../api/validate.ts";
import type { ObjectKey } from "../../translate/source_object.ts";
import { substituteFor } from "../substitute.ts";
import type { TextDocument } from "./documents.ts";
import { overLimit, SOURCE_LIMIT } from "../source_limits.ts";
import { lineAt, LineIndex } from "./yaml/line_index.ts";
import { lineFeeds, parseYaml } from "./yaml/parse_yaml.ts";
import { Places } from "./yaml/places.ts";
import { salvage } from "./yaml/salvage.ts";

/** Something wrong with a document, with its place in the file. */
export interface DocumentProblem extends Problem {
  readonly line: number;
}

/** What a document holds. */
export interface ParsedDocument {
  /** Identity, where it can be read, even of an invalid object. */
  readonly key: ObjectKey | null;
  /** The valid object with defaults, or null. */
  readonly body: KindTypes[keyof KindTypes] | null;
  /** What stands for an invalid object that never served, so that what it restricts is not left open. */
  readonly substitute: KindTypes[keyof KindTypes] | null;
  readonly problems: readonly DocumentProblem[];
}

const DEFAULT_NAMESPACE = "default";
const NOTHING = { key: null, body: null, substitute: null };

/** Parses and checks one document. */
export function parseObject({ text, line }: TextDocument): ParsedDocument {
  const firstLine = line + lineAt(text, text.search(/^[ \t]*[^#\s]/m));
  if (text.length > SOURCE_LIMIT.documentCharacters) {
    const length = text.length.toLocaleString("en-US");
    const reason = overLimit(`the document has ${length} characters`, "documentCharacters");
    return { ...NOTHING, problems: [{ path: "", reason, line: firstLine }] };
  }
  const parsed = parseYaml(text);
  if ("reason" in parsed) {
    const problems = [{ path: "", reason: parsed.reason, line: line + parsed.line }];
    return { ...unreadablePolicy(text), problems };
  }
  const { value, nodes } = parsed;
  const found = kindOf(value);
  if ("problem" in found) {
    return { ...NOTHING, problems: [{ ...found.problem, line: firstLine }] };
  }
  const { kind } = found;
  const problems = validate(kind, value, nodes <= SOURCE_LIMIT.nodesForAllProblems);
  const key = keyOf(value, KINDS[kind].clusterScoped === true);
  if (problems.length === 0) {
    return { key, body: value as KindTypes[typeof kind], substitute: null, problems: [] };
  }
  return {
    key: key === null ? null : { ...key, kind },
    body: null,
    substitute: substituteFor(key, value),
    problems: placed(problems, text, line, firstLine),
  };
}

/** Identity of an object; null when its metadata does not say it. */
function keyOf(value: unknown, clusterScoped: boolean): ObjectKey | null {
  const { kind, metadata } = value as { kind: ObjectKey["kind"]; metadata?: unknown };
  const { name, namespace: given } = (metadata ?? {}) as Record<string, unknown>;
  const namespace = clusterScoped ? "" : given ?? DEFAULT_NAMESPACE;
  return isName(name) && isName(namespace) ? { kind, namespace, name } : null;
}

function isName(value: unknown): value is string {
  return typeof value === "string" && value.length <= SOURCE_LIMIT.nameCharacters;
}

/** A policy whose text is no YAML may still say what it is for. */
function unreadablePolicy(text: string): Omit<ParsedDocument, "problems"> {
  if (!text.includes("ProxyPolicy")) return NOTHING;
  const value = salvage(text, { kind: {}, metadata: {}, spec: { targetRef: {} } });
  if (value.kind !== "ProxyPolicy") return NOTHING;
  const key = keyOf(value, false);
  const substitute = substituteFor(key, value);
  return key === null || substitute === null ? NOTHING : { key, body: null, substitute };
}

/** Returns problems with the lines of the fields that they name. */
function placed(
  problems: readonly Problem[],
  text: string,
  line: number,
  firstLine: number,
): DocumentProblem[] {
  const places = new Places();
  // Positions are kept of documents with problems only: they cost more than the values.
  const parsed = parseYaml(text, places);
  const root = "value" in parsed ? parsed.value : null;
  const lines = new LineIndex(lineFeeds(text));
  return problems.map((problem) => {
    const offset = places.find(root, toSteps(problem.path));
    return { ...problem, line: offset === null ? firstLine : line + lines.at(offset) };
  });
}

/** "spec.rules[0].name" as keys. */
function toSteps(path: string): (string | number)[] {
  return Array.from(
    path.matchAll(/\[(\d+)\]|([^.[\]]+)/g),
    ([, index, key]) => index === undefined ? key : Number(index),
  );
}
