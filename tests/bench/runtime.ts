import { fileURLToPath } from "node:url";

/** Root of the repository. */
export const ROOT = fileURLToPath(new URL("../../", import.meta.url));

const CONFIG = `${ROOT}deno.json`;

/** Command that runs one of our programs or scripts with the runtime that runs the bench. */
export function denoCommand(
  script: string,
  args: readonly string[],
  v8Flags: readonly string[] = [],
): string[] {
  return [
    Deno.execPath(),
    "run",
    "-A",
    "--no-prompt",
    "--quiet",
    `--config=${CONFIG}`,
    ...(v8Flags.length > 0 ? [`--v8-flags=${v8Flags.join(",")}`] : []),
    `${ROOT}${script}`,
    ...args,
  ];
}

/** Command of a raw backend that answers with a body of its own on each port of an address. */
export function rawBackendCommand(
  bodies: readonly (readonly [number, string])[],
  host = "127.0.0.1",
): string[] {
  const args = bodies.map(([port, body]) => `${port}=${body}`);
  return denoCommand("tests/bench/raw_backend.ts", [host, ...args]);
}
