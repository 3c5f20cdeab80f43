import type { KindDefinition } from "./kind.ts";

interface Schema {
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly default?: unknown;
  readonly description?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly pattern?: string;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly patternProperties?: Readonly<Record<string, Schema>>;
}

interface Row {
  readonly path: string;
  readonly schema: Schema;
  readonly required: boolean;
}

/** Patterns of the shared schema pieces by what they mean; others are shown as they are. */
const FORMS: readonly [RegExp, string][] = [
  [/\(ms\|s\|m\|h\)/, "duration, as 1m30s"],
  [/\[KMG\]i\?B/, "size, as 10Mi"],
];

function* rows(schema: Schema, path: string, required: boolean): Generator<Row> {
  yield { path, schema, required };
  const [values] = Object.values(schema.patternProperties ?? {});
  if (schema.properties !== undefined) {
    for (const [name, child] of Object.entries(schema.properties)) {
      yield* rows(child, `${path}.${name}`, schema.required?.includes(name) ?? false);
    }
  } else if (schema.items?.properties !== undefined) {
    const { items } = schema;
    for (const [name, child] of Object.entries(items.properties!)) {
      yield* rows(child, `${path}[].${name}`, items.required?.includes(name) ?? false);
    }
  } else if (values?.properties !== undefined) {
    for (const [name, child] of Object.entries(values.properties)) {
      yield* rows(child, `${path}{}.${name}`, values.required?.includes(name) ?? false);
    }
  }
}

function typeOf(schema: Schema): string {
  if (schema.items !== undefined) return `list of ${typeOf(schema.items)}`;
  if (schema.patternProperties !== undefined) {
    return `map of ${typeOf(Object.values(schema.patternProperties)[0])}`;
  }
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${value}\``).join(", ");
  const form = FORMS.find(([pattern]) =>
    schema.pattern !== undefined && pattern.test(schema.pattern)
  );
  if (form !== undefined) return form[1];
  const { minimum, maximum } = schema;
  const shown = (value: number) => value === Number.MAX_SAFE_INTEGER ? "" : String(value);
  if (minimum !== undefined || maximum !== undefined) {
    return `${schema.type} ${shown(minimum ?? 0)}–${shown(maximum ?? Number.MAX_SAFE_INTEGER)}`;
  }
  return schema.type ?? "any";
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("\n", " ");
}

/** The page of a kind, made from its schema. */
export function referencePage(definition: KindDefinition): string {
  const { kind, group, version, shortNames, schema, unserved } = definition;
  const spec = (schema as Schema).properties!.spec;
  const lines = [
    `# ${kind}`,
    "",
    `\`${group}/${version}\`${
      shortNames.length === 0 ? "" : `, short ${shortNames.map((name) => `\`${name}\``).join(", ")}`
    }. Made from the schema by \`deno task generate\`.`,
    "",
    "| field | type | default | |",
    "| --- | --- | --- | --- |",
  ];
  for (const { path, schema: node, required } of rows(spec, "spec", true)) {
    if (path === "spec") continue;
    const listed = unserved.find((field) =>
      path === field.path || path.startsWith(`${field.path}.`)
    );
    const notes = [
      ...(required ? ["Required."] : []),
      ...(node.description === undefined ? [] : [node.description]),
      ...(listed === undefined ? [] : [
        listed.restricts === null
          ? "Not served yet: accepted, without effect."
          : `Not served yet: its ${listed.restricts} answers 500.`,
      ]),
    ];
    const standard = node.default === undefined ? "" : `\`${JSON.stringify(node.default)}\``;
    lines.push(
      `| \`${path.slice("spec.".length)}\` | ${cell(typeOf(node))} | ${cell(standard)} | ${
        cell(notes.join(" "))
      } |`,
    );
  }
  return `${lines.join("\n")}\n`;
}
