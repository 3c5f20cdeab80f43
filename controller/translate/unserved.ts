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
    for (const path of findAll(object.body, steps, "")) {
      uses.push({ path, restricts: field.restricts });
    }
  }
  return uses;
}

function* findAll(value: unknown, steps: readonly string[], path: string): Generator<string> {
  if (value === undefined || value === null) return;
  if (steps.length === 0) {
    if (!isOff(value)) yield path;
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
