/** Instructions of the classic packet filter that seccomp(2) runs (linux/filter.h, linux/seccomp.h). */

/** One instruction; jumps are relative to the next one. */
export interface Instruction {
  readonly code: number;
  readonly yes: number;
  readonly no: number;
  readonly value: number;
}

/** Instructions that end in a verdict on every path. */
export type Verdict = readonly Instruction[];

/** Codes: load a word of `seccomp_data`, bitwise and, return. */
const LOAD = 0x20;
const AND = 0x54;
const RETURN = 0x06;

/** Codes of conditional jumps. */
export const JUMP = { equal: 0x15, atLeast: 0x35, anyBit: 0x45 } as const;
const JUMP_ALWAYS = 0x05;
/** Farthest target of a conditional jump: its distance is a byte. */
const FARTHEST = 0xff;

/** Places in `seccomp_data`. */
export const CALL = 0;
export const ARCHITECTURE = 4;

const ALLOWED = 0x7fff_0000;
const FAILED = 0x0005_0000;
const KILLED_PROCESS = 0x8000_0000;

/** The call is made. */
export const ALLOW: Verdict = [result(ALLOWED)];
/** The process ends with SIGSYS. */
export const KILL: Verdict = [result(KILLED_PROCESS)];

function result(value: number): Instruction {
  return { code: RETURN, yes: 0, no: 0, value };
}

/** The call is not made and returns this error. */
export function fail(errno: number): Verdict {
  return [result(FAILED | errno)];
}

/** Loads the word at a place of `seccomp_data`. */
export function load(at: number): Instruction {
  return { code: LOAD, yes: 0, no: 0, value: at };
}

/** Runs `then` when the comparison holds, `otherwise` when it does not. */
export function branch(
  comparison: number,
  value: number,
  then: Verdict,
  otherwise: Verdict,
): Verdict {
  if (then.length <= FARTHEST) {
    return [{ code: comparison, yes: 0, no: then.length, value }, ...then, ...otherwise];
  }
  const over = { code: JUMP_ALWAYS, yes: 0, no: 0, value: then.length };
  return [{ code: comparison, yes: 1, no: 0, value }, over, ...then, ...otherwise];
}

/** Low word of an argument, on little-endian machines: the kernel takes the arguments compared here as 32 bits. */
function argument(index: number): Instruction {
  return load(16 + index * 8);
}

/**
 * Runs `then` when an argument is one of the values, `otherwise` when it is none of them.
 * @param mask bits of the argument that are compared, all when it is undefined
 */
export function whenOneOf(
  index: number,
  values: readonly number[],
  then: Verdict,
  otherwise: Verdict,
  mask?: number,
): Verdict {
  const last = values.length - 1;
  return [
    argument(index),
    ...(mask === undefined ? [] : [{ code: AND, yes: 0, no: 0, value: mask }]),
    ...values.map((value, i) => ({
      code: JUMP.equal,
      yes: last - i,
      no: i === last ? then.length : 0,
      value,
    })),
    ...then,
    ...otherwise,
  ];
}

/** Runs `then` when an argument has any of the bits, `otherwise` when it has none. */
export function whenAnyBit(
  index: number,
  bits: number,
  then: Verdict,
  otherwise: Verdict,
): Verdict {
  return [argument(index), ...branch(JUMP.anyBit, bits, then, otherwise)];
}

/** Encodes `sock_filter` structures, one behind the other. */
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
