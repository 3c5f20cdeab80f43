import assert from "node:assert/strict";
import { join } from "node:path";
import { stringify } from "yaml";
import { crdOf } from "./crd.ts";
import { KINDS } from "./kinds.ts";

const OWN = Object.values(KINDS).filter(({ group }) => group === "novaedge.io");

Deno.test("deploy/crds is what the schemas give", async () => {
  for (const definition of OWN) {
    const path = join(
      import.meta.dirname!,
      "..",
      "deploy",
      "crds",
      `novaedge.io_${definition.plural}.yaml`,
    );
    const expected = stringify(crdOf(definition), { lineWidth: 0, aliasDuplicateObjects: false });
    assert.equal(await Deno.readTextFile(path), expected, "run deno task generate");
  }
});

Deno.test("CRD schemas are structural: every node has a type or keeps unknown fields", () => {
  const check = (node: Record<string, unknown>, path: string): void => {
    assert.ok("type" in node, `${path} has no type`);
    for (const keyword of ["const", "anyOf", "patternProperties"]) {
      assert.ok(!(keyword in node), path);
    }
    for (const [name, child] of Object.entries((node.properties ?? {}) as object)) {
      check(child, `${path}.${name}`);
    }
    if (node.items !== undefined) check(node.items as Record<string, unknown>, `${path}[]`);
  };
  for (const definition of OWN) {
    const crd = crdOf(definition) as {
      spec: { versions: { schema: { openAPIV3Schema: Record<string, unknown> } }[] };
    };
    check(crd.spec.versions[0].schema.openAPIV3Schema, definition.kind);
  }
});
