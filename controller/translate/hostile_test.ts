/**
 * Values that nobody writes on purpose, in every field of every object of the golden tests: translation
 * goes on, and what it gives can be used by the dataplane.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { KINDS } from "../../api/kinds.ts";
import { kindOf, validate } from "../../api/validate.ts";
import { Kind } from "../../common/delta/resources.ts";
import { compileRoute } from "../../dataplane/router/compile.ts";
import { listenerState } from "../../dataplane/router/listener_state.ts";
import { Gateway, Route } from "../../proto/gen/novaedge/v1/config.ts";
import { Outcome } from "../../proto/gen/novaedge/v1/distribution.ts";
import type { SourceChange } from "./source_object.ts";
import { type ResourceUpdate, Translator } from "./translator.ts";

const TESTDATA = join(import.meta.dirname!, "testdata");

const NASTY: readonly unknown[] = [
  ...["", "constructor", "__proto__", "toString", "a\r\nb: c", "\u0000", "ü€", "\ud800", "*", "*."],
  ...[
    "(",
    "(?:a|b)*c\\1",
    "/",
    "//",
    "/%zz",
    "%00",
    "99999h",
    "0s",
    "0.0001ms",
    "9999999999G",
    "a,b",
    "[::1]",
  ],
  ...["::", "127.1", "1.2.3.4/33", "*.*.test", ".", "..", "2024-01-01", "UDP", "x".repeat(10_000)],
  ...[-1, 0, 2 ** 31, 2 ** 53, 1e308, 0.5, null, true, [], {}, ["x"]],
];

type Path = readonly (string | number)[];
type Json = Record<string | number, unknown>;

/** Every place below a value. */
function placesOf(value: unknown, path: Path = []): Path[] {
  if (typeof value !== "object" || value === null) return [path];
  const below = Object.entries(value).flatMap(([key, field]) =>
    placesOf(field, [...path, Array.isArray(value) ? Number(key) : key])
  );
  return path.length === 0 ? below : [path, ...below];
}

function changed(document: Json, path: Path, value: unknown): Json {
  const copy = structuredClone(document);
  const parent = path.slice(0, -1).reduce((node: Json, key) => node[key] as Json, copy);
  parent[path.at(-1)!] = value;
  return copy;
}

/** The change that a source makes of a document; null when it is not valid. */
function changeOf(document: Json): SourceChange | null {
  const found = kindOf(document);
  if ("problem" in found || validate(found.kind, document).length > 0) return null;
  const { kind } = found;
  const { name, namespace = "default" } = document.metadata as { name: string; namespace?: string };
  const key = {
    kind,
    namespace: KINDS[kind].clusterScoped === true ? "" : namespace,
    name,
  };
  const object = { ...key, body: document, origin: "f:1", heldBecause: "" };
  return { key, object: object as unknown as SourceChange["object"] };
}

/** What of the updates cannot be used. */
function unusable(updates: readonly ResourceUpdate[]): string[] {
  return updates.flatMap(({ kind, name, resource }) => {
    if (resource === null) return [];
    try {
      if (kind === Kind.KIND_OUTCOME) {
        const failed = Outcome.decode(resource.body).conditions.find(({ reason }) =>
          reason === "TranslationFailed"
        );
        return failed === undefined ? [] : [failed.message];
      }
      if (kind === Kind.KIND_ROUTE) compileRoute(name, Route.decode(resource.body));
      if (kind === Kind.KIND_GATEWAY) {
        const gateway = Gateway.decode(resource.body);
        for (const listener of gateway.listeners) listenerState(name, gateway, listener);
      }
      return [];
    } catch (error) {
      return [`${name}: ${(error as Error).message}`];
    }
  });
}

for (const { name } of Deno.readDirSync(TESTDATA)) {
  if (!name.endsWith(".in.yaml") || name.startsWith("bad_")) continue;
  Deno.test(`hostile values in ${name} stop neither translation nor dataplane`, () => {
    const text = Deno.readTextFileSync(join(TESTDATA, name));
    const documents = parseAllDocuments(text).map((document) => document.toJS() as Json);
    const valid = documents.filter((document) => changeOf(structuredClone(document)) !== null);
    const translator = new Translator({ secret: new Uint8Array(32) });
    translator.update(valid.map((document) => changeOf(structuredClone(document))!));
    const problems: string[] = [];
    let tried = 0;
    for (const document of valid) {
      for (const path of placesOf(document)) {
        for (const value of NASTY) {
          const change = changeOf(changed(document, path, value));
          if (change === null) continue;
          tried++;
          const found = unusable(translator.update([change]));
          const place = `${document.kind}.${path.join(".")} = ${
            JSON.stringify(value).slice(0, 40)
          }`;
          problems.push(...found.map((problem) => `${place}: ${problem}`));
          if (change.key.name !== (document.metadata as Json).name) {
            translator.update([{ key: change.key, object: null }]);
          }
        }
      }
      translator.update([changeOf(structuredClone(document))!]);
    }
    assert.ok(tried > 50, `only ${tried} values were valid`);
    assert.deepEqual(problems, []);
  });
}
