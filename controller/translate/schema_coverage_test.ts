/**
 * Every field of our own kinds is either read by translation or in the kind's list of unserved fields:
 * a field that nobody reads must not look as if it worked.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { type KindName, KINDS } from "../../api/kinds.ts";
import { FolderState } from "../source/files/folder_state.ts";
import type { SourceChange } from "./source_object.ts";
import { Translator } from "./translator.ts";

interface Schema {
  readonly type?: string;
  readonly properties?: Record<string, Schema>;
  readonly items?: Schema;
  readonly patternProperties?: Record<string, Schema>;
}

function* leaves(schema: Schema, path: string): Generator<string> {
  const [values] = Object.values(schema.patternProperties ?? {});
  if (schema.properties !== undefined) {
    for (const [name, child] of Object.entries(schema.properties)) {
      yield* leaves(child, path === "" ? name : `${path}.${name}`);
    }
  } else if (schema.items !== undefined) yield* leaves(schema.items, `${path}[]`);
  else if (values !== undefined) yield* leaves(values, `${path}{}`);
  else yield path;
}

/** A copy of the value that notes every path that is read. */
function recording(value: unknown, schema: Schema, path: string, reads: Set<string>): unknown {
  reads.add(path);
  if (typeof value !== "object" || value === null) return value;
  return new Proxy(value, {
    get(target, property, receiver) {
      const child = Reflect.get(target, property, receiver);
      if (typeof property !== "string" || typeof child === "function") return child;
      if (Array.isArray(target)) {
        return /^\d+$/.test(property)
          ? recording(child, schema.items ?? {}, `${path}[]`, reads)
          : child;
      }
      const known = schema.properties?.[property];
      const childPath = known === undefined
        ? `${path}{}`
        : path === ""
        ? property
        : `${path}.${property}`;
      const [values] = Object.values(schema.patternProperties ?? {});
      return recording(child, known ?? values ?? {}, childPath, reads);
    },
  });
}

Deno.test("every field of our kinds is read or listed as not served yet", () => {
  const reads = new Map<KindName, Set<string>>();
  const testdata = join(import.meta.dirname!, "testdata");
  for (const { name } of Deno.readDirSync(testdata)) {
    if (!name.endsWith(".in.yaml")) continue;
    // Each file by itself: names may come again in another.
    const changes: SourceChange[] = [];
    const state = new FolderState();
    for (
      const { key, object } of state.apply([[name, Deno.readTextFileSync(join(testdata, name))]])
        .changes
    ) {
      let set = reads.get(key.kind);
      if (set === undefined) reads.set(key.kind, set = new Set());
      const body = recording(object!.body, KINDS[key.kind].schema as Schema, "", set) as never;
      changes.push({ key, object: { ...object!, body } });
    }
    new Translator({ secret: new Uint8Array(32) }).update(changes);
  }

  const missing: string[] = [];
  for (const kind of ["ProxyGateway", "ProxyRoute", "ProxyBackend", "ProxyPolicy"] as const) {
    const { schema, unserved } = KINDS[kind];
    const spec = (schema as Schema).properties!.spec;
    for (const leaf of leaves(spec, "spec")) {
      const listed = unserved.some(({ path }) =>
        leaf === path || leaf.startsWith(`${path}.`) || leaf.startsWith(`${path}[`) ||
        leaf.startsWith(`${path}{`)
      );
      if (!listed && !reads.get(kind)!.has(leaf)) missing.push(`${kind}: ${leaf}`);
    }
    for (const { path } of unserved) {
      const exists = [...leaves(spec, "spec")].some((leaf) =>
        leaf === path || leaf.startsWith(path)
      );
      assert.ok(exists, `${kind} lists ${path}, which its schema does not have`);
    }
  }
  assert.deepEqual(missing, []);
});
