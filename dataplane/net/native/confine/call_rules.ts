import { ALLOW, fail, type Verdict, whenAnyBit, whenOneOf } from "./bpf.ts";
import type { CallRules } from "./seccomp_filter.ts";
import type { SystemCall } from "./syscalls.ts";

/** Rules of the two seccomp filters of a dataplane: for the whole process, and for its own threads. */

const REFUSE = fail(1);
const EAFNOSUPPORT = fail(97);
const ENOSYS = fail(38);

/** Flags of clone(2): a thread, and each new namespace. */
const CLONE_THREAD = 0x10000;
const CLONE_NAMESPACES = 0x7e02_0000;

/** Address families (AF_UNIX, AF_INET, AF_INET6, AF_NETLINK), types and protocols of sockets. */
const FAMILY = { unix: 1, inet: 2, inet6: 10, netlink: 16 } as const;
const STREAM = 1;
const DATAGRAM = 2;
/** Bits of a socket's type beside its flags. */
const TYPE = 0xf;
/** The family's own protocol, TCP, UDP. */
const PROTOCOLS = [0, 6, 17];
const NETLINK_ROUTE = 0;

/**
 * Commands of fcntl(2) that reach other processes: F_SETOWN, F_SETSIG and F_SETOWN_EX send signals, F_SETLEASE delays
 * those that open a file, F_NOTIFY watches folders.
 */
const FCNTL_REFUSED = [8, 10, 15, 1024, 1026];

/**
 * Requests of ioctl(2) that the runtime and glibc make: TCGETS, TIOCOUTQ, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX,
 * FIOCLEX, SIOCGIFNAME, SIOCGIFINDEX. What changes attributes of files (FS_IOC_SETFLAGS), writes into terminals
 * (TIOCSTI, TIOCLINUX) or makes a socket send signals (FIOSETOWN, SIOCSPGRP) is not among them.
 */
const IOCTL_ALLOWED = [
  ...[0x5401, 0x5411, 0x5413, 0x541b, 0x5421, 0x5450, 0x5451],
  ...[0x8910, 0x8933],
];

/**
 * Options of prctl(2) by which a process gives others access to itself, or changes its capabilities and protections:
 * PR_SET_DUMPABLE, PR_SET_KEEPCAPS, PR_SET_SECCOMP, PR_SET_SECUREBITS, PR_SET_MM, PR_SET_CHILD_SUBREAPER,
 * PR_CAP_AMBIENT, PR_SET_SPECULATION_CTRL, PR_SCHED_CORE, PR_SET_MEMORY_MERGE, PR_SET_PTRACER.
 */
const PRCTL_REFUSED = [4, 8, 22, 28, 35, 36, 47, 53, 62, 67, 0x59616d61];

/** Calls that an agent or a controller in the same process makes, and a dataplane that listens does not. */
const OF_OTHER_PROGRAMS: readonly SystemCall[] = [
  ...["chmod", "fchmod", "fchmodat", "fchmodat2"] as const,
  ...["mkdir", "mkdirat", "rmdir", "truncate"] as const,
  ...["link", "linkat", "symlink", "symlinkat"] as const,
  ...["inotify_init", "inotify_init1", "inotify_add_watch"] as const,
  // This is the last filter.
  "seccomp",
];

/** The same, but for a dataplane that moves old logs away. */
const RENAMES: readonly SystemCall[] = ["rename", "renameat", "renameat2"];

