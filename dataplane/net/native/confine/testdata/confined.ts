/**
 * Confines itself as a dataplane does, tries everything that it must not be able to do in each of its threads, and
 * prints the outcomes. Arguments: the mode, the folder, the process outside, and an abstract unix socket of it.
 */
import { join } from "node:path";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { messageOf } from "../../../../../common/errors.ts";
import { dataplaneRules, processRules } from "../call_rules.ts";
import { confineDataplane, sealDataplane } from "../confine_dataplane.ts";
import { Confinement } from "../confinement.ts";
import { addressOf, runningKernel } from "../kernel.ts";
import { type Architecture, numberOf, type SystemCall } from "../syscalls.ts";

/** `free`: not at all. `alone`: the whole process. `shared`: beside others. `filtered`: a thread has a filter. `i386`: calls come by its entry. */
type Mode = "free" | "alone" | "shared" | "filtered" | "i386";
type Outcomes = Record<string, string>;

interface Place {
  readonly folder: string;
  /** Id of a process outside. */
  readonly other: number;
}

const architecture = Deno.build.arch as Architecture;
const kernel = runningKernel();
const X86 = architecture === "x86_64";
const CALLS = { openat: X86 ? 257 : 56, close: X86 ? 3 : 57, connect: X86 ? 42 : 203 };
const CURRENT_FOLDER = -100;
/** What no call of these accepts. */
const NOTHING = -1;
/** Calls that an architecture does not have cannot be made. */
const EPERM_OF_NOTHING = "1";

/** Bytes that calls are given stay here, so that they are not collected. */
const kept: Uint8Array[] = [];

function bytes(content: ArrayLike<number>): bigint {
  const copy = new Uint8Array(new ArrayBuffer(Math.max(content.length, 64)));
  copy.set(content);
  kept.push(copy);
  return addressOf(copy);
}

function text(value: string): bigint {
  return bytes(new TextEncoder().encode(`${value}\0`));
}

function raw(call: number, ...args: (number | bigint)[]): number {
  return kernel(call, args.map((value) => BigInt.asUintN(64, BigInt(value))));
}

function told(result: number): string {
  return result < 0 ? String(-result) : "ok";
}

function call(name: SystemCall, ...args: (number | bigint)[]): string {
  const number = numberOf(name, architecture);
  if (number === null) return EPERM_OF_NOTHING;
  const all = [...args, NOTHING, NOTHING, NOTHING, NOTHING, NOTHING].slice(0, 5);
  return told(raw(number, ...(args.length > 0 ? args : all)));
}

function file(path: string, flags: number): string {
  const descriptor = raw(CALLS.openat, CURRENT_FOLDER, text(path), flags, 0o600);
  if (descriptor >= 0) raw(CALLS.close, descriptor);
  return told(descriptor);
}

/** What Landlock decides. */
function files({ folder, other }: Place): Outcomes {
  const [READ, WRITE, CREATE] = [0, 1, 0o101];
  return {
    "read code": file(join(folder, "code/file"), READ),
    "read other": file(join(folder, "other/file"), READ),
    "write run": file(join(folder, "run/file"), CREATE),
    "write code": file(join(folder, "code/new"), CREATE),
    "write other": file(join(folder, "other/new"), CREATE),
    "read own status": file("/proc/self/status", READ),
    "read own limits": file("/proc/self/cgroup", READ),
    "read memory of the machine": file("/proc/meminfo", READ),
    "write own memory": file("/proc/self/mem", WRITE),
    "read environment of others": file(`/proc/${other}/environ`, READ),
    "read memory of others": file(`/proc/${other}/mem`, READ),
    "read randomness": file("/dev/urandom", READ),
    "write nothing": file("/dev/null", WRITE),
    "read other devices": file("/dev/full", READ),
  };
}

