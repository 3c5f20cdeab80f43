import assert from "node:assert/strict";
import { dataplaneRules, processRules } from "./call_rules.ts";
import { type CallRules, seccompFilter } from "./seccomp_filter.ts";
import { AUDIT_ARCHITECTURE, numberOf, SYSTEM_CALLS, type SystemCall } from "./syscalls.ts";
import { runFilter } from "./testdata/run_filter.ts";

const ALLOWED = 0x7fff_0000;
const refusedBy = (errno: number) => 0x0005_0000 | errno;
const EPERM = refusedBy(1);
const ENOSYS = refusedBy(38);
const EAFNOSUPPORT = refusedBy(97);

const PID = 4711;

Deno.test("every call that is known by number has a rule", () => {
  const ruled = new Set([...processRules(PID).keys(), ...dataplaneRules().keys()]);
  assert.deepEqual(SYSTEM_CALLS.filter((call) => !ruled.has(call)), []);
});

for (const architecture of ["x86_64", "aarch64"] as const) {
  const asking = (rules: CallRules) => {
    const filter = seccompFilter(architecture, rules);
    return (call: SystemCall, ...args: number[]) =>
      runFilter(
        filter,
        AUDIT_ARCHITECTURE[architecture],
        numberOf(call, architecture)!,
        args,
      ).result;
  };
  const ask = asking(processRules(PID));
  const askDataplane = asking(dataplaneRules());

  Deno.test(`${architecture}: threads are made, processes and namespaces are not`, () => {
    assert.equal(ask("clone", 0x3d0f00), ALLOWED);
    assert.equal(ask("clone", 17), EPERM);
    for (const namespace of [0x20000, 0x2000000, 0x10000000, 0x20000000, 0x40000000]) {
      assert.equal(ask("clone", 0x3d0f00 | namespace), EPERM);
    }
    assert.equal(ask("clone3"), ENOSYS);
  });

  Deno.test(`${architecture}: signals go to threads of the process only`, () => {
    assert.equal(ask("tgkill", PID, 12, 6), ALLOWED);
    for (const other of [0, 1, -1, PID + 1]) assert.equal(ask("tgkill", other, 12, 6), EPERM);
    for (const call of ["kill", "tkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo"] as const) {
      assert.equal(ask(call, PID, 12, 6), EPERM, call);
    }
  });

  Deno.test(`${architecture}: limits and scheduling are the process's own`, () => {
    const calls = [
      "prlimit64",
      "sched_setaffinity",
      "sched_setscheduler",
      "sched_setattr",
    ] as const;
    for (const call of calls) {
      for (const own of [0, PID]) assert.equal(ask(call, own), ALLOWED, call);
      for (const other of [1, -1, PID - 1]) assert.equal(ask(call, other), EPERM, call);
    }
    assert.equal(ask("setpriority", 0, 0), ALLOWED);
    assert.equal(ask("setpriority", 0, 1), EPERM);
    assert.equal(ask("setpriority", 1, 0), EPERM);
    assert.equal(ask("setpriority", 2, 0), EPERM);
  });

  Deno.test(`${architecture}: descriptors cannot be made to send signals or to change attributes`, () => {
    const [F_DUPFD_CLOEXEC, F_GETFL, F_SETFL, F_SETLK] = [1030, 3, 4, 6];
    for (const command of [F_DUPFD_CLOEXEC, F_GETFL, F_SETFL, F_SETLK]) {
      assert.equal(ask("fcntl", 5, command), ALLOWED);
    }
    for (const command of [8, 10, 15, 1024, 1026]) assert.equal(ask("fcntl", 5, command), EPERM);
    const [TCGETS, FIONBIO, FIOCLEX] = [0x5401, 0x5421, 0x5451];
    for (const request of [TCGETS, FIONBIO, FIOCLEX]) {
      assert.equal(ask("ioctl", 5, request), ALLOWED);
    }
    const [TIOCSTI, TIOCLINUX, FIOSETOWN, SETFLAGS] = [0x5412, 0x541c, 0x8901, 0x40086602];
    for (const request of [TIOCSTI, TIOCLINUX, FIOSETOWN, SETFLAGS]) {
      assert.equal(ask("ioctl", 5, request), EPERM);
    }
  });

  Deno.test(`${architecture}: threads get names, the process no tracer`, () => {
    const [SET_NAME, NO_NEW_PRIVILEGES, SET_VMA] = [15, 38, 0x53564d41];
    for (const option of [SET_NAME, NO_NEW_PRIVILEGES, SET_VMA]) {
      assert.equal(ask("prctl", option), ALLOWED);
    }
    const [DUMPABLE, MEMORY_MAP, PTRACER] = [4, 35, 0x59616d61];
    for (const option of [DUMPABLE, MEMORY_MAP, PTRACER]) assert.equal(ask("prctl", option), EPERM);
  });

  Deno.test(`${architecture}: sockets are streams and datagrams of known families and protocols`, () => {
    const flags = 0o2004000;
    for (const family of [2, 10]) {
      for (const protocol of [0, 6]) {
        assert.equal(ask("socket", family, 1 | flags, protocol), ALLOWED);
      }
      assert.equal(ask("socket", family, 2, 17), ALLOWED);
      assert.equal(ask("socket", family, 3 | flags, 0), EAFNOSUPPORT);
      for (const protocol of [1, 33, 132, 136, 255]) {
        assert.equal(ask("socket", family, 1, protocol), EAFNOSUPPORT);
      }
    }
    assert.equal(ask("socket", 1, 1), ALLOWED);
    assert.equal(ask("socket", 16, 3, 0), ALLOWED);
    assert.equal(ask("socket", 16, 3, 15), EAFNOSUPPORT);
    for (const family of [0, 17, 38, 40, 44]) assert.equal(ask("socket", family, 1), EAFNOSUPPORT);
    assert.equal(ask("socketpair", 1, 1), ALLOWED);
    assert.equal(ask("socketpair", 30, 1), EAFNOSUPPORT);
  });

  Deno.test(`${architecture}: a dataplane that listens makes no unix socket, others it does`, () => {
    for (const type of [1, 2, 5]) assert.equal(askDataplane("socket", 1, type), EAFNOSUPPORT);
    assert.equal(askDataplane("socketpair", 1, 1), EPERM);
    for (const family of [2, 10, 16]) assert.equal(askDataplane("socket", family, 1), ALLOWED);
  });
}
