import { Ajv, type ErrorObject, type ValidateFunction } from "ajv";
import { redactText } from "../common/redact.ts";
import { isKindName, type KindName, KINDS } from "./kinds.ts";

/** One thing wrong with an object. */
export interface Problem {
  /** Path inside the object, "spec.rules[0].matches"; "" for the object itself. */
  readonly path: string;
  readonly reason: string;
}

/** Characters of a user's text that a reason or a path repeats: more would fill logs and statuses. */
const SHOWN = 100;
/** Problems of one object that are described; the rest is counted. */
const PROBLEMS = 20;
/** Edits that a word may be away from the one that is suggested. */
const EDITS = 2;

/** The validators of all kinds, compiled when they are first asked for. */
class Validators {
  readonly #ajv: Ajv;
  readonly #compiled = new Map<KindName, ValidateFunction>();

  constructor(allErrors: boolean) {
    this.#ajv = new Ajv({ allErrors, useDefaults: true, strict: false, verbose: true });
  }

  of(kind: KindName): ValidateFunction {
    let validator = this.#compiled.get(kind);
    if (validator === undefined) {
      this.#compiled.set(kind, validator = this.#ajv.compile(KINDS[kind].schema));
    }
    return validator;
  }
}

const thorough = new Validators(true);
const brief = new Validators(false);

/** The kind of a parsed document, or what is wrong with its apiVersion and kind. */
export function kindOf(document: unknown): { kind: KindName } | { problem: Problem } {
  if (typeof document !== "object" || document === null || Array.isArray(document)) {
    return {
      problem: { path: "", reason: "a document must be an object with apiVersion and kind" },
    };
  }
  const { kind } = document as { kind?: unknown };
  if (typeof kind !== "string") return { problem: { path: "kind", reason: "missing" } };
  if (!isKindName(kind)) {
    const near = nearest(kind, Object.keys(KINDS));
    return {
      problem: {
        path: "kind",
        reason: `kind ${shown(kind)} is not served by this version${
          near === null ? "" : `; did you mean ${near}?`
        }`,
      },
    };
  }
  const { apiVersion } = document as { apiVersion?: unknown };
  const { group } = KINDS[kind];
  // Kinds of other groups may have the same name.
  if (typeof apiVersion === "string" && groupOf(apiVersion) !== group) {
    const reason = `kind ${kind} of ${shown(apiVersion)} is not served by this version`;
    return { problem: { path: "apiVersion", reason } };
  }
  return { kind };
}

/** "" for the core group. */
function groupOf(apiVersion: string): string {
  return apiVersion.includes("/") ? apiVersion.slice(0, apiVersion.indexOf("/")) : "";
}

/**
 * Checks an object against its kind's schema and fills in defaults; an empty list means it is valid.
 * @param all whether to look for every problem, which takes memory for each, or for the first alone
 */
export function validate(kind: KindName, object: unknown, all = true): Problem[] {
  const validator = (all ? thorough : brief).of(kind);
  dropNulls(kind, object);
  if (!validator(object)) return describe(validator.errors ?? []);
  if (kind === "Gateway") return listenerProblems(object);
  return kind === "ProxyBackend" ? backendProblems(object) : [];
}

/**
 * A field with null is one that is not there, as the API server has it; clients write such fields into
 * metadata. In the specs of our own kinds null stays an error: nobody knows what it was to say.
 */
function dropNulls(kind: KindName, object: unknown): void {
  dropNullsIn(KINDS[kind].strict ? (object as { metadata?: unknown }).metadata : object);
}

function dropNullsIn(root: unknown): void {
  // A list of its own instead of recursion: objects of a cluster may nest as deep as they like.
  const open = [root];
  while (open.length > 0) {
    const value = open.pop();
    if (typeof value !== "object" || value === null) continue;
    for (const [key, field] of Object.entries(value)) {
      if (field === null && !Array.isArray(value)) delete (value as Record<string, unknown>)[key];
      else open.push(field);
    }
  }
}

/** Names of listeners are their keys. */
function listenerProblems(object: unknown): Problem[] {
  const { listeners } = (object as { spec: { listeners: { name: string }[] } }).spec;
  const names = new Set<string>();
  const problems: Problem[] = [];
  for (const [i, { name }] of listeners.entries()) {
    // The engine hashes strings of digits alike by the thousand, and no others.
    const key = `listener ${name}`;
    if (names.has(key) && problems.length < PROBLEMS) {
      const reason = `another listener is named ${name}`;
      problems.push({ path: `spec.listeners[${i}].name`, reason });
    }
    names.add(key);
  }
  return problems;
}

