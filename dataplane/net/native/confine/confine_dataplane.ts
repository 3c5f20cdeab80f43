import { Confinement } from "./confinement.ts";
import { dataplaneRules, processRules } from "./call_rules.ts";
import type { PathRule } from "./landlock.ts";

/** Folders that the runtime and the libraries read: shared objects, names and addresses, trust, limits of the machine. */
const SYSTEM_FOLDERS = [
  ...["/lib", "/lib64", "/usr", "/etc"],
  ...["/sys/fs/cgroup", "/sys/devices/system/cpu"],
  // Of other processes nothing.
  ...["/proc/self", "/proc/sys"],
];
const SYSTEM_FILES = [
  ...["/proc/cpuinfo", "/proc/meminfo", "/proc/stat"],
  ...["/dev/null", "/dev/zero", "/dev/random", "/dev/urandom"],
];
/** Where resolv.conf is a link to. */
const RESOLVER_FOLDERS = ["/run/systemd/resolve", "/run/resolvconf", "/run/NetworkManager"];

/** What one dataplane keeps. */
export interface ConfinedTo {
  /** Folders that are read: code, and what the runtime keeps of packages. */
  readonly read: readonly string[];
  /** Folders that are written. */
  readonly write: readonly string[];
  /** Whether the process is only this dataplane, so that all of its threads are confined. */
  readonly alone: boolean;
}

/** What was applied. */
export interface Confined {
  /** Version of Landlock, 0 where the kernel has none. */
  readonly landlock: number;
}

/**
 * Gives up what a dataplane does not need, because calls into libraries can do everything that the process may: new
 * programs, other processes, mounts, modules, keys, clocks and owners of files for the whole process, and the file
 * system for this thread and those that it starts.
 * @throws {SystemError} where the kernel has no seccomp, or refuses what it has
 * @throws {NovaEdgeError} CONFINE, when a thread cannot be reached
 */
export function confineDataplane({ read, write, alone }: ConfinedTo): Confined {
  const confinement = new Confinement();
  confinement.noNewPrivileges();
  const rule = (isFolder: boolean, writable: boolean) => (path: string): PathRule => ({
    path,
    isFolder,
    write: writable,
  });
  const landlock = confinement.restrict([
    ...[...SYSTEM_FOLDERS, ...RESOLVER_FOLDERS, ...read].map(rule(true, false)),
    ...SYSTEM_FILES.map(rule(false, false)),
    ...write.map(rule(true, true)),
    ...["/dev/null"].map(rule(false, true)),
  ], alone);
  confinement.filterCalls(processRules(Deno.pid), true);
  return { landlock };
}

/**
 * Gives up what only the start needs, before the first thread with traffic: unix sockets, modes and new names of
 * files. What listens goes on listening.
 * @param alone whether the process is only this dataplane; else only this thread and those that it starts are reached
 * @param renames whether it moves old logs away, within the folders that it writes
 * @throws {SystemError} when the kernel refuses
 * @throws {NovaEdgeError} CONFINE, when a thread cannot be reached
 */
export function sealDataplane(alone: boolean, renames = false): void {
  new Confinement().filterCalls(dataplaneRules(renames), alone);
}
