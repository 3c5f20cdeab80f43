import {
  ALLOW,
  ARCHITECTURE,
  branch,
  CALL,
  fail,
  type Instruction,
  JUMP,
  KILL,
  load,
  type Verdict,
} from "./bpf.ts";
import { type Architecture, AUDIT_ARCHITECTURE, numberOf, type SystemCall } from "./syscalls.ts";

/** Verdicts by call; all other calls are allowed. */
export type CallRules = ReadonlyMap<SystemCall, Verdict>;

/** Calls with this bit are of the x32 ABI, which neither runtime nor libraries use. */
const X32 = 0x4000_0000;
const ENOSYS = 38;

/** Calls from one number on, up to the next segment, with one verdict. */
interface Segment {
  readonly from: number;
  readonly verdict: Verdict;
}

/**
 * Returns a filter that applies the rules and allows all other calls: a list of everything that a runtime with a
 * compiler and a pool of threads calls would break with each of its versions. Calls of another architecture (i386 on
 * x86_64) end the process, calls of x32 fail with ENOSYS.
 *
 * The filter searches the number of the call by bisection, so that a call costs eight comparisons and not as many as
 * there are rules. Kernels from 5.11 on skip it for calls that are always allowed.
 */
export function seccompFilter(architecture: Architecture, rules: CallRules): Instruction[] {
  return [
    load(ARCHITECTURE),
    ...branch(JUMP.equal, AUDIT_ARCHITECTURE[architecture], [
      load(CALL),
      ...bisect(segments(architecture, rules)),
    ], KILL),
  ];
}

/** The whole range of numbers in segments, in ascending order. */
function segments(architecture: Architecture, rules: CallRules): Segment[] {
  const verdicts = new Map<number, Verdict>();
  for (const [call, verdict] of rules) {
    const number = numberOf(call, architecture);
    if (number !== null) verdicts.set(number, verdict);
  }
  const all: Segment[] = [{ from: 0, verdict: ALLOW }];
  const begin = (from: number, verdict: Verdict) => {
    const last = all[all.length - 1];
    if (last.from === from) all.pop();
    else if (last.verdict === verdict) return;
    if (all.at(-1)?.verdict !== verdict) all.push({ from, verdict });
  };
  for (const number of [...verdicts.keys()].sort((a, b) => a - b)) {
    begin(number, verdicts.get(number)!);
    begin(number + 1, ALLOW);
  }
  if (architecture === "x86_64") begin(X32, fail(ENOSYS));
  return all;
}

function bisect(parts: readonly Segment[]): Verdict {
  if (parts.length === 1) return parts[0].verdict;
  const middle = parts.length >> 1;
  const [lower, upper] = [parts.slice(0, middle), parts.slice(middle)];
  return branch(JUMP.atLeast, upper[0].from, bisect(upper), bisect(lower));
}