/** What the schema cannot say. */
function backendProblems(object: unknown): Problem[] {
  const { spec } = object as { spec: { serviceRef?: unknown; endpoints?: unknown } };
  return (spec.serviceRef === undefined) === (spec.endpoints === undefined)
    ? [{ path: "spec", reason: "exactly one of serviceRef and endpoints must be set" }]
    : [];
}

/** The first problems, one for each path, and how many errors there are besides. */
function describe(errors: ErrorObject[]): Problem[] {
  const problems = new Map<string, Problem>();
  for (const [i, error] of errors.entries()) {
    if (problems.size === PROBLEMS) {
      const reason = `${(errors.length - i).toLocaleString("en-US")} more problems`;
      return [...problems.values(), { path: "", reason }];
    }
    const problem = reasonOf(error, toPath(error.instancePath));
    if (!problems.has(problem.path)) problems.set(problem.path, problem);
  }
  return [...problems.values()];
}

function reasonOf(error: ErrorObject, path: string): Problem {
  const params = error.params as Record<string, unknown>;
  const below = (field: unknown) => `${path === "" ? "" : `${path}.`}${shown(String(field))}`;
  switch (error.keyword) {
    case "additionalProperties": {
      const field = String(params.additionalProperty);
      const known = Object.keys((error.parentSchema as { properties?: object }).properties ?? {});
      const hint = Object.hasOwn(HINTS, field) ? HINTS[field] : undefined;
      if (hint !== undefined && known.includes(hint.where)) {
        return { path: below(field), reason: `unknown field; write ${hint.write}` };
      }
      const near = nearest(field, known);
      return {
        path: below(field),
        reason: near === null ? "unknown field" : `unknown field; did you mean ${near}?`,
      };
    }
    case "required": {
      const missing = String(params.missingProperty);
      const values = valuesOf(error.parentSchema, missing);
      const reason = values.length === 0
        ? "required field is missing"
        : `required field is missing; it is one of ${values.join(", ")}`;
      return { path: below(missing), reason };
    }
    case "enum":
      return { path, reason: `must be one of ${(params.allowedValues as unknown[]).join(", ")}` };
    case "const":
      return { path, reason: `must be ${params.allowedValue}` };
    case "pattern":
      return {
        path,
        reason: `"${
          shown(redactText(String(error.data)))
        }" does not have the form of this field (${params.pattern})`,
      };
    default:
      return { path, reason: error.message ?? error.keyword };
  }
}

/** Fields of other versions of our kinds, by the field beside which they stood, and what says the same. */
const HINTS: Readonly<Record<string, { readonly where: string; readonly write: string }>> = {
  backendRef: { where: "backendRefs", write: "backendRefs: [{ name: NAME }]" },
  vipRef: { where: "listeners", write: "address of each listener" },
  httpHealthCheck: {
    where: "httpPath",
    write: "httpPath: /PATH, and host, method and the rest beside it",
  },
  tcpHealthCheck: { where: "httpPath", write: "type: TCP" },
  grpcHealthCheck: { where: "httpPath", write: "type: gRPC, and grpcService beside it" },
};

/** The values that a property may have, where they are few. */
function valuesOf(schema: unknown, property: string): string[] {
  const { properties = {} } = (schema ?? {}) as {
    properties?: Record<string, { enum?: string[] }>;
  };
  return properties[property]?.enum ?? [];
}

/** "/spec/rules/0/name" as "spec.rules[0].name". */
function toPath(pointer: string): string {
  let path = "";
  for (const raw of pointer.split("/").slice(1)) {
    const part = raw.replaceAll("~1", "/").replaceAll("~0", "~");
    path += /^\d+$/.test(part) ? `[${part}]` : path === "" ? part : `.${part}`;
  }
  return path;
}

/** A text in a reason: its beginning, when it is long. */
function shown(text: string): string {
  return text.length <= SHOWN ? text : `${text.slice(0, SHOWN)}…`;
}

/** The known word within two edits of `word`, else null. */
export function nearest(word: string, known: readonly string[]): string | null {
  let best: string | null = null;
  let bestDistance = EDITS + 1;
  for (const candidate of known) {
    // A difference in length is at least as many edits.
    if (Math.abs(word.length - candidate.length) > EDITS) continue;
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** Levenshtein distance. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, row[j] + 1, next[j - 1] + 1));
    }
    row = next;
  }
  return row[b.length];
}
