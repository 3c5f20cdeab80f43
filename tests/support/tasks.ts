import assert from "node:assert/strict";
import { join, resolve } from "node:path";
import { Program } from "./programs.ts";

const ROOT = resolve(import.meta.dirname!, "../..");

/** Starts a program exactly as a task of deno.json does, permissions included, with other arguments. */
export async function startTask(name: string, args: string[]): Promise<Program> {
  const { tasks } = JSON.parse(await Deno.readTextFile(join(ROOT, "deno.json")));
  const [program, ...command] = (tasks[name].command as string).split(" ");
  assert.equal(program, "deno");
  return new Program(name, Deno.execPath(), [...command, ...args], {
    cwd: ROOT,
    env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
  });
}

/** Starts everything in one process, on the transport under test. */
export function startStandalone(args: string[]): Promise<Program> {
  const native = Deno.env.get("NOVAEDGE_TRANSPORT") === "native";
  return startTask(native ? "start:native" : "start", args);
}

/** A folder below the one that the tasks of controller and agent may write to. */
export async function taskFolder(): Promise<{ path: string } & AsyncDisposable> {
  const parent = join(ROOT, ".novaedge");
  await Deno.mkdir(parent, { recursive: true });
  const path = await Deno.makeTempDir({ dir: parent, prefix: "test-" });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}
