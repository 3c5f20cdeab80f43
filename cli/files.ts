import { basename, dirname, join } from "node:path";
import type { FileText } from "../controller/source/files/folder_state.ts";
import { readFile, RESOURCE_FILE } from "../controller/source/files/read_file.ts";

/** A file's name below the folder, and its text. */
export type NamedFile = readonly [string, FileText];

/** Files, and the folder that their names are in. */
export interface Resources {
  readonly folder: string;
  readonly files: readonly NamedFile[];
}

/**
 * Reads the YAML and JSON files of a folder and those below it as the controller does, in the order of their names; or one file.
 * @throws {Deno.errors.NotFound} and other errors of the file system
 */
export async function readResources(path: string): Promise<Resources> {
  const info = await Deno.stat(path);
  if (info.isFile) {
    return { folder: dirname(path), files: [[basename(path), await readFile(path, info)]] };
  }
  const files = await Array.fromAsync(filesOf(path, ""));
  return { folder: path, files: files.sort(([a], [b]) => a < b ? -1 : 1) };
}

async function* filesOf(folder: string, prefix: string): AsyncGenerator<NamedFile> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = join(folder, name);
    if (name.startsWith(".")) continue;
    if (isDirectory) yield* filesOf(path, `${prefix}${name}/`);
    else if (RESOURCE_FILE.test(name)) {
      yield [`${prefix}${name}`, await readFile(path, await Deno.stat(path))];
    }
  }
}
