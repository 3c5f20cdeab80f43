import { type Document, isNode, LineCounter, parseDocument } from "yaml";
import { KINDS, type KindTypes } from "../../../api/kinds.ts";
import { kindOf, type Problem, validate } from "../../../api/validate.ts";
import type { ObjectKey } from "../../translate/source_object.ts";
import { substituteFor } from "../substitute.ts";
import { valueProblem, yamlProblem } from "../yaml_problem.ts";
import type { TextDocument } from "./documents.ts";

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

/** Parses and checks one document. */
export function parseObject({ text, line }: TextDocument): ParsedDocument {
  const counter = new LineCounter();
  const document = parseDocument(text, { lineCounter: counter });
  const lineOf = (offset: number) => line + counter.linePos(offset).line - 1;
  if (document.errors.length > 0) {
    const problems = document.errors.map((error) => ({
      path: "",
      reason: yamlProblem(error),
      line: lineOf(error.pos[0]),
    }));
    return { ...unreadablePolicy(document), problems: problems.slice(0, 1) };
  }
  const firstLine = lineOf(text.search(/^[ \t]*[^#\s]/m));
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    return {
      ...NOTHING,
      problems: [{ path: "", reason: valueProblem(error), line: firstLine }],
    };
  }
  const found = kindOf(value);
  if ("problem" in found) {
    return { ...NOTHING, problems: [{ ...found.problem, line: firstLine }] };
  }
  const { kind } = found;
  const metadata = (value as { metadata?: { name?: unknown; namespace?: unknown } }).metadata;
  const problems = validate(kind, value).map((problem): DocumentProblem => {
    const node = document.getIn(toSteps(problem.path), true);
    const parent = document.getIn(toSteps(problem.path).slice(0, -1), true);
    const place = [node, parent].find((candidate) => isNode(candidate));
    const offset = isNode(place) ? place.range?.[0] : undefined;
    return { ...problem, line: offset === undefined ? firstLine : lineOf(offset) };
  });
  const { name } = metadata ?? {};
  const namespace = KINDS[kind].clusterScoped === true
    ? ""
    : metadata?.namespace ?? DEFAULT_NAMESPACE;
  const key = typeof name === "string" && typeof namespace === "string"
    ? { kind, namespace, name }
    : null;
  const body = problems.length === 0 ? value as KindTypes[typeof kind] : null;
  return { key, body, substitute: body === null ? substituteFor(key, value) : null, problems };
}

const NOTHING = { key: null, body: null, substitute: null };

/** A policy whose text is no YAML may still say what it is for. */
function unreadablePolicy(document: Document): Omit<ParsedDocument, "problems"> {
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: 100 });
  } catch {
    return NOTHING;
  }
  const { kind, metadata } = (value ?? {}) as { kind?: unknown; metadata?: Partial<ObjectKey> };
  if (kind !== "ProxyPolicy") return NOTHING;
  const { name, namespace = DEFAULT_NAMESPACE } = metadata ?? {};
  if (typeof name !== "string" || typeof namespace !== "string") return NOTHING;
  const key: ObjectKey = { kind, namespace, name };
  const substitute = substituteFor(key, value);
  return substitute === null ? NOTHING : { key, body: null, substitute };
}

/** "spec.rules[0].name" as keys. */
function toSteps(path: string): (string | number)[] {
  return Array.from(
    path.matchAll(/\[(\d+)\]|([^.[\]]+)/g),
    ([, index, key]) => index === undefined ? key : Number(index),
  );
}
