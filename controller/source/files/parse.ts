import { KINDS, type KindTypes } from "../../../api/kinds.ts";
import { kindOf, type Problem, validate } from "../../../api/validate.ts";
import type { ObjectKey } from "../../translate/source_object.ts";
import { substituteFor } from "../substitute.ts";
import { brokenPolicy } from "./broken_policy.ts";
import type { TextDocument } from "./documents.ts";
import { overLimit, SOURCE_LIMIT } from "../source_limits.ts";
import { lineAt, LineIndex } from "./yaml/line_index.ts";
import { lineFeeds, parseYaml } from "./yaml/parse_yaml.ts";
import { Places } from "./yaml/places.ts";

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
  /** Whether it is a ProxyPolicy that nothing can stand for, as what it restricts cannot be told. */
  readonly targetUnknown: boolean;
  readonly problems: readonly DocumentProblem[];
}

const DEFAULT_NAMESPACE = "default";
const NOTHING = { key: null, body: null, substitute: null, targetUnknown: false };

/** Parses and checks one document. */
export function parseObject({ text, line }: TextDocument): ParsedDocument {
  const firstLine = line + lineAt(text, text.search(/^[ \t]*[^#\s]/m));
  if (text.length > SOURCE_LIMIT.documentCharacters) {
    const length = text.length.toLocaleString("en-US");
    const reason = overLimit(`the document has ${length} characters`, "documentCharacters");
    return { ...refused(text), problems: [{ path: "", reason, line: firstLine }] };
  }
  const parsed = parseYaml(text);
  if ("reason" in parsed) {
    const problems = [{ path: "", reason: parsed.reason, line: line + parsed.line }];
    return { ...refused(text), problems };
  }
  const { value, nodes } = parsed;
  // It says nothing.
  if (value === null) return { ...NOTHING, problems: [] };
  const found = kindOf(value);
  if ("problem" in found) {
    // A kind of another group restricts nothing here.
    const rest = found.problem.path === "apiVersion" ? NOTHING : refused(text);
    return { ...rest, problems: [{ ...found.problem, line: firstLine }] };
  }
  const { kind } = found;
  const problems = validate(kind, value, nodes <= SOURCE_LIMIT.nodesForAllProblems);
  const key = keyOf(value, KINDS[kind].clusterScoped === true);
  if (problems.length === 0) {
    return { ...NOTHING, key, body: value as KindTypes[typeof kind], problems: [] };
  }
  const substitute = substituteFor(key, value);
  const rest = substitute === null && kind === "ProxyPolicy"
    ? refused(text)
    : { ...NOTHING, key, substitute };
  return { ...rest, problems: placed(problems, text, line, firstLine) };
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

/** Returns what a document holds that is refused: nothing, but that a policy closes its target. */
export function refused(text: string): Omit<ParsedDocument, "problems"> {
  const policy = brokenPolicy(text);
  if (policy === null) return NOTHING;
  const { namespace = DEFAULT_NAMESPACE, target } = policy;
  if (namespace === null) return { ...NOTHING, targetUnknown: true };
  // One without a name of its own closes its target all the same.
  const name = policy.name ?? (target && `unnamed-policy-of-${target.kind}-${target.name}`);
  const value = { kind: "ProxyPolicy", metadata: { name, namespace }, spec: { targetRef: target } };
  const key = keyOf(value, false);
  const substitute = substituteFor(key, value);
  return { key, body: null, substitute, targetUnknown: substitute === null };
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
