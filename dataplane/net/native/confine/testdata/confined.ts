/** Confines itself as a dataplane does, tries everything that it must not be able to do, and prints what came of it. */
import { join } from "node:path";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { confineDataplane } from "../confine_dataplane.ts";
import { type Architecture, numberOf, type SystemCall } from "../syscalls.ts";

const { syscall, open, close, prctl, __errno_location } = Deno.dlopen("libc.so.6", {
  syscall: { parameters: ["i64", "i64", "i64", "i64", "i64"], result: "i64" },
  open: { parameters: ["buffer", "i32", "i32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  prctl: { parameters: ["i32", "u64", "u64", "u64", "u64"], result: "i32" },
  __errno_location: { parameters: [], result: "pointer" },
}).symbols;
const errno = new Int32Array(Deno.UnsafePointerView.getArrayBuffer(__errno_location()!, 4));
const NO_RIGHTS = -1n;

function told(result: bigint | number): string {
  return result < 0 ? String(errno[0]) : "ok";
}

function call(name: SystemCall, ...args: bigint[]): string {
  const number = numberOf(name, Deno.build.arch as Architecture);
  if (number === null) return EPERM_OF_NOTHING;
  const [a = NO_RIGHTS, b = NO_RIGHTS, c = NO_RIGHTS, d = NO_RIGHTS] = args;
  return told(syscall(BigInt(number), a, b, c, d));
}

/** Calls that an architecture does not have cannot be made. */
const EPERM_OF_NOTHING = "1";

function file(path: string, flags: number): string {
  const descriptor = open(new TextEncoder().encode(`${path}\0`), flags, 0o600);
  const outcome = told(descriptor);
  if (descriptor >= 0) close(descriptor);
  return outcome;
}

function files(folder: string, where: string): Record<string, string> {
  const [READ, CREATE] = [0, 0o101];
  return {
    [`read code in ${where}`]: file(join(folder, "code/file"), READ),
    [`read other in ${where}`]: file(join(folder, "other/file"), READ),
    [`write run in ${where}`]: file(join(folder, "run/file"), CREATE),
    [`write code in ${where}`]: file(join(folder, "code/new"), CREATE),
    [`write other in ${where}`]: file(join(folder, "other/new"), CREATE),
  };
}

/** A thread that does what it is asked. */
function thread(folder: string): Worker {
  return new Worker(new URL(import.meta.url), { workerData: folder });
}

function ask(worker: Worker): Promise<{ execve: string; files: Record<string, string> }> {
  return new Promise((resolve) => {
    worker.once("message", resolve);
    worker.postMessage("try");
  });
}

if (isMainThread) {
  const [folder] = Deno.args;
  const early = thread(folder);
  await new Promise((resolve) => early.once("message", resolve));
  const { landlock } = confineDataplane({
    read: [join(folder, "code"), join(import.meta.dirname!, "../../../../.."), ...caches()],
    write: [join(folder, "run")],
  });
  const late = thread(folder);
  await new Promise((resolve) => late.once("message", resolve));
  const refused: SystemCall[] = [
    ...["execve", "execveat", "fork", "vfork", "ptrace", "process_vm_readv"] as const,
    ...["process_vm_writev", "mount", "umount2", "pivot_root", "chroot", "setns"] as const,
    ...["unshare", "open_tree", "fsopen", "move_mount", "init_module", "finit_module"] as const,
    ...["delete_module", "kexec_load", "bpf", "perf_event_open", "userfaultfd"] as const,
    ...["io_uring_setup", "add_key", "request_key", "keyctl", "personality"] as const,
    ...["settimeofday", "clock_settime", "sethostname", "setuid", "setgid", "capset"] as const,
    "reboot",
  ];
  const outcomes: Record<string, string> = {};
  for (const name of refused) outcomes[name] = call(name);
  // A process of its own: SIGCHLD, and nothing shared.
  outcomes.clone = call("clone", 17n, 0n, 0n, 0n);
  const sockets = {
    packet: [17n, 3n],
    raw: [2n, 3n],
    vsock: [40n, 1n],
    alg: [38n, 5n],
    stream: [2n, 1n],
    datagram: [10n, 2n],
    unix: [1n, 1n],
  };
  for (const [name, [family, type]] of Object.entries(sockets)) {
    outcomes[`socket ${name}`] = call("socket", family, type, 0n);
  }
  Object.assign(outcomes, files(folder, "this thread"));
  const [before, after] = [await ask(early), await ask(late)];
  outcomes["execve in a thread that was there"] = before.execve;
  outcomes["execve in a thread that came later"] = after.execve;
  Object.assign(outcomes, after.files);
  outcomes["new thread"] = "ok";
  outcomes["no new privileges"] = String(prctl(39, 0n, 0n, 0n, 0n));
  Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify({ landlock, outcomes })));
  Deno.exit(0);
} else {
  parentPort!.on("message", () => {
    const outcome = files(workerData as string, "a thread that came later");
    parentPort!.postMessage({ execve: call("execve"), files: outcome });
  });
  parentPort!.postMessage("here");
}

/** Where the runtime keeps packages. */
function caches(): string[] {
  const home = Deno.env.get("HOME") ?? "/";
  return [Deno.env.get("DENO_DIR") ?? join(home, ".cache/deno")];
}
