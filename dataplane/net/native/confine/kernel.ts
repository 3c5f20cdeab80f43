import { SystemError } from "../libc.ts";

const SYMBOLS = {
  syscall: { parameters: ["i64", "u64", "u64", "u64", "u64", "u64"], result: "i64" },
  __errno_location: { parameters: [], result: "pointer" },
} as const;

/** Makes system calls by number, whose result is the error's number below 0 when one fails. */
export type Kernel = (call: number, args: readonly bigint[]) => number;

/** Returns the kernel that this thread runs on. @throws {Error} where the C library is not glibc's */
export function runningKernel(): Kernel {
  const { syscall, __errno_location } = Deno.dlopen("libc.so.6", SYMBOLS).symbols;
  const place = __errno_location();
  const errno = new Int32Array(Deno.UnsafePointerView.getArrayBuffer(place!, 4));
  return (call, [a = 0n, b = 0n, c = 0n, d = 0n, e = 0n]) => {
    const result = Number(syscall(BigInt(call), a, b, c, d, e));
    return result < 0 ? -errno[0] : result;
  };
}

/** Returns a result that is not an error. @throws {SystemError} */
export function checked(call: string, result: number): number {
  if (result < 0) throw new SystemError(call, -result);
  return result;
}

/** Returns where bytes are; they must outlive the call. */
export function addressOf(bytes: Uint8Array<ArrayBuffer>): bigint {
  return Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes));
}
