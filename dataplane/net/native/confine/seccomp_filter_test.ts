import assert from "node:assert/strict";
import { ALLOW, fail, type Verdict, whenOneOf } from "./bpf.ts";
import { seccompFilter } from "./seccomp_filter.ts";
import { AUDIT_ARCHITECTURE, numberOf, SYSTEM_CALLS, type SystemCall } from "./syscalls.ts";
import { runFilter } from "./testdata/run_filter.ts";

const ALLOWED = 0x7fff_0000;
const refusedBy = (errno: number) => 0x0005_0000 | errno;
const KILLED = 0x8000_0000;

/** A verdict for each call, so that a wrong one shows. */
function distinctVerdicts(): Map<SystemCall, Verdict> {
  return new Map(SYSTEM_CALLS.map((call, i) => [call, fail(i + 1)]));
}

for (const architecture of ["x86_64", "aarch64"] as const) {
  const audit = AUDIT_ARCHITECTURE[architecture];

  Deno.test(`${architecture}: each call meets its rule, all others pass`, () => {
    const filter = seccompFilter(architecture, distinctVerdicts());
    const numbers = new Set<number>();
    SYSTEM_CALLS.forEach((call, i) => {
      const number = numberOf(call, architecture);
      if (number === null) return;
      numbers.add(number);
      assert.equal(runFilter(filter, audit, number).result, refusedBy(i + 1), call);
    });
    for (let number = 0; number < 600; number++) {
      if (numbers.has(number)) continue;
      assert.equal(runFilter(filter, audit, number).result, ALLOWED, `${number}`);
    }
  });

  Deno.test(`${architecture}: a call costs few instructions, whatever its number is`, () => {
    const filter = seccompFilter(architecture, distinctVerdicts());
    for (let number = 0; number < 600; number++) {
      const { steps } = runFilter(filter, audit, number);
      assert.ok(steps <= 24, `call ${number}: ${steps} of ${filter.length}`);
    }
  });

  Deno.test(`${architecture}: jumps over more than a byte's distance arrive`, () => {
    const long = whenOneOf(0, Array.from({ length: 200 }, (_, i) => i), fail(1), ALLOW);
    const call = "mount";
    const filter = seccompFilter(
      architecture,
      new Map<SystemCall, Verdict>([["clone", long], [call, fail(2)], ["socket", long]]),
    );
    const ask = (name: SystemCall, argument: number) =>
      runFilter(filter, audit, numberOf(name, architecture)!, [argument]).result;
    assert.equal(ask(call, 0), refusedBy(2));
    for (const name of ["clone", "socket"] as const) {
      assert.equal(ask(name, 199), refusedBy(1));
      assert.equal(ask(name, 200), ALLOWED);
    }
  });

  Deno.test(`${architecture}: without rules all calls of the architecture pass`, () => {
    const filter = seccompFilter(architecture, new Map());
    for (let number = 0; number < 600; number++) {
      assert.equal(runFilter(filter, audit, number).result, ALLOWED);
    }
  });
}

Deno.test("a call of another architecture ends the process", () => {
  const filter = seccompFilter("x86_64", distinctVerdicts());
  const I386 = 0x40000003;
  for (const call of [0, 11, 59, 0xffff_ffff]) {
    assert.equal(runFilter(filter, I386, call).result, KILLED);
  }
});

Deno.test("calls of x32, and numbers below 0, are not there", () => {
  const filter = seccompFilter("x86_64", distinctVerdicts());
  for (const call of [0x4000_0000, 0x4000_0000 + 59, 0x4000_0000 + 520, 0xffff_ffff]) {
    const { result } = runFilter(filter, AUDIT_ARCHITECTURE.x86_64, call);
    assert.equal(result, refusedBy(38), call.toString(16));
  }
});
