import { SystemError } from "../libc.ts";
import { cString } from "../openssl.ts";
import { pathBeneath, type PathRule, ruleset } from "./landlock.ts";
import { encodeFilter, seccompFilter } from "./seccomp_filter.ts";
import { type Architecture, type SystemCall } from "./syscalls.ts";

const SYMBOLS = {
  prctl: { parameters: ["i32", "u64", "u64", "u64", "u64"], result: "i32" },
  syscall: { parameters: ["i64", "u64", "u64", "u64", "u64"], result: "i64" },
  open: { parameters: ["buffer", "i32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  __errno_location: { parameters: [], result: "pointer" },
} as const;

const PR_SET_NO_NEW_PRIVS = 38;
/** seccomp(2) by architecture; its operation, and the flag by which all threads get the filter. */
const SECCOMP: Readonly<Record<Architecture, bigint>> = { x86_64: 317n, aarch64: 277n };
const SET_MODE_FILTER = 1n;
const TSYNC = 1n;
/** Landlock's calls have the same numbers everywhere. */
const LANDLOCK = { createRuleset: 444n, addRule: 445n, restrictSelf: 446n } as const;
/** LANDLOCK_CREATE_RULESET_VERSION, LANDLOCK_RULE_PATH_BENEATH. */
const ASK_VERSION = 1n;
const PATH_BENEATH = 1n;
/** O_PATH and O_CLOEXEC. */
const OPEN_PATH = 0o10000000 | 0o2000000;

/** Gives up rights of the process or of a thread, for good. */
export class Confinement {
  readonly #calls: Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];
  readonly #errno: Int32Array;
  readonly #architecture: Architecture;

  constructor() {
    this.#calls = Deno.dlopen("libc.so.6", SYMBOLS).symbols;
    const place = this.#calls.__errno_location();
    this.#errno = new Int32Array(Deno.UnsafePointerView.getArrayBuffer(place!, 4));
    this.#architecture = Deno.build.arch;
  }

  /** Neither this thread nor what it starts gets new rights by starting a program. @throws {SystemError} */
  noNewPrivileges(): void {
    this.#done("prctl", this.#calls.prctl(PR_SET_NO_NEW_PRIVS, 1n, 0n, 0n, 0n));
  }

  /**
   * Makes calls of the system fail from now on, which needs `noNewPrivileges` first.
   * @param everywhere in all threads of the process, not only in this one and those that it starts
   * @throws {SystemError} where the kernel has no seccomp
   */
  refuseCalls(calls: readonly SystemCall[], everywhere: boolean): void {
    const filter = encodeFilter(seccompFilter(this.#architecture, calls));
    // `sock_fprog`: how many instructions, and where they are.
    const program = new Uint8Array(new ArrayBuffer(16));
    const view = new DataView(program.buffer);
    view.setUint16(0, filter.length / 8, true);
    view.setBigUint64(8, Deno.UnsafePointer.value(Deno.UnsafePointer.of(filter)), true);
    this.#call("seccomp", SECCOMP[this.#architecture], [
      SET_MODE_FILTER,
      everywhere ? TSYNC : 0n,
      addressOf(program),
    ]);
  }

  /**
   * Leaves this thread, and those that it starts, only some places of the file system. What is open stays open.
   * @returns the version of Landlock, 0 where the kernel has none
   */
  restrictPaths(rules: readonly PathRule[]): number {
    const version = Number(
      this.#calls.syscall(LANDLOCK.createRuleset, 0n, 0n, ASK_VERSION, 0n),
    );
    if (version < 1) return 0;
    const attributes = ruleset(version);
    const set = this.#call("landlock_create_ruleset", LANDLOCK.createRuleset, [
      addressOf(attributes),
      BigInt(attributes.length),
    ]);
    try {
      for (const rule of rules) this.#allow(set, rule, version);
      this.#call("landlock_restrict_self", LANDLOCK.restrictSelf, [BigInt(set)]);
      return version;
    } finally {
      this.#calls.close(set);
    }
  }

  #allow(set: number, rule: PathRule, version: number): void {
    const descriptor = this.#calls.open(cString(rule.path), OPEN_PATH);
    // What is not there needs no right.
    if (descriptor < 0) return;
    try {
      const bytes = pathBeneath(rule, descriptor, version);
      const given = [BigInt(set), PATH_BENEATH, addressOf(bytes)];
      this.#call("landlock_add_rule", LANDLOCK.addRule, given);
    } finally {
      this.#calls.close(descriptor);
    }
  }

  /** A call that libc has no function for; arguments that are not given are 0. @throws {SystemError} */
  #call(name: string, number: bigint, [a = 0n, b = 0n, c = 0n, d = 0n]: bigint[]): number {
    return this.#done(name, Number(this.#calls.syscall(number, a, b, c, d)));
  }

  #done(call: string, result: number): number {
    if (result < 0) throw new SystemError(call, this.#errno[0]);
    return result;
  }
}

/** Where bytes are; they must outlive the call. */
function addressOf(bytes: Uint8Array<ArrayBuffer>): bigint {
  return Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes));
}
