import { join, resolve } from "node:path";
import { tmpdir } from "node:os";

const ROOT = resolve(import.meta.dirname!, "../..");
const TASKS: Readonly<Record<string, { readonly command: string }>> = JSON.parse(
  Deno.readTextFileSync(join(ROOT, "deno.json")),
).tasks;
/** The words of a task's command. */
export function taskWords(name: string): string[] {
  return TASKS[name].command.split(" ");
}

/** Programs whose traffic may take the native transport, which has a task of its own. */
const CARRIERS = ["dataplane", "start"];
const FOLDERS = /^(--allow-(?:read|write))=(.*)$/;

/**
 * The command that starts a program as its task in deno.json does, with the same flags and permissions
 * whatever the current folder is. Folders right below that of temporary files which the arguments name
 * are added to those that it may read and write, as a user does who keeps state elsewhere.
 * @param name folder of the program
 */
export function shippedCommand(name: string, args: readonly string[]): string[] {
  const task = name === "standalone" ? "start" : name;
  const native = CARRIERS.includes(task) && transportOf(args) === "native";
  const [, , ...words] = taskWords(native ? `${task}:native` : task);
  const at = words.findIndex((word) => !word.startsWith("--"));
  const own = temporaryFolders(args);
  const flags = words.slice(0, at).map((flag) => {
    const [, kind, paths] = FOLDERS.exec(flag) ?? [];
    if (kind === undefined) return flag;
    const folders = paths.split(",").map((path) => resolve(ROOT, path));
    return `${kind}=${[...folders, ...own].join(",")}`;
  });
  const script = join(ROOT, words[at]);
  return [Deno.execPath(), "run", "--no-check", ...flags, script, ...words.slice(at + 1), ...args];
}

function transportOf(args: readonly string[]): string {
  const at = args.findIndex((arg) => /^--transport\b/.test(arg));
  if (at < 0) return Deno.env.get("NOVAEDGE_TRANSPORT") ?? "node";
  return args[at].split("=")[1] ?? args[at + 1];
}

function temporaryFolders(args: readonly string[]): Set<string> {
  const folders = new Set<string>();
  for (const arg of args) {
    const [path] = /\/.*/.exec(arg) ?? [""];
    if (!path.startsWith(`${tmpdir()}/`)) continue;
    folders.add(join(tmpdir(), path.slice(tmpdir().length + 1).split("/")[0]));
  }
  return folders;
}
