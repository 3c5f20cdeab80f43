import assert from "node:assert/strict";
import { type Instruction, seccompFilter } from "./seccomp_filter.ts";
import {
  type Architecture,
  AUDIT_ARCHITECTURE,
  numberOf,
  SYSTEM_CALLS,
  type SystemCall,
} from "./syscalls.ts";

const ALLOWED = 0x7fff_0000;
const refusedBy = (errno: number) => 0x0005_0000 | errno;
const EPERM = refusedBy(1);
const ENOSYS = refusedBy(38);
const EAFNOSUPPORT = refusedBy(97);

/** Runs a filter as the kernel does. */
function run(
  filter: readonly Instruction[],
  architecture: number,
  call: number,
  args: readonly number[] = [],
): number {
  const data = new DataView(new ArrayBuffer(64));
  data.setUint32(0, call, true);
  data.setUint32(4, architecture, true);
  args.forEach((value, i) => data.setUint32(16 + 8 * i, value, true));
  let accumulator = 0;
  for (let at = 0;; at++) {
    const { code, yes, no, value } = filter[at];
    if (code === 0x20) accumulator = data.getUint32(value, true);
    else if (code === 0x54) accumulator = (accumulator & value) >>> 0;
    else if (code === 0x06) return value >>> 0;
    else {
      const holds = code === 0x15
        ? accumulator === value
        : code === 0x35
        ? accumulator >= value
        : (accumulator & value) !== 0;
      at += holds ? yes : no;
    }
  }
}

for (const architecture of ["x86_64", "aarch64"] as const satisfies readonly Architecture[]) {
  const filter = seccompFilter(architecture, SYSTEM_CALLS);
  const audit = AUDIT_ARCHITECTURE[architecture];
  const ask = (call: SystemCall, ...args: number[]) =>
    run(filter, audit, numberOf(call, architecture)!, args);

  Deno.test(`${architecture}: calls are refused as they are listed, all others pass`, () => {
    const conditional = new Set<SystemCall>(["clone", "clone3", "socket"]);
    const numbers = new Set<number>();
    for (const call of SYSTEM_CALLS) {
      const number = numberOf(call, architecture);
      if (number === null) continue;
      numbers.add(number);
      if (!conditional.has(call)) assert.equal(ask(call), EPERM, call);
    }
    for (let number = 0; number < 500; number++) {
      if (!numbers.has(number)) assert.equal(run(filter, audit, number), ALLOWED, `${number}`);
    }
  });

  Deno.test(`${architecture}: threads are made, processes are not`, () => {
    assert.equal(ask("clone", 0x3d0f00), ALLOWED);
    assert.equal(ask("clone", 17), EPERM);
    assert.equal(ask("clone3"), ENOSYS);
  });

  Deno.test(`${architecture}: sockets are streams and datagrams of known families`, () => {
    const flags = 0o2004000;
    for (const family of [2, 10]) {
      assert.equal(ask("socket", family, 1 | flags), ALLOWED);
      assert.equal(ask("socket", family, 2), ALLOWED);
      assert.equal(ask("socket", family, 3 | flags), EAFNOSUPPORT);
    }
    assert.equal(ask("socket", 1, 1), ALLOWED);
    assert.equal(ask("socket", 16, 3), ALLOWED);
    for (const family of [0, 17, 38, 40, 44]) assert.equal(ask("socket", family, 1), EAFNOSUPPORT);
  });
}

Deno.test("a program for another kind of machine is ended", () => {
  const filter = seccompFilter("x86_64", ["execve"]);
  assert.equal(run(filter, 0x40000003, 11), 0x8000_0000);
  assert.equal(run(filter, AUDIT_ARCHITECTURE.x86_64, 0x4000_0000 + 59), ENOSYS);
});

Deno.test("what is not to be refused passes", () => {
  const filter = seccompFilter("x86_64", ["bind", "listen"]);
  assert.equal(run(filter, AUDIT_ARCHITECTURE.x86_64, 49), EPERM);
  assert.equal(run(filter, AUDIT_ARCHITECTURE.x86_64, 59), ALLOWED);
  assert.equal(run(filter, AUDIT_ARCHITECTURE.x86_64, 41, [17, 3]), ALLOWED);
});