/** What would succeed in a process that is not confined, of another process or of files elsewhere. */
function reaching({ folder, other }: Place): Outcomes {
  const path = text(join(folder, "other/file"));
  const limits = bytes([]);
  const lowestPriority = bytes([0, 0, 0, 0]);
  return {
    "chmod": call("chmod", path, 0o644),
    "fchmodat": call("fchmodat", CURRENT_FOLDER, path, 0o644),
    "chown": call("chown", path, NOTHING, NOTHING),
    "fchownat": call("fchownat", CURRENT_FOLDER, path, NOTHING, NOTHING, 0),
    "utimes": call("utimes", path, 0),
    "utimensat": call("utimensat", CURRENT_FOLDER, path, 0, 0),
    "kill": call("kill", other, 0),
    "tgkill of others": call("tgkill", other, other, 0),
    "tkill of others": call("tkill", other, 0),
    "pidfd_open of others": call("pidfd_open", other, 0),
    "prlimit64 of others": call("prlimit64", other, 7, 0, limits),
    "sched_setparam of others": call("sched_setparam", other, lowestPriority),
    "fcntl F_SETOWN": call("fcntl", 1, 8, other),
    "fcntl F_SETSIG": call("fcntl", 1, 10, 0),
    "prctl PR_SET_DUMPABLE": call("prctl", 4, 1, 0, 0, 0),
    "socket unix stream": call("socket", 1, 1, 0),
    "socket unix datagram": call("socket", 1, 2, 0),
    "socketpair": call("socketpair", 1, 2, 0, bytes([])),
    "inotify_init1": call("inotify_init1", 0),
  };
}

/** What else a filter decides by arguments. */
function byArguments(): Outcomes {
  const sockets = {
    packet: [17, 3, 0],
    raw: [2, 3, 0],
    vsock: [40, 1, 0],
    alg: [38, 5, 0],
    icmp: [2, 2, 1],
    sctp: [2, 1, 132],
    uevents: [16, 2, 15],
    stream: [2, 1, 0],
    datagram: [10, 2, 0],
    routes: [16, 3, 0],
  };
  const outcomes: Outcomes = {};
  for (const [name, args] of Object.entries(sockets)) {
    outcomes[`socket ${name}`] = call("socket", ...args);
  }
  const TCGETS = 0x5401;
  const [THREAD, NEW_NETWORK, SIGCHLD] = [0x10000, 0x40000000, 17];
  return {
    ...outcomes,
    "clone of a process": call("clone", SIGCHLD, 0, 0, 0, 0),
    "clone into a namespace": call("clone", THREAD | NEW_NETWORK, 0, 0, 0, 0),
    "clone3": call("clone3"),
    "tgkill of its own": call("tgkill", Deno.pid, Deno.pid, 0),
    "prlimit64 of its own": call("prlimit64", 0, 7, 0, bytes([])),
    "fcntl F_GETFL": call("fcntl", 1, 3, 0),
    "ioctl TCGETS": call("ioctl", 1, TCGETS, bytes([])),
    "ioctl TIOCSTI": call("ioctl", 1, 0x5412, bytes([])),
    "ioctl FS_IOC_SETFLAGS": call("ioctl", 1, 0x40086602, bytes([])),
    "prctl PR_SET_PTRACER": call("prctl", 0x59616d61, 1, 0, 0, 0),
    "no new privileges": String(raw(numberOf("prctl", architecture)!, 39, 0, 0, 0, 0)),
    ...(X86 ? { "getpid of x32": told(raw(0x4000_0000 + 39)) } : {}),
  };
}

/** Calls that would change something, and those that are refused whatever their arguments are. */
function changing({ other }: Place): Outcomes {
  const outcomes: Outcomes = {
    "sched_setaffinity of others": call("sched_setaffinity", other, 8, bytes([0xff])),
    "setpriority of others": call("setpriority", 0, other, 0),
  };
  for (const [name, verdict] of [...processRules(Deno.pid), ...dataplaneRules()]) {
    if (verdict.length === 1) outcomes[`call ${name}`] = call(name);
  }
  return outcomes;
}

const { open } = Deno.dlopen("libc.so.6", {
  open: { parameters: ["buffer", "i32"], result: "i32", nonblocking: true },
}).symbols;

