import { Confinement } from "./confinement.ts";
import type { PathRule } from "./landlock.ts";
import { SYSTEM_CALLS } from "./syscalls.ts";

/** What a dataplane has no use for: everything listed but what opens its listeners. */
const REFUSED = SYSTEM_CALLS.filter((call) => call !== "bind" && call !== "listen");

/** Folders that the runtime and the libraries read: shared objects, names and addresses, trust, facts of the machine. */
const SYSTEM_FOLDERS = ["/lib", "/lib64", "/usr", "/etc", "/proc", "/sys", "/dev"];
/** Where resolv.conf is a link to. */
const RESOLVER_FOLDERS = ["/run/systemd/resolve", "/run/resolvconf", "/run/NetworkManager"];

/** Folders of one dataplane. */
export interface ConfinedTo {
  /** Folders that are read: code, and what the runtime keeps of packages. */
  readonly read: readonly string[];
  /** Folders that are written. */
  readonly write: readonly string[];
}

/** What became of it. */
export interface Confined {
  /** Version of Landlock, 0 where the kernel has none. */
  readonly landlock: number;
}

/**
 * Gives up what a dataplane does not need, because whoever can call into libraries can do everything that the process
 * may: new programs, other processes, mounts, modules, keys and clocks for the whole process, and the file system for
 * this thread and those that it starts.
 * @throws {SystemError} where the kernel has no seccomp
 */
export function confineDataplane({ read, write }: ConfinedTo): Confined {
  const confinement = new Confinement();
  confinement.noNewPrivileges();
  const folder = (path: string, writable: boolean): PathRule => ({
    path,
    isFolder: true,
    write: writable,
  });
  const landlock = confinement.restrictPaths([
    ...[...SYSTEM_FOLDERS, ...RESOLVER_FOLDERS, ...read].map((path) => folder(path, false)),
    ...write.map((path) => folder(path, true)),
    { path: "/dev/null", isFolder: false, write: true },
  ]);
  confinement.refuseCalls(REFUSED, true);
  return { landlock };
}
