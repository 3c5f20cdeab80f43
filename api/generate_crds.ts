/** Writes deploy/crds from the schemas; with --check it fails on a difference instead. */
import { join } from "node:path";
import { stringify } from "yaml";
import { crdOf } from "./crd.ts";
import { KINDS } from "./kinds.ts";

const folder = join(import.meta.dirname!, "..", "deploy", "crds");
await Deno.mkdir(folder, { recursive: true });
for (const definition of Object.values(KINDS)) {
  if (definition.group !== "novaedge.io") continue;
  const path = join(folder, `${definition.group}_${definition.plural}.yaml`);
  const text = stringify(crdOf(definition), { lineWidth: 0, aliasDuplicateObjects: false });
  if (!Deno.args.includes("--check")) await Deno.writeTextFile(path, text);
  else if (await Deno.readTextFile(path).catch(() => "") !== text) {
    throw new Error(`${path} is not what the schemas give; run deno task generate`);
  }
}
