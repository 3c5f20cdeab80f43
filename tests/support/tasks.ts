import assert from "node:assert/strict";
import { join, resolve } from "node:path";
import { Program } from "./programs.ts";
import { taskWords } from "./shipped.ts";

const ROOT = resolve(import.meta.dirname!, "../..");

/** Starts a program exactly as a task of deno.json does, permissions included, with other arguments. */
export function startTask(name: string, args: string[]): Program {
  const [program, ...command] = taskWords(name);
  assert.equal(program, "deno");
  return new Program(name, Deno.execPath(), [...command, ...args], {
    cwd: ROOT,
    env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
  });
}

/** A folder below the one that the tasks of controller and agent may write to. */
export async function taskFolder(): Promise<{ path: string } & AsyncDisposable> {
  const parent = join(ROOT, ".novaedge");
  await Deno.mkdir(parent, { recursive: true });
  const path = await Deno.makeTempDir({ dir: parent, prefix: "test-" });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}
