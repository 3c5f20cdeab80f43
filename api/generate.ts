/** Writes proto/gen from the .proto files, and deploy/crds and docs/reference from the schemas. */
import { join } from "node:path";
import { stringify } from "yaml";
import { parseFlags } from "../common/flags.ts";
import { readCommandLine } from "../common/program.ts";
import { generateProto } from "../proto/generate.ts";
import { admissionOf } from "./admission.ts";
import { crdOf } from "./crd.ts";
import { KINDS } from "./kinds.ts";
import { referencePage } from "./reference.ts";

const root = join(import.meta.dirname!, "..");
const crds = join(root, "deploy", "crds");
const reference = join(root, "docs", "reference");
const FLAGS = {
  "check": {
    type: "boolean",
    default: false,
    help: "write nothing, and fail where a file is not what would be written",
  },
} as const;
const { check } = readCommandLine(
  "generate",
  () => parseFlags("generate", FLAGS, Deno.args, (variable) => Deno.env.get(variable)),
);
await generateProto(check);

async function put(path: string, text: string): Promise<void> {
  if (!check) await Deno.writeTextFile(path, text);
  else if (await Deno.readTextFile(path).catch(() => "") !== text) {
    throw new Error(`${path} is not what the schemas give; run deno task generate`);
  }
}

for (const folder of [crds, reference]) await Deno.mkdir(folder, { recursive: true });
const admission: Record<string, unknown>[] = [];
for (const definition of Object.values(KINDS)) {
  const { group, kind, plural } = definition;
  if (group !== "novaedge.io") continue;
  const crd = stringify(crdOf(definition), { lineWidth: 0, aliasDuplicateObjects: false });
  await put(join(crds, `${group}_${plural}.yaml`), crd);
  await put(join(reference, `${kind}.md`), referencePage(definition));
  admission.push(...admissionOf(definition));
}
const policies = admission.map((document) => stringify(document, { lineWidth: 0 }));
await put(join(crds, "admission.yaml"), policies.join("---\n"));
