/** Each right that a dataplane gives up is tried for by a process that has given it up. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { nativeProblem } from "../native_problem.ts";

const problem = nativeProblem();

type Outcomes = Readonly<Record<string, string>>;

interface Tried {
  readonly landlock: number;
  readonly abstractSocket: string;
  /** Outcome by thread and by what was tried: "ok", or the number of the error. */
  readonly threads: Readonly<Record<string, Outcomes>>;
}

const EPERM = "1";
const EACCES = "13";
const ENOTTY = "25";
const ENOSYS = "38";
const EAFNOSUPPORT = "97";
/** Version of Landlock that keeps abstract unix sockets apart. */
const SCOPES = 6;

const FIRST = "the first thread";
const BEFORE = "a thread that was there before";
const LATER = "a thread that came later";

/** Runs the program that tries everything; the process that it tries to reach is this one. */
async function run(mode: string): Promise<Deno.CommandOutput> {
  const folder = await Deno.makeTempDir({ prefix: "novaedge-confine-" });
  const abstract = `novaedge-confine-${crypto.randomUUID()}`;
  using _listening = Deno.listen({ transport: "unix", path: `\0${abstract}` });
  try {
    for (const name of ["run", "code", "other"]) await Deno.mkdir(join(folder, name));
    await Deno.writeTextFile(join(folder, "code", "file"), "code");
    await Deno.writeTextFile(join(folder, "other", "file"), "secret");
    const program = join(import.meta.dirname!, "testdata/confined.ts");
    return await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", program, mode, folder, String(Deno.pid), abstract],
    }).output();
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function tried(mode: string): Promise<Tried> {
  const { success, stdout, stderr } = await run(mode);
  assert.ok(success, new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

function test(name: string, fn: () => Promise<void>): void {
  const suffix = problem === "" ? "" : ` (${problem})`;
  Deno.test({ name: `${name}${suffix}`, ignore: problem !== "", fn });
}

/** Files elsewhere and other processes: each of these succeeds where nothing is confined. */
const REACHING = [
  ...["chmod", "fchmodat", "chown", "fchownat", "utimes", "utimensat"],
  ...["kill", "tgkill of others", "tkill of others", "pidfd_open of others"],
  ...["prlimit64 of others", "sched_setparam of others"],
  ...["fcntl F_SETOWN", "fcntl F_SETSIG", "prctl PR_SET_DUMPABLE"],
  ...["socketpair", "inotify_init1"],
];
const UNIX_SOCKETS = ["socket unix stream", "socket unix datagram"];

/** What the control plane may do in the same process. */
const OF_OTHER_PROGRAMS = ["chmod", "fchmodat", "inotify_init1", "socketpair", ...UNIX_SOCKETS];

/** Calls that must be refused whatever their arguments are. */
const REFUSED = [
  ..."execve execveat fork vfork ptrace process_vm_readv process_vm_writev".split(" "),
  ..."process_madvise pidfd_open pidfd_getfd pidfd_send_signal kcmp".split(" "),
  ..."kill tkill rt_sigqueueinfo rt_tgsigqueueinfo shmget msgget semget mq_open".split(" "),
  ..."mount umount2 pivot_root chroot setns unshare open_tree fsopen move_mount".split(" "),
  ..."open_by_handle_at quotactl acct fanotify_init mknod mknodat".split(" "),
  ..."chown lchown fchown fchownat utime utimes futimesat utimensat".split(" "),
  ..."setxattr lsetxattr fsetxattr setxattrat removexattr lremovexattr".split(" "),
  ..."fremovexattr removexattrat init_module finit_module delete_module".split(" "),
  ..."kexec_load bpf perf_event_open userfaultfd personality".split(" "),
  ..."io_uring_setup io_uring_enter io_uring_register io_setup io_submit".split(" "),
  ..."add_key request_key keyctl settimeofday clock_settime sethostname".split(" "),
  ..."setuid setgid setgroups capset reboot syslog vhangup".split(" "),
  // From when the control socket listens on.
  ..."chmod fchmod fchmodat fchmodat2 mkdir mkdirat rmdir rename renameat".split(" "),
  ..."renameat2 link linkat symlink symlinkat truncate inotify_init1 seccomp".split(" "),
];

function assertFilteredByArguments(outcomes: Outcomes, where: string): void {
  const of = (name: string) => outcomes[name];
  for (const name of ["packet", "raw", "vsock", "alg", "icmp", "sctp", "uevents"]) {
    assert.equal(of(`socket ${name}`), EAFNOSUPPORT, `socket ${name} in ${where}`);
  }
  const refused = [
    ...["clone of a process", "clone into a namespace", "ioctl TIOCSTI"],
    ...["ioctl FS_IOC_SETFLAGS", "prctl PR_SET_PTRACER", "prctl PR_SET_DUMPABLE"],
    ...["sched_setaffinity of others", "setpriority of others"],
  ];
  for (const name of refused) assert.equal(of(name), EPERM, `${name} in ${where}`);
  const allowed = [
    ...["socket stream", "socket datagram", "socket routes"],
    ...["tgkill of its own", "prlimit64 of its own", "fcntl F_GETFL"],
  ];
  for (const name of allowed) assert.equal(of(name), "ok", `${name} in ${where}`);
  // The pipe of the output is no terminal, and the kernel says so.
  assert.equal(of("ioctl TCGETS"), ENOTTY, where);
  assert.equal(of("clone3"), ENOSYS, where);
  assert.equal(of("no new privileges"), "1", where);
  if (of("getpid of x32") !== undefined) assert.equal(of("getpid of x32"), ENOSYS, where);
}

function assertFilesRestricted(outcomes: Outcomes, where: string): void {
  const kept = [
    ...["read code", "write run", "read own status", "read own limits"],
    ...["read memory of the machine", "read randomness", "write nothing"],
  ];
  for (const name of kept) assert.equal(outcomes[name], "ok", `${name} in ${where}`);
  const refused = [
    ...["read other", "write code", "write other", "write own memory"],
    ...["read environment of others", "read memory of others", "read other devices"],
  ];
  for (const name of refused) assert.equal(outcomes[name], EACCES, `${name} in ${where}`);
}

test("what a confined dataplane must not do it cannot, in any of its threads", async () => {
  const { landlock, threads } = await tried("alone");
  for (const where of [FIRST, BEFORE, LATER]) {
    for (const name of REFUSED) {
      assert.equal(threads[where][`call ${name}`], EPERM, `${name} in ${where}`);
    }
    for (const name of REACHING) assert.equal(threads[where][name], EPERM, `${name} in ${where}`);
    for (const name of UNIX_SOCKETS) {
      assert.equal(threads[where][name], EAFNOSUPPORT, `${name} in ${where}`);
    }
    assertFilteredByArguments(threads[where], where);
  }
  // Files are the kernel's to protect from version 1 of Landlock on, which not every kernel has.
  if (landlock === 0) return;
  for (const where of [FIRST, LATER]) assertFilesRestricted(threads[where], where);
  assert.equal(threads[LATER]["read other from the pool"], "refused");
});

test("a dataplane beside other programs leaves their threads unix sockets and modes of files", async () => {
  const { landlock, threads } = await tried("shared");
  const others = threads[BEFORE];
  for (const name of OF_OTHER_PROGRAMS) assert.equal(others[name], "ok", name);
  for (const name of REACHING.filter((name) => !OF_OTHER_PROGRAMS.includes(name))) {
    assert.equal(others[name], EPERM, name);
  }
  assertFilteredByArguments(others, BEFORE);
  assert.equal(others["read other"], "ok");
  for (const where of [FIRST, LATER]) {
    for (const name of [...REACHING, ...REFUSED.map((call) => `call ${call}`)]) {
      assert.equal(threads[where][name], EPERM, `${name} in ${where}`);
    }
    for (const name of UNIX_SOCKETS) {
      assert.equal(threads[where][name], EAFNOSUPPORT, `${name} in ${where}`);
    }
    if (landlock > 0) assertFilesRestricted(threads[where], where);
  }
});

test("what a confined dataplane is refused succeeds in one that is not", async () => {
  const { abstractSocket, threads } = await tried("free");
  assert.equal(abstractSocket, "ok");
  for (const [where, outcomes] of Object.entries(threads)) {
    const files = ["read other", "write code", "write other", "read environment of others"];
    for (const name of [...REACHING, ...UNIX_SOCKETS, ...files]) {
      assert.equal(outcomes[name], "ok", `${name} in ${where}`);
    }
  }
});

test("abstract unix sockets of other processes are out of reach before the last filter too", async () => {
  const { abstractSocket, landlock } = await tried("alone");
  if (landlock >= SCOPES) assert.equal(abstractSocket, EPERM);
});

test("a thread with a filter of its own stops the confinement", async () => {
  const { success, stdout, stderr } = await run("filtered");
  assert.ok(success, new TextDecoder().decode(stderr));
  const told = JSON.parse(new TextDecoder().decode(stdout)) as { problem: string };
  assert.match(told.problem, /^seccomp: thread \d+ of the process has another filter/);
});

if (Deno.build.arch === "x86_64") {
  test("a call by the entry of i386 ends the process", async () => {
    const { signal, stdout } = await run("i386");
    assert.equal(new TextDecoder().decode(stdout), "");
    // A kernel without that entry ends the process as well.
    assert.ok(signal === "SIGSYS" || signal === "SIGSEGV", `${signal}`);
  });
}
