import { type Architecture, AUDIT_ARCHITECTURE, numberOf, type SystemCall } from "./syscalls.ts";

/** One instruction of the classic packet filter that seccomp runs (linux/filter.h). */
export interface Instruction {
  readonly code: number;
  readonly yes: number;
  readonly no: number;
  readonly value: number;
}

/** Codes: load a word of `seccomp_data`, jump, bitwise and, return. */
const LOAD = 0x20;
const JUMP_EQUAL = 0x15;
const JUMP_AT_LEAST = 0x35;
const JUMP_ANY_BIT = 0x45;
const AND = 0x54;
const RETURN = 0x06;

/** Places in `seccomp_data`: the low words of arguments, on little-endian machines. */
const CALL = 0;
const ARCHITECTURE = 4;
const ARGUMENT = (index: number) => 16 + index * 8;

const ALLOW = 0x7fff_0000;
const FAIL = 0x0005_0000;
const KILL_PROCESS = 0x8000_0000;
const EPERM = 1;
const ENOSYS = 38;
const EAFNOSUPPORT = 97;
/** Calls with this bit are of x32, which nothing here uses. */
const X32 = 0x4000_0000;

/** Flags of clone(2): what makes a thread. */
const CLONE_THREAD = 0x10000;
/** Families of sockets (AF_UNIX, AF_INET, AF_INET6, AF_NETLINK), and types. */
const UNIX = 1;
const INET = 2;
const INET6 = 10;
const NETLINK = 16;
const TYPE = 0xf;
const RAW = 3;

/** Refused whatever its arguments are. */
const CONDITIONAL: ReadonlySet<SystemCall> = new Set(["clone", "clone3", "socket"]);

function load(at: number): Instruction {
  return { code: LOAD, yes: 0, no: 0, value: at };
}

function result(value: number): Instruction {
  return { code: RETURN, yes: 0, no: 0, value };
}

function jump(code: number, value: number, yes: number, no: number): Instruction {
  return { code, yes, no, value };
}

/** Runs `body` when the accumulator holds the call's number, and goes on behind it otherwise. */
function when(number: number, body: readonly Instruction[]): Instruction[] {
  return [jump(JUMP_EQUAL, number, 0, body.length), ...body];
}

/**
 * A filter that refuses some calls and leaves all others alone: a list of what a runtime with a compiler and a pool of
 * threads may call would break with every version of it.
 * @param refused calls that fail with EPERM; of `clone` only what makes processes, of `socket` raw ones and
 * families of neither streams, datagrams nor the kernel's own routes
 */
export function seccompFilter(
  architecture: Architecture,
  refused: readonly SystemCall[],
): Instruction[] {
  const filter = [
    load(ARCHITECTURE),
    jump(JUMP_EQUAL, AUDIT_ARCHITECTURE[architecture], 1, 0),
    result(KILL_PROCESS),
    load(CALL),
  ];
  if (architecture === "x86_64") {
    filter.push(jump(JUMP_AT_LEAST, X32, 0, 1), result(FAIL | ENOSYS));
  }
  for (const call of refused) {
    const number = numberOf(call, architecture);
    if (number === null) continue;
    if (!CONDITIONAL.has(call)) filter.push(...when(number, [result(FAIL | EPERM)]));
  }
  const conditional = (call: SystemCall, body: readonly Instruction[]) => {
    const number = numberOf(call, architecture);
    if (refused.includes(call) && number !== null) filter.push(...when(number, body));
  };
  // Its flags are in memory, where a filter cannot look: libraries make threads by clone(2) then.
  conditional("clone3", [result(FAIL | ENOSYS)]);
  conditional("clone", [
    load(ARGUMENT(0)),
    jump(JUMP_ANY_BIT, CLONE_THREAD, 1, 0),
    result(FAIL | EPERM),
    result(ALLOW),
  ]);
  conditional("socket", [
    load(ARGUMENT(0)),
    jump(JUMP_EQUAL, UNIX, 6, 0),
    jump(JUMP_EQUAL, NETLINK, 5, 0),
    jump(JUMP_EQUAL, INET, 1, 0),
    jump(JUMP_EQUAL, INET6, 0, 4),
    load(ARGUMENT(1)),
    { code: AND, yes: 0, no: 0, value: TYPE },
    jump(JUMP_EQUAL, RAW, 1, 0),
    result(ALLOW),
    result(FAIL | EAFNOSUPPORT),
  ]);
  filter.push(result(ALLOW));
  return filter;
}

/** `sock_filter` structures, one behind the other. */
export function encodeFilter(filter: readonly Instruction[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(new ArrayBuffer(filter.length * 8));
  const view = new DataView(bytes.buffer);
  filter.forEach(({ code, yes, no, value }, i) => {
    view.setUint16(i * 8, code, true);
    view.setUint8(i * 8 + 2, yes);
    view.setUint8(i * 8 + 3, no);
    view.setUint32(i * 8 + 4, value, true);
  });
  return bytes;
}
