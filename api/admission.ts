import type { KindDefinition, UnservedField } from "./kind.ts";

type Json = Record<string, unknown>;

interface SchemaNode {
  readonly default?: unknown;
  readonly type?: string;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly items?: SchemaNode;
  readonly patternProperties?: Readonly<Record<string, SchemaNode>>;
}

const GROUP = "admissionregistration.k8s.io/v1";

/**
 * What the API server says of fields that nothing serves yet, by ValidatingAdmissionPolicies: what would close
 * the object is refused, so that what is there goes on; what has no effect is warned of.
 */
export function admissionOf(definition: KindDefinition): Json[] {
  const restricting = definition.unserved.filter(({ restricts }) => restricts !== null);
  const ignored = definition.unserved.filter(({ restricts }) => restricts === null);
  return [
    ...policyOf(definition, "unserved", "Deny", restricting),
    ...policyOf(definition, "ignored", "Warn", ignored),
  ];
}

function policyOf(
  definition: KindDefinition,
  what: string,
  action: "Deny" | "Warn",
  fields: readonly UnservedField[],
): Json[] {
  if (fields.length === 0) return [];
  const { group, version, plural, schema } = definition;
  const metadata = { name: `${plural}-${what}.${group}` };
  const effect = action === "Deny" ? "is not served yet" : "has no effect yet";
  return [{
    apiVersion: GROUP,
    kind: "ValidatingAdmissionPolicy",
    metadata,
    spec: {
      matchConstraints: {
        resourceRules: [{
          apiGroups: [group],
          apiVersions: [version],
          operations: ["CREATE", "UPDATE"],
          resources: [plural],
        }],
      },
      validations: fields.map(({ path }) => ({
        expression: absent("object", path.split("."), schema as SchemaNode, 0),
        message: `${path} ${effect}`,
      })),
    },
  }, {
    apiVersion: GROUP,
    kind: "ValidatingAdmissionPolicyBinding",
    metadata,
    spec: { policyName: metadata.name, validationActions: [action] },
  }];
}

/** An expression (CEL) that holds when a field is not set, has its default, or is switched off. */
function absent(
  owner: string,
  steps: readonly string[],
  schema: SchemaNode,
  depth: number,
): string {
  const [step, ...rest] = steps;
  const name = step.replace(/(\[\]|\{\})$/, "");
  const at = `${owner}.${name}`;
  const node = schema.properties?.[name];
  if (node === undefined) throw new Error(`nothing is at ${at}`);
  const missing = `!has(${at})`;
  const each = `x${depth}`;
  if (step.endsWith("[]")) {
    return `${missing} || ${at}.all(${each}, ${absent(each, rest, node.items!, depth + 1)})`;
  }
  if (step.endsWith("{}")) {
    const [values] = Object.values(node.patternProperties ?? {});
    const inner = absent(`${at}[${each}]`, rest, values, depth + 1);
    return `${missing} || ${at}.all(${each}, ${inner})`;
  }
  if (rest.length > 0) return `${missing} || ${absent(at, rest, node, depth)}`;
  return [missing, ...offs(at, node)].join(" || ");
}

/** When a field that is there asks for nothing: what the API server filled in, nobody asked for. */
function offs(at: string, node: SchemaNode): string[] {
  const found: string[] = [];
  if (node.default !== undefined) found.push(`${at} == ${JSON.stringify(node.default)}`);
  if (node.type === "boolean") found.push(`!${at}`);
  if (node.type === "array") found.push(`${at}.size() == 0`);
  if (node.properties?.enabled !== undefined) found.push(`(has(${at}.enabled) && !${at}.enabled)`);
  if (node.properties?.mode !== undefined) {
    found.push(`(has(${at}.mode) && ${at}.mode == "none")`);
  }
  return found;
}
