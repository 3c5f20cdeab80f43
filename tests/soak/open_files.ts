/** Files that a process may open, by its soft limit. */
export function openFilesOf(pid: number): number {
  const limits = Deno.readTextFileSync(`/proc/${pid}/limits`);
  const soft = /^Max open files +(\d+|unlimited)/m.exec(limits)?.[1] ?? "0";
  return soft === "unlimited" ? Infinity : Number(soft);
}

/**
 * Lets a process open more files. The runtime raises its own soft limit to the hard one, so this matters
 * only where that is low; without the right to raise it the limit stays.
 */
export async function raiseOpenFiles(pid: number, files: number): Promise<void> {
  if (openFilesOf(pid) >= files) return;
  await new Deno.Command("prlimit", {
    args: [`--pid=${pid}`, `--nofile=${files}:${files}`],
    stderr: "null",
  }).output().catch(() => {});
}
