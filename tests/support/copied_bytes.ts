import { Buffer } from "node:buffer";

const typedArray = Object.getPrototypeOf(Uint8Array.prototype);

/** Counts the bytes that `set`, `Buffer.from` and `Buffer.concat` copy while `run` runs. */
export function copiedBytes(run: () => void): number {
  const { set } = typedArray;
  const { from, concat } = Buffer;
  let copied = 0;
  let inner = false;
  /** Counts once where one of the functions calls another. */
  const counted = <T>(bytes: number, call: () => T): T => {
    if (inner) return call();
    copied += bytes;
    inner = true;
    try {
      return call();
    } finally {
      inner = false;
    }
  };
  typedArray.set = function (source: Uint8Array, at?: number) {
    return counted(source.length, () => set.call(this, source, at));
  };
  Buffer.from =
    ((source: Uint8Array, ...rest: []) =>
      counted(source.length, () => from.call(Buffer, source, ...rest))) as typeof Buffer.from;
  Buffer.concat = (list: readonly Uint8Array[], total?: number) =>
    counted(
      list.reduce((sum, { length }) => sum + length, 0),
      () => concat.call(Buffer, list, total),
    );
  try {
    run();
  } finally {
    typedArray.set = set;
    Buffer.from = from;
    Buffer.concat = concat;
  }
  return copied;
}
