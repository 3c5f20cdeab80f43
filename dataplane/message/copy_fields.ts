import type { Buffer } from "node:buffer";
import { copy } from "./bytes.ts";
import type { HeaderBlock } from "./header_block.ts";

/** Copies the field lines whose id is not in `dropped`, in runs; returns the position after them. */
export function copyFields(block: HeaderBlock, dropped: number, out: Buffer, at: number): number {
  const { buffer, count } = block;
  let runStart = -1;
  let runEnd = -1;
  for (let i = 0; i < count; i++) {
    if ((dropped & (1 << block.id(i))) !== 0) {
      if (runStart >= 0) at = copy(buffer, runStart, runEnd, out, at);
      runStart = -1;
    } else {
      // Lines of one section need not lie behind one another: some may have been taken from tables.
      if (runStart >= 0 && block.nameStart(i) !== runEnd) {
        at = copy(buffer, runStart, runEnd, out, at);
        runStart = -1;
      }
      if (runStart < 0) runStart = block.nameStart(i);
      runEnd = block.lineEnd(i);
    }
  }
  return runStart >= 0 ? copy(buffer, runStart, runEnd, out, at) : at;
}

/** Upper bound of the bytes that `copyFields` writes. */
export function fieldsLength(block: HeaderBlock): number {
  let length = 0;
  for (let i = 0; i < block.count; i++) length += block.lineEnd(i) - block.nameStart(i);
  return length;
}
