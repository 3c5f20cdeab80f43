/**
 * Golden tests: testdata/NAME.in.yaml is a folder's content, NAME.out.yaml what it becomes (resources and
 * outcomes). NOVAEDGE_GOLDEN=update rewrites the outputs.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { stringify } from "yaml";
import { Kind, NO_VERSION } from "../../common/delta/resources.ts";
import { snapshotOf } from "../../common/delta/snapshot.ts";
import { Outcome } from "../../proto/gen/novaedge/v1/distribution.ts";
import { FolderState } from "../source/files/folder_state.ts";
import { Translator } from "./translator.ts";

const TESTDATA = join(import.meta.dirname!, "testdata");

/** An outcome in a few words. */
function showOutcome(body: Uint8Array): unknown {
  const outcome = Outcome.decode(body);
  const { kind, namespace, name, conditions, source, listeners, parents, supportedFeatures } =
    outcome;
  const shown = (list: typeof conditions) =>
    list.map(({ type, status, reason, message }) =>
      `${type}=${status}${reason === type ? "" : ` ${reason}`}${
        message === "" ? "" : `: ${message}`
      }`
    );
  return {
    object: `${kind}/${namespace}/${name}`,
    source,
    conditions: shown(conditions),
    ...(listeners.length === 0 ? {} : {
      listeners: listeners.map((listener) => ({
        ...listener,
        conditions: shown(listener.conditions),
      })),
    }),
    ...(parents.length === 0 ? {} : {
      parents: parents.map((parent) => ({ ...parent, conditions: shown(parent.conditions) })),
    }),
    ...(supportedFeatures.length === 0 ? {} : { features: supportedFeatures.length }),
  };
}

/** What a text becomes, as YAML. */
function translate(text: string): string {
  const state = new FolderState();
  const { changes } = state.apply([["in.yaml", text]]);
  const updates = new Translator({ secret: new Uint8Array(32) }).update(changes);
  const resources = updates.map(({ resource }) => resource!)
    .sort((a, b) => a.kind - b.kind || (a.name < b.name ? -1 : 1));
  const { nodes, certificates, backends, policies, routes, gateways } = snapshotOf(
    NO_VERSION,
    resources,
  );
  const sections: Record<string, unknown[]> = {
    nodes,
    certificates: certificates.map(({ namespace, name, certPem, keyPem }) => ({
      namespace,
      name,
      certificateBytes: certPem.length,
      keyBytes: keyPem.length,
    })),
    backends: backends.map(({ affinity, ...backend }) =>
      affinity === undefined
        ? backend
        : { ...backend, affinity: { ...affinity, key: affinity.key.length } }
    ),
    policies,
    routes,
    gateways,
    outcomes: resources.filter(({ kind }) => kind === Kind.KIND_OUTCOME).map(({ body }) =>
      showOutcome(body)
    ),
  };
  const out = Object.fromEntries(Object.entries(sections).filter(([, list]) => list.length > 0));
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
