import { join } from "node:path";
import { stringify } from "yaml";
import { admissionOf } from "./admission.ts";
import { crdOf } from "./crd.ts";
import { KINDS } from "./kinds.ts";
import { referencePage } from "./reference.ts";

const root = join(import.meta.dirname!, "..");
const crds = join(root, "deploy", "crds");
const reference = join(root, "docs", "reference");

/**
 * Writes deploy/crds and docs/reference from the schemas.
 * @param check compare instead
 * @throws {Error} when `check` finds a difference
 */
export async function generateResources(check: boolean): Promise<void> {
  const put = async (path: string, text: string) => {
    if (!check) await Deno.writeTextFile(path, text);
    else if (await Deno.readTextFile(path).catch(() => "") !== text) {
      throw new Error(`${path} is not what the schemas give; run deno task generate`);
    }
  };
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
}
