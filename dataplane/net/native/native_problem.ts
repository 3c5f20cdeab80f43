import { Descriptors, DESCRIPTORS_SIZE } from "./descriptors.ts";
import { Libc } from "./libc.ts";
import { OpenSsl } from "./openssl.ts";

const ARCHITECTURES: readonly string[] = ["x86_64", "aarch64"];

/** Why the native transport cannot be used on this machine, "" when it can. */
export function nativeProblem(): string {
  const { os, arch } = Deno.build;
  if (os !== "linux" || !ARCHITECTURES.includes(arch)) {
    return `needs Linux on x86_64 or arm64, this is ${os} on ${arch}`;
  }
  if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") {
    return "needs --allow-ffi, as the tasks start:native and dataplane:native have it";
  }
  try {
    new Libc(new Descriptors(new SharedArrayBuffer(DESCRIPTORS_SIZE), 0));
  } catch (error) {
    return `needs glibc: ${firstLine(error)}`;
  }
  try {
    new OpenSsl();
  } catch (error) {
    return `needs OpenSSL 3 (libssl.so.3 and libcrypto.so.3): ${firstLine(error)}`;
  }
  return "";
}

function firstLine(error: unknown): string {
  return (error as Error).message.split("\n")[0];
}