/** Tries to read a file in a thread of the runtime's pool. */
async function fileFromPool(path: string): Promise<string> {
  return await open(new TextEncoder().encode(`${path}\0`), 0) < 0 ? "refused" : "ok";
}

/** Makes a system call by the entry of i386: getpid(2). */
function enterByI386(): number {
  const MPROTECT = 10;
  const [PAGE, ALL_RIGHTS] = [4096, 7];
  const place = bytes(new Uint8Array(2 * PAGE));
  const page = (place + BigInt(PAGE - 1)) / BigInt(PAGE) * BigInt(PAGE);
  // mov eax, 20; int 0x80; ret
  kept.at(-1)!.set([0xb8, 20, 0, 0, 0, 0xcd, 0x80, 0xc3], Number(page - place));
  raw(MPROTECT, page, PAGE, ALL_RIGHTS);
  const takesNothing = { parameters: [], result: "i32" } as const;
  const code = Deno.UnsafePointer.create<typeof takesNothing>(page)!;
  return new Deno.UnsafeFnPointer(code, takesNothing).call();
}

function connect(address: number[]): string {
  const descriptor = raw(numberOf("socket", architecture)!, 1, 1, 0);
  if (descriptor < 0) return told(descriptor);
  const outcome = raw(CALLS.connect, descriptor, bytes(address), address.length);
  raw(CALLS.close, descriptor);
  return told(outcome);
}

async function everything(place: Place, mode: Mode): Promise<Outcomes> {
  const outcomes = {
    ...files(place),
    "read other from the pool": await fileFromPool(join(place.folder, "other/file")),
    ...reaching(place),
    ...byArguments(),
  };
  return mode === "free" ? outcomes : { ...outcomes, ...changing(place) };
}

/** A thread that tries everything when it is asked. */
async function thread(place: Place, mode: Mode): Promise<() => Promise<Outcomes>> {
  const worker = new Worker(new URL(import.meta.url), { workerData: { place, mode } });
  const next = () => new Promise<Outcomes>((resolve) => worker.once("message", resolve));
  await next();
  return () => {
    const outcomes = next();
    worker.postMessage("try");
    return outcomes;
  };
}

/** Where the runtime keeps packages. */
function caches(): string[] {
  const home = Deno.env.get("HOME") ?? "/";
  return [Deno.env.get("DENO_DIR") ?? join(home, ".cache/deno")];
}

function print(value: unknown): void {
  Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify(value)));
}

if (isMainThread) {
  const [mode, folder, other, abstract] = Deno.args as [Mode, string, string, string];
  const place = { folder, other: Number(other) };
  const before = await thread(place, mode);
  const confine = () =>
    confineDataplane({
      read: [join(folder, "code"), join(import.meta.dirname!, "../../../../.."), ...caches()],
      write: [join(folder, "run")],
      alone: mode !== "shared",
    }).landlock;
  if (mode === "filtered") {
    try {
      confine();
      print({ problem: "" });
    } catch (error) {
      print({ problem: messageOf(error) });
    }
    Deno.exit(0);
  }
  const landlock = mode === "free" ? 0 : confine();
  if (mode === "i386") {
    print({ entered: enterByI386() });
    Deno.exit(0);
  }
  const AF_UNIX = [1, 0];
  const abstractSocket = connect([...AF_UNIX, 0, ...new TextEncoder().encode(abstract)]);
  if (mode !== "free") sealDataplane(mode === "alone");
  const after = await thread(place, mode);
  const threads = {
    "the first thread": await everything(place, mode),
    "a thread that was there before": await before(),
    "a thread that came later": await after(),
  };
  print({ landlock, abstractSocket, threads });
  Deno.exit(0);
} else {
  const { place, mode } = workerData as { place: Place; mode: Mode };
  if (mode === "filtered") {
    const confinement = new Confinement();
    confinement.noNewPrivileges();
    confinement.filterCalls(new Map(), false);
  }
  parentPort!.on("message", async () => parentPort!.postMessage(await everything(place, mode)));
  parentPort!.postMessage("here");
}
