import type { UnservedField } from "../../api/kind.ts";
import { KINDS } from "../../api/kinds.ts";
import type { SourceObject } from "./source_object.ts";

/** A set field that nothing serves. */
export interface UnservedUse {
  /** Path with positions: "spec.rules[1].filters". */
  readonly path: string;
  readonly restricts: UnservedField["restricts"];
}

/** The unserved fields an object sets. Switched-off settings ({enabled: false}, mode none) do not count. */
export function unservedUses(object: SourceObject): UnservedUse[] {
  const uses: UnservedUse[] = [];
  for (const field of KINDS[object.kind].unserved) {
    const steps = field.path.split(".");
    const standard = defaultAt(KINDS[object.kind].schema as SchemaNode, steps);
    for (const { path, value } of findAll(object.body, steps, "")) {
      // What the schema filled in, nobody asked for.
      if (value !== standard) uses.push({ path, restricts: field.restricts });
    }
  }
  return uses;
}

interface SchemaNode {
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly items?: SchemaNode;
  readonly patternProperties?: Readonly<Record<string, SchemaNode>>;
}

/** Default of the field at a path, undefined without one. */
function defaultAt(schema: SchemaNode, steps: readonly string[]): unknown {
  let node: SchemaNode | undefined = schema;
  for (const step of steps) {
    node = node?.properties?.[step.replace(/(\[\]|\{\})$/, "")];
    if (step.endsWith("[]")) node = node?.items;
    else if (step.endsWith("{}")) node = Object.values(node?.patternProperties ?? {})[0];
  }
  return node?.default;
}

interface Found {
  readonly path: string;
  readonly value: unknown;
}

function* findAll(value: unknown, steps: readonly string[], path: string): Generator<Found> {
  if (value === undefined || value === null) return;
  if (steps.length === 0) {
    if (!isOff(value)) yield { path, value };
    return;
  }
  const [step, ...rest] = steps;
  const key = step.replace(/(\[\]|\{\})$/, "");
  const child = (value as Record<string, unknown>)[key];
  const childPath = path === "" ? key : `${path}.${key}`;
  if (step.endsWith("[]")) {
    if (!Array.isArray(child)) return;
    for (const [i, item] of child.entries()) yield* findAll(item, rest, `${childPath}[${i}]`);
  } else if (step.endsWith("{}")) {
    for (const [name, item] of Object.entries(child ?? {})) {
      yield* findAll(item, rest, `${childPath}["${name}"]`);
    }
  } else yield* findAll(child, rest, childPath);
}

function isOff(value: unknown): boolean {
  if (value === false) return true;
  if (typeof value !== "object" || value === null) return false;
  if (Array.isArray(value)) return value.length === 0;
  const { enabled, mode } = value as { enabled?: unknown; mode?: unknown };
  return enabled === false || mode === "none";
}
