import assert from "node:assert/strict";
import { join, relative, resolve } from "node:path";

const ROOT = resolve(import.meta.dirname!, "..");
const PROGRAMS = ["controller", "agent", "dataplane", "operator", "webui", "cli"];
const SHARED = ["api", "common", "proto"];
/** Pure folders that tools and tests may use. */
const PURE = ["controller/source/files", "controller/translate", "dataplane/router"];
const CODECS = ["dataplane/message", "dataplane/http1", "dataplane/http2"];
/** Folders of the dataplane, and what they may import besides themselves: nothing above them. */
const INSIDE_DATAPLANE: Readonly<Record<string, readonly string[]>> = {
  "dataplane/message": ["common"],
  "dataplane/http1": ["common", "dataplane/message"],
  "dataplane/http2": ["common", "dataplane/message"],
  "dataplane/router": ["common", "proto", "dataplane/message"],
  "dataplane/balancer": ["common", "proto"],
  "dataplane/config": ["common"],
  "dataplane/observe": ["common", "dataplane/config", "dataplane/message"],
  "dataplane/loop": ["common", "dataplane/config"],
  "dataplane/net": ["common", "dataplane/config", "dataplane/loop"],
  "dataplane/upstream": [
    ...["common", "proto", ...CODECS],
    ...["dataplane/balancer", "dataplane/config", "dataplane/loop", "dataplane/net"],
    ...["dataplane/observe", "dataplane/router"],
  ],
  "dataplane/health": [
    ...["common", "proto", "dataplane/loop", "dataplane/message", "dataplane/net"],
    "dataplane/upstream",
  ],
  "dataplane/policy": [
    ...["common", "proto", "dataplane/message", "dataplane/config", "dataplane/loop"],
    ...["dataplane/net", "dataplane/observe", "dataplane/router", "dataplane/upstream"],
  ],
  "dataplane/exchange": [
    ...["common", "proto", ...CODECS],
    ...["dataplane/config", "dataplane/loop", "dataplane/net", "dataplane/observe"],
    ...["dataplane/policy", "dataplane/router", "dataplane/upstream"],
  ],
};

async function* sources(folder: string): AsyncGenerator<string> {
  for await (const entry of Deno.readDir(folder)) {
    const path = join(folder, entry.name);
    if (entry.isDirectory) yield* sources(path);
    else if (entry.name.endsWith(".ts") && !entry.name.endsWith("_test.ts")) yield path;
  }
}

/** Local files that a source imports, relative to the root. */
async function importsOf(path: string): Promise<string[]> {
  const text = await Deno.readTextFile(path);
  const specifiers = [...text.matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]+)"/g)].map(([, s]) => s);
  return specifiers.map((specifier) => relative(ROOT, resolve(path, "..", specifier)));
}

function within(file: string, folder: string): boolean {
  return file.startsWith(`${folder}/`);
}

async function violations(folder: string, allowed: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  const exists = await Deno.stat(join(ROOT, folder)).then(() => true, () => false);
  if (!exists) return found;
  for await (const path of sources(join(ROOT, folder))) {
    for (const target of await importsOf(path)) {
      if (![folder, ...allowed].some((place) => within(target, place))) {
        found.push(`${relative(ROOT, path)} imports ${target}`);
      }
    }
  }
  return found;
}

Deno.test("programs import only api, common, proto and themselves", async () => {
  for (const program of PROGRAMS) {
    const pure = program === "cli" ? PURE : [];
    assert.deepEqual(await violations(program, [...SHARED, ...pure]), []);
  }
});

Deno.test("api imports only common", async () => {
  assert.deepEqual(await violations("api", ["common"]), []);
});

Deno.test("folders of the dataplane import nothing above them", async () => {
  for (const [folder, allowed] of Object.entries(INSIDE_DATAPLANE)) {
    assert.deepEqual(await violations(folder, allowed), []);
  }
});

Deno.test("the dataplane loads neither ajv nor typebox", async () => {
  const seen = new Set<string>();
  const queue = ["dataplane/main.ts", "dataplane/worker/traffic_worker.ts"];
  for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
    if (seen.has(file)) continue;
    seen.add(file);
    const text = await Deno.readTextFile(join(ROOT, file));
    assert.ok(!/from "(ajv|typebox)"/.test(text), `${file} loads a schema library`);
    queue.push(...await importsOf(join(ROOT, file)));
  }
  assert.ok(seen.size > 20);
});
