import { messageOf } from "../common/errors.ts";
import { redactText } from "../common/redact.ts";

/** Exit codes: what was asked about is bad, and the command itself is. */
export const EXIT = { refused: 1, usage: 2 } as const;

const encoder = new TextEncoder();

/** Writes to standard output. */
export function print(text: string): void {
  Deno.stdout.writeSync(encoder.encode(text));
}

/** Writes to standard error. */
export function complain(text: string): void {
  Deno.stderr.writeSync(encoder.encode(text));
}

/** Ends the program with a message. */
export function fail(message: string, code: number): never {
  complain(`novaedgectl: ${redactText(message)}\n`);
  Deno.exit(code);
}

/** Returns what a flag gives, or ends the program where the flag is wrong. */
export function usable<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    return fail(messageOf(error), EXIT.usage);
  }
}
