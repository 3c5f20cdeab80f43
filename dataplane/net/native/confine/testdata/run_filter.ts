import type { Instruction } from "../bpf.ts";

/** Runs a filter as the kernel does; the word that it returns, and how many instructions that took. */
export function runFilter(
  filter: readonly Instruction[],
  architecture: number,
  call: number,
  args: readonly number[] = [],
): { readonly result: number; readonly steps: number } {
  const data = new DataView(new ArrayBuffer(64));
  data.setUint32(0, call, true);
  data.setUint32(4, architecture, true);
  args.forEach((value, i) => data.setUint32(16 + 8 * i, value, true));
  let accumulator = 0;
  let steps = 0;
  for (let at = 0;; at++) {
    steps++;
    const { code, yes, no, value } = filter[at];
    if (code === 0x20) accumulator = data.getUint32(value, true);
    else if (code === 0x54) accumulator = (accumulator & value) >>> 0;
    else if (code === 0x05) at += value;
    else if (code === 0x06) return { result: value >>> 0, steps };
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
