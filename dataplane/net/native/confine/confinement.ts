import { NovaEdgeError } from "../../../../common/errors.ts";
import { cString } from "../openssl.ts";
import { encodeFilter } from "./bpf.ts";
import { addressOf, checked, type Kernel, runningKernel } from "./kernel.ts";
import { pathBeneath, type PathRule, restrictFlags, ruleset } from "./landlock.ts";
import { type CallRules, seccompFilter } from "./seccomp_filter.ts";
import { type Architecture } from "./syscalls.ts";

/** Numbers of the calls made here, by architecture. */
const CALLS: Readonly<
  Record<Architecture, Readonly<Record<"prctl" | "seccomp" | "openat" | "close", number>>>
> = {
  x86_64: { prctl: 157, seccomp: 317, openat: 257, close: 3 },
  aarch64: { prctl: 167, seccomp: 277, openat: 56, close: 57 },
};
/** Landlock's calls have the same numbers everywhere. */
const LANDLOCK = { createRuleset: 444, addRule: 445, restrictSelf: 446 } as const;

const PR_SET_NO_NEW_PRIVS = 38n;
/** SECCOMP_SET_MODE_FILTER, and SECCOMP_FILTER_FLAG_TSYNC, by which all threads get the filter. */
const SET_MODE_FILTER = 1n;
const TSYNC = 1n;
/** LANDLOCK_CREATE_RULESET_VERSION, LANDLOCK_RULE_PATH_BENEATH. */
const ASK_VERSION = 1n;
const PATH_BENEATH = 1n;
/** AT_FDCWD as an argument; O_PATH and O_CLOEXEC. */
const CURRENT_FOLDER = BigInt.asUintN(64, -100n);
const OPEN_PATH = BigInt(0o10000000 | 0o2000000);

const ENOENT = 2;
const EACCES = 13;
const ENOSYS = 38;
const EOPNOTSUPP = 95;

/** Prefix of paths whose inodes the kernel frees when nothing uses them. */
const SHORT_LIVED = "/proc/";

/** Gives up rights of the process or of a thread, for good. */
export class Confinement {
  readonly #kernel: Kernel;
  readonly #architecture: Architecture;
  readonly #calls: typeof CALLS[Architecture];

  /** @param kernel takes the calls */
  constructor(kernel: Kernel = runningKernel(), architecture: Architecture = Deno.build.arch) {
    this.#kernel = kernel;
    this.#architecture = architecture;
    this.#calls = CALLS[architecture];
  }

  /** Prevents this thread and its descendants from getting rights by starting a program (set-uid). @throws {SystemError} */
  noNewPrivileges(): void {
    this.#call("prctl", this.#calls.prctl, [PR_SET_NO_NEW_PRIVS, 1n]);
  }

  /**
   * Applies rules to system calls from now on, which needs `noNewPrivileges` first.
   * @param everywhere in all threads of the process, not only in this one and those that it starts
   * @throws {SystemError} where the kernel has no seccomp
   * @throws {NovaEdgeError} CONFINE, when a thread has another filter; then no thread has this one
   */
  filterCalls(rules: CallRules, everywhere: boolean): void {
    const filter = encodeFilter(seccompFilter(this.#architecture, rules));
    // `sock_fprog`: how many instructions, and where they are.
    const program = new Uint8Array(new ArrayBuffer(16));
    const view = new DataView(program.buffer);
    view.setUint16(0, filter.length / 8, true);
    view.setBigUint64(8, addressOf(filter), true);
    const thread = this.#call("seccomp", this.#calls.seccomp, [
      SET_MODE_FILTER,
      everywhere ? TSYNC : 0n,
      addressOf(program),
    ]);
    if (thread === 0) return;
    throw new NovaEdgeError(
      "CONFINE",
      `seccomp: thread ${thread} of the process has another filter, so no thread got this one`,
    );
  }

  /**
   * Restricts this thread, and those that it starts, to some places of the file system; where the kernel can, also from
   * abstract unix sockets and signals of processes outside. Open descriptors stay usable.
   * @param everywhere in all threads of the process, where the kernel can
   * @returns the version of Landlock, 0 where the kernel has none
   * @throws {SystemError} where the kernel has it and refuses
   */
  restrict(rules: readonly PathRule[], everywhere: boolean): number {
    const answer = this.#kernel(LANDLOCK.createRuleset, [0n, 0n, ASK_VERSION]);
    if (answer === -ENOSYS || answer === -EOPNOTSUPP) return 0;
    const version = checked("landlock_create_ruleset", answer);
    const attributes = ruleset(version);
    const set = this.#call("landlock_create_ruleset", LANDLOCK.createRuleset, [
      addressOf(attributes),
      BigInt(attributes.length),
    ]);
    try {
      for (const rule of rules) this.#allow(set, rule, version);
      const flags = restrictFlags(version, everywhere);
      this.#call("landlock_restrict_self", LANDLOCK.restrictSelf, [BigInt(set), flags]);
      return version;
    } finally {
      this.#close(set);
    }
  }

  #allow(set: number, rule: PathRule, version: number): void {
    const path = cString(rule.path);
    const place = [CURRENT_FOLDER, addressOf(path), OPEN_PATH];
    const descriptor = this.#kernel(this.#calls.openat, place);
    // A path that does not exist, or that the user cannot reach, needs no rule.
    if (descriptor === -ENOENT || descriptor === -EACCES) return;
    checked(`open ${rule.path}`, descriptor);
    try {
      const bytes = pathBeneath(rule, descriptor, version);
      const given = [BigInt(set), PATH_BENEATH, addressOf(bytes)];
      this.#call("landlock_add_rule", LANDLOCK.addRule, given);
    } finally {
      // A rule belongs to an inode: after the kernel freed it, the path would get another one without a rule.
      if (!rule.path.startsWith(SHORT_LIVED)) this.#close(descriptor);
    }
  }

  #close(descriptor: number): void {
    this.#kernel(this.#calls.close, [BigInt(descriptor)]);
  }

  /** @throws {SystemError} */
  #call(name: string, number: number, args: readonly bigint[]): number {
    return checked(name, this.#kernel(number, args));
  }
}
