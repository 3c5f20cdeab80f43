import { findProgram } from "./programs.ts";

/** Which cores the proxy and the rest run on; a null core leaves the choice to the kernel. */
export interface Pinning {
  readonly proxy: number | null;
  /** Backend, load generator and the programs beside a proxy that are not measured. */
  readonly load: number | null;
  /** Why nothing is pinned, "" when it is. */
  readonly problem: string;
}

/**
 * The proxy gets core 0 for itself and everything else core 1, so that neither takes the other's time
 * or moves between caches.
 */
export function findPinning(): Pinning {
  const taskset = findProgram("taskset");
  if (taskset === null) return unpinned("taskset is missing");
  const usable = [0, 1].filter((core) =>
    new Deno.Command(taskset, { args: ["-c", `${core}`, "true"], stderr: "null" }).outputSync()
      .success
  );
  if (usable.length < 2) return unpinned("cores 0 and 1 are not both usable");
  return { proxy: 0, load: 1, problem: "" };
}

function unpinned(reason: string): Pinning {
  return { proxy: null, load: null, problem: `${reason}: nothing is pinned to a core` };
}

/** The command line that runs `command` on a core. */
export function onCore(core: number | null, command: readonly string[]): string[] {
  return core === null ? [...command] : [findProgram("taskset")!, "-c", `${core}`, ...command];
}

/** Moves this program to a core, with all its threads: one that measures must not take a proxy's time. */
export function moveToCore(core: number | null): void {
  if (core === null) return;
  const args = ["-a", "-c", "-p", `${core}`, `${Deno.pid}`];
  new Deno.Command(findProgram("taskset")!, { args, stdout: "null" }).outputSync();
}
