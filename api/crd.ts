import type { KindDefinition } from "./kind.ts";

type Json = Record<string, unknown>;

/** Keywords that structural schemas of the API server do not have. */
const DROPPED = new Set(["additionalProperties", "patternProperties", "const", "default", "anyOf"]);

/** A JSON schema as the API server takes it (structural, OpenAPI v3). */
function structural(schema: Json): Json {
  const out: Json = {};
  for (const [key, value] of Object.entries(schema)) {
    if (key === "properties") {
      out.properties = Object.fromEntries(
        Object.entries(value as Record<string, Json>).map((
          [name, child],
        ) => [name, structural(child)]),
      );
    } else if (key === "items") out.items = structural(value as Json);
    else if (!DROPPED.has(key)) out[key] = value;
  }
  const [values] = Object.values((schema.patternProperties ?? {}) as Record<string, Json>);
  if (values !== undefined) out.additionalProperties = structural(values);
  if ("default" in schema) out.default = schema.default;
  if (schema.const !== undefined) out.enum = [schema.const];
  if (Object.keys(schema).length === 0) {
    out["x-kubernetes-preserve-unknown-fields"] = true;
    out.type = "object";
  }
  if (out.type === "integer" && (out.maximum as number) > 2 ** 31) {
    delete out.maximum;
    out.format = "int64";
  }
  return out;
}

/** The schema at a path, "spec.rules[].filters[]"; null when there is none. */
function nodeAt(spec: Json, path: string): Json | null {
  let node: Json | undefined = spec;
  for (const step of path.split(".").slice(1)) {
    const item = step.endsWith("[]");
    node = (node?.properties as Record<string, Json> | undefined)?.[step.replace("[]", "")];
    if (item) node = node?.items as Json | undefined;
  }
  return node ?? null;
}

/** The CustomResourceDefinition of a kind. */
export function crdOf(definition: KindDefinition): Json {
  const { group, version, kind, plural, shortNames, schema, status, columns, rules } = definition;
  const { properties } = schema as { properties?: Record<string, Json> };
  const spec = structural(properties!.spec);
  for (const { at, rule, message } of rules) {
    const node = nodeAt(spec, at);
    if (node === null) throw new Error(`${kind}: nothing is at ${at}`);
    node["x-kubernetes-validations"] = [
      ...((node["x-kubernetes-validations"] as Json[] | undefined) ?? []),
      { rule, message },
    ];
  }
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: "Namespaced",
      names: { kind, listKind: `${kind}List`, plural, singular: kind.toLowerCase(), shortNames },
      versions: [{
        name: version,
        served: true,
        storage: true,
        ...(status === null ? {} : { subresources: { status: {} } }),
        additionalPrinterColumns: columns.map(({ name, type, jsonPath }) => ({
          name,
          type,
          jsonPath,
        })),
        schema: {
          openAPIV3Schema: {
            type: "object",
            required: ["spec"],
            properties: {
              apiVersion: { type: "string" },
              kind: { type: "string" },
              metadata: { type: "object" },
              spec,
              ...(status === null ? {} : { status: structural(status as unknown as Json) }),
            },
          },
        },
      }],
    },
  };
}
