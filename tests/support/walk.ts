/** Paths of the files below a folder of the repository, without what tools keep there. */
export async function* walk(folder: URL): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (name.startsWith(".") || name === "node_modules") continue;
    const place = new URL(isDirectory ? `${name}/` : name, folder);
    if (isDirectory) yield* walk(place);
    else yield place.pathname;
  }
}