/** Calls that are refused whatever their arguments are, in every program. */
const OF_NO_PROGRAM: readonly SystemCall[] = [
  ...["execve", "execveat", "fork", "vfork"] as const,
  ...["ptrace", "process_vm_readv", "process_vm_writev", "process_madvise"] as const,
  ...["process_mrelease", "pidfd_open", "pidfd_getfd", "pidfd_send_signal", "kcmp"] as const,
  ...["migrate_pages", "move_pages", "ioprio_set"] as const,
  // The runtime and glibc signal by tgkill(2), as abort(3) does.
  ...["kill", "tkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo"] as const,
  ...["shmget", "shmat", "shmctl", "shmdt", "semget", "semop", "semtimedop", "semctl"] as const,
  ...["msgget", "msgsnd", "msgrcv", "msgctl", "mq_open", "mq_unlink"] as const,
  ...["mount", "umount2", "pivot_root", "chroot", "open_tree", "open_tree_attr"] as const,
  ...["move_mount", "fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr"] as const,
  ...["setns", "unshare", "name_to_handle_at", "open_by_handle_at"] as const,
  ...["quotactl", "quotactl_fd", "swapon", "swapoff", "acct"] as const,
  ...["fanotify_init", "fanotify_mark", "mknod", "mknodat"] as const,
  ...["chown", "lchown", "fchown", "fchownat", "file_setattr"] as const,
  ...["utime", "utimes", "futimesat", "utimensat"] as const,
  ...["setxattr", "lsetxattr", "fsetxattr", "setxattrat"] as const,
  ...["removexattr", "lremovexattr", "fremovexattr", "removexattrat"] as const,
  ...["init_module", "finit_module", "delete_module", "create_module"] as const,
  ...["kexec_load", "kexec_file_load", "bpf", "perf_event_open", "userfaultfd"] as const,
  // Rings make calls that no filter sees.
  ...["io_uring_setup", "io_uring_enter", "io_uring_register"] as const,
  ...["io_setup", "io_submit", "io_destroy", "io_getevents", "io_pgetevents"] as const,
  ...["io_cancel", "lookup_dcookie", "nfsservctl", "uselib", "ustat", "sysfs"] as const,
  ...["_sysctl", "query_module", "get_kernel_syms", "reboot", "syslog", "vhangup"] as const,
  ...["iopl", "ioperm", "modify_ldt", "personality", "lsm_set_self_attr"] as const,
  ...["add_key", "request_key", "keyctl"] as const,
  ...["settimeofday", "clock_settime", "clock_adjtime", "adjtimex"] as const,
  ...["sethostname", "setdomainname", "setuid", "setgid", "setreuid", "setregid"] as const,
  ...["setresuid", "setresgid", "setfsuid", "setfsgid", "setgroups", "capset"] as const,
];

function allowed(index: number, values: readonly number[]): Verdict {
  return whenOneOf(index, values, ALLOW, REFUSE);
}

/**
 * Returns the rules for every thread of the process, also those of other programs in it.
 * @param pid of the process itself, which stays the same as it cannot fork
 */
export function processRules(pid: number): CallRules {
  const itself = allowed(0, [0, pid]);
  const internet = whenOneOf(
    1,
    [STREAM, DATAGRAM],
    whenOneOf(2, PROTOCOLS, ALLOW, EAFNOSUPPORT),
    EAFNOSUPPORT,
    TYPE,
  );
  const others = whenOneOf(
    0,
    [FAMILY.netlink],
    whenOneOf(2, [NETLINK_ROUTE], ALLOW, EAFNOSUPPORT),
    whenOneOf(0, [FAMILY.unix], ALLOW, EAFNOSUPPORT),
  );
  return new Map<SystemCall, Verdict>([
    ...OF_NO_PROGRAM.map((call) => [call, REFUSE] as const),
    ["clone", whenAnyBit(0, CLONE_NAMESPACES, REFUSE, whenAnyBit(0, CLONE_THREAD, ALLOW, REFUSE))],
    // Its flags are in memory, where a filter cannot look: libraries make threads by clone(2) then.
    ["clone3", ENOSYS],
    ["tgkill", allowed(0, [pid])],
    ["get_robust_list", itself],
    ["sched_setaffinity", itself],
    ["sched_setscheduler", itself],
    ["sched_setparam", itself],
    ["sched_setattr", itself],
    ["prlimit64", itself],
    // PRIO_PROCESS of the thread that calls.
    ["setpriority", whenOneOf(0, [0], allowed(1, [0]), REFUSE)],
    ["fcntl", whenOneOf(1, FCNTL_REFUSED, REFUSE, ALLOW)],
    ["ioctl", allowed(1, IOCTL_ALLOWED)],
    ["prctl", whenOneOf(0, PRCTL_REFUSED, REFUSE, ALLOW)],
    ["socket", whenOneOf(0, [FAMILY.inet, FAMILY.inet6], internet, others)],
    ["socketpair", whenOneOf(0, [FAMILY.unix], ALLOW, EAFNOSUPPORT)],
  ]);
}

/**
 * Returns the rules for the threads of a dataplane whose control sockets listen: they create no unix socket.
 * @param renames whether files may get other names, within the folders that it writes
 */
export function dataplaneRules(renames = false): CallRules {
  return new Map<SystemCall, Verdict>([
    ...[...OF_OTHER_PROGRAMS, ...renames ? [] : RENAMES].map((call) => [call, REFUSE] as const),
    ["socket", whenOneOf(0, [FAMILY.unix], EAFNOSUPPORT, ALLOW)],
    ["socketpair", REFUSE],
  ]);
}
