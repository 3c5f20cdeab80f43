import { fileURLToPath } from "node:url";

/** Root of the repository. */
export const ROOT = fileURLToPath(new URL("../../", import.meta.url));

const CONFIG = `${ROOT}deno.json`;

/** Command that runs a script of the bench with the runtime that runs the bench. */
export function denoCommand(script: string, args: readonly string[]): string[] {
  return [
    Deno.execPath(),
    "run",
    "-A",
    "--no-prompt",
    "--quiet",
    `--config=${CONFIG}`,
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
