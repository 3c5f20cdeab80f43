/** Where servers are installed but an ordinary user's PATH does not look. */
const SYSTEM_FOLDERS = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/** Path of an installed program, null when there is none. */
export function findProgram(name: string): string | null {
  for (const folder of [...(Deno.env.get("PATH") ?? "").split(":"), ...SYSTEM_FOLDERS]) {
    if (folder === "") continue;
    const path = `${folder}/${name}`;
    try {
      if (Deno.statSync(path).isFile) return path;
    } catch {
      // Looked for in the next folder.
    }
  }
  return null;
}

/** Runs a program to its end; its whole output, whichever stream it used. */
export async function outputOf(path: string, args: string[]): Promise<string> {
  const { stdout, stderr } = await new Deno.Command(path, { args, stdin: "null" }).output();
  return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
}

/** The first thing like a version number that a program prints, null when it is not installed. */
export async function versionOf(name: string, args: string[]): Promise<string | null> {
  const path = findProgram(name);
  if (path === null) return null;
  return /\d+\.\d+(?:\.\d+)?/.exec(await outputOf(path, args))?.[0] ?? "unknown version";
}
