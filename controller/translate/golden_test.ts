/**
 * Golden tests: testdata/NAME.in.yaml is a folder's content, NAME.out.yaml what it becomes (resources and
 * outcomes). NOVAEDGE_GOLDEN=update rewrites the outputs.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { stringify } from "yaml";
import { Kind, type Resource } from "../../common/delta/resources.ts";
import { Backend, Certificate, Gateway, Route } from "../../proto/gen/novaedge/v1/config.ts";
import { Outcome } from "../../proto/gen/novaedge/v1/distribution.ts";
import { FolderState } from "../source/files/folder_state.ts";
import { Translator } from "./translator.ts";

const TESTDATA = join(import.meta.dirname!, "testdata");

function show({ kind, body }: Resource): [string, unknown] {
  switch (kind) {
    case Kind.KIND_GATEWAY:
      return ["gateways", Gateway.decode(body)];
    case Kind.KIND_ROUTE:
      return ["routes", Route.decode(body)];
    case Kind.KIND_BACKEND:
      return ["backends", Backend.decode(body)];
    case Kind.KIND_CERTIFICATE: {
      const { namespace, name, certPem, keyPem } = Certificate.decode(body);
      return ["certificates", {
        namespace,
        name,
        certificateBytes: certPem.length,
        keyBytes: keyPem.length,
      }];
    }
    case Kind.KIND_OUTCOME: {
      const { kind: objectKind, namespace, name, conditions, source } = Outcome.decode(body);
      const shown = conditions.map(({ type, status, reason, message }) =>
        `${type}=${status}${reason === type ? "" : ` ${reason}`}${
          message === "" ? "" : `: ${message}`
        }`
      );
      return ["outcomes", {
        object: `${objectKind}/${namespace}/${name}`,
        source,
        conditions: shown,
      }];
    }
    default:
      return ["others", null];
  }
}

/** What a text becomes, as YAML. */
function translate(text: string): string {
  const state = new FolderState();
  const { changes } = state.apply([["in.yaml", text]]);
  const updates = new Translator().update(changes);
  const out: Record<string, unknown[]> = {};
  for (
    const { resource } of updates.sort((a, b) => a.kind - b.kind || (a.name < b.name ? -1 : 1))
  ) {
    const [section, value] = show(resource!);
    (out[section] ??= []).push(value);
  }
  const problems = state.problems().map(({ line, path, object, reason }) => ({
    line,
    path,
    object,
    reason,
  }));
  return stringify(problems.length === 0 ? out : { ...out, problems }, { lineWidth: 0 });
}

for (
  const entry of [...Deno.readDirSync(TESTDATA)].filter(({ name }) => name.endsWith(".in.yaml"))
) {
  const name = entry.name.slice(0, -".in.yaml".length);
  Deno.test(`golden: ${name}`, async () => {
    const actual = translate(await Deno.readTextFile(join(TESTDATA, entry.name)));
    const path = join(TESTDATA, `${name}.out.yaml`);
    if (Deno.env.get("NOVAEDGE_GOLDEN") === "update") await Deno.writeTextFile(path, actual);
    assert.equal(actual, await Deno.readTextFile(path));
  });
}
