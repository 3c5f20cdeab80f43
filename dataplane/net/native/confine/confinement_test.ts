import assert from "node:assert/strict";
import { Confinement } from "./confinement.ts";
import type { Kernel } from "./kernel.ts";

const [PRCTL, SECCOMP, OPENAT, CLOSE] = [157, 317, 257, 3];
const [CREATE_RULESET, ADD_RULE, RESTRICT_SELF] = [444, 445, 446];
const [ENOENT, EACCES, EINVAL, ENOSYS, EOPNOTSUPP, EPERM, EMFILE] = [2, 13, 22, 38, 95, 1, 24];

type Answers = Readonly<Record<number, number | ((args: readonly bigint[]) => number)>>;

/** A kernel whose calls return what is given, else 0, and that notes them. */
function kernelThat(answers: Answers): { kernel: Kernel; calls: [number, readonly bigint[]][] } {
  const calls: [number, readonly bigint[]][] = [];
  const kernel: Kernel = (call, args) => {
    calls.push([call, args]);
    const answer = answers[call] ?? 0;
    return typeof answer === "number" ? answer : answer(args);
  };
  return { kernel, calls };
}

/** Landlock of a version. */
function landlock(version: number): Answers {
  const [SET, PATH] = [40, 50];
  return { [CREATE_RULESET]: ([, , ask]) => ask === 1n ? version : SET, [OPENAT]: PATH };
}

const RULES = [
  { path: "/usr", isFolder: true, write: false },
  { path: "/proc/self", isFolder: true, write: false },
];

Deno.test("a filter that the kernel could not give one thread is a failure", () => {
  const { kernel, calls } = kernelThat({ [SECCOMP]: 1234 });
  const confinement = new Confinement(kernel, "x86_64");
  assert.throws(
    () => confinement.filterCalls(new Map(), true),
    { code: "CONFINE", message: /thread 1234 of the process has another filter/ },
  );
  assert.deepEqual(calls.map(([call, args]) => [call, args[0], args[1]]), [[SECCOMP, 1n, 1n]]);
});

Deno.test("a kernel that takes no filter is a failure", () => {
  for (const errno of [EINVAL, ENOSYS, EACCES]) {
    const { kernel } = kernelThat({ [SECCOMP]: -errno });
    const confinement = new Confinement(kernel, "x86_64");
    assert.throws(() => confinement.filterCalls(new Map(), false), { call: "seccomp", errno });
  }
  const { kernel } = kernelThat({ [PRCTL]: -EPERM });
  const confinement = new Confinement(kernel, "x86_64");
  assert.throws(() => confinement.noNewPrivileges(), { call: "prctl", errno: EPERM });
});

Deno.test("a kernel without Landlock, or with it disabled, restricts nothing", () => {
  for (const errno of [ENOSYS, EOPNOTSUPP]) {
    const { kernel, calls } = kernelThat({ [CREATE_RULESET]: -errno });
    assert.equal(new Confinement(kernel, "x86_64").restrict(RULES, true), 0);
    assert.equal(calls.length, 1);
  }
});

Deno.test("Landlock that refuses is a failure at each step", () => {
  const create = (args: readonly bigint[]) => args[2] === 1n ? 7 : -EMFILE;
  const steps: [Answers, string, number][] = [
    [{ [CREATE_RULESET]: -EPERM }, "landlock_create_ruleset", EPERM],
    [{ [CREATE_RULESET]: create }, "landlock_create_ruleset", EMFILE],
    [{ [OPENAT]: -EMFILE }, "open /usr", EMFILE],
    [{ [ADD_RULE]: -EINVAL }, "landlock_add_rule", EINVAL],
    [{ [RESTRICT_SELF]: -EPERM }, "landlock_restrict_self", EPERM],
  ];
  for (const [answers, call, errno] of steps) {
    const { kernel } = kernelThat({ ...landlock(7), ...answers });
    const confinement = new Confinement(kernel, "x86_64");
    assert.throws(() => confinement.restrict(RULES, false), { call, errno }, call);
  }
});

Deno.test("a path that is not there, or out of reach, gets no rule", () => {
  for (const errno of [ENOENT, EACCES]) {
    const { kernel, calls } = kernelThat({ ...landlock(7), [OPENAT]: -errno });
    assert.equal(new Confinement(kernel, "x86_64").restrict(RULES, false), 7);
    assert.ok(!calls.some(([call]) => call === ADD_RULE));
    assert.ok(calls.some(([call]) => call === RESTRICT_SELF));
  }
});

Deno.test("only paths of /proc stay open, because the kernel frees their unused inodes", () => {
  let next = 50;
  const { kernel, calls } = kernelThat({ ...landlock(7), [OPENAT]: () => next++ });
  new Confinement(kernel, "x86_64").restrict(RULES, false);
  const closed = calls.filter(([call]) => call === CLOSE).map(([, args]) => args[0]);
  assert.deepEqual(closed, [50n, 40n]);
});

Deno.test("Landlock is applied to all threads from version 8 on", () => {
  for (const [version, flags] of [[7, 0n], [8, 8n]] as const) {
    const { kernel, calls } = kernelThat(landlock(version));
    new Confinement(kernel, "x86_64").restrict(RULES, true);
    const [, args] = calls.find(([call]) => call === RESTRICT_SELF)!;
    assert.equal(args[1], flags);
  }
});
