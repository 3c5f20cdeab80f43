import { closeDebugger } from "./debugger.ts";
import { messageOf } from "./errors.ts";
import { FlagError, type FlagTable, type FlagValues, HelpRequested, parseFlags } from "./flags.ts";
import { redactText } from "./redact.ts";

/** Exit code for a wrong flag or an environment the program cannot run in. */
const EXIT_USAGE = 2;
const EXIT_FAILURE = 1;
/** Interrupts within this time count as one: a terminal and a wrapper may both send it. */
const INTERRUPT_WINDOW = 500;

/** What a process can be asked to do while it runs; a program puts in what it does then. */
export interface Asked {
  /** For SIGHUP: look at once at what is followed anyway. */
  reload: () => void;
  /** For SIGUSR1: open log files again, which were moved away. */
  reopen: () => void;
}

/** A program as `main.ts` starts it: runs until the signal is aborted, then ends in order. */
export type Program<T extends FlagTable> = (
  flags: FlagValues<T>,
  signal: AbortSignal,
  asked: Asked,
) => Promise<void>;

/**
 * What `read` makes of the command line. Ends the process where help was asked for, and with a line on
 * stderr where a flag is wrong.
 */
export function readCommandLine<T>(name: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof HelpRequested) {
      Deno.stdout.writeSync(new TextEncoder().encode(error.message));
      Deno.exit(0);
    }
    stderr(`${name}: ${redactText(messageOf(error))}\n`);
    Deno.exit(error instanceof FlagError ? EXIT_USAGE : EXIT_FAILURE);
  }
}

function stderr(text: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(text));
}

/**
 * Runs a program as the process: flags, signals, exit codes. SIGINT and SIGTERM end it in order with
 * exit code 0; a later one ends it at once. SIGHUP and SIGUSR1 end nothing.
 */
export async function runProgram<const T extends FlagTable>(
  name: string,
  table: T,
  program: Program<T>,
): Promise<never> {
  const flags = readCommandLine(
    name,
    () => parseFlags(name, table, Deno.args, (variable) => Deno.env.get(variable)),
  );
  const abort = new AbortController();
  let first = -Infinity;
  const onSignal = () => {
    const now = performance.now();
    if (!abort.signal.aborted) {
      first = now;
      abort.abort();
    } else if (now - first > INTERRUPT_WINDOW) Deno.exit(130);
  };
  Deno.addSignalListener("SIGINT", onSignal);
  Deno.addSignalListener("SIGTERM", onSignal);
  const asked: Asked = { reload() {}, reopen() {} };
  Deno.addSignalListener("SIGHUP", () => asked.reload());
  Deno.addSignalListener("SIGUSR1", () => {
    closeDebugger(() => stderr(`${name}: SIGUSR1: the runtime's debugger was closed\n`));
    asked.reopen();
  });
  try {
    await program(flags, abort.signal, asked);
  } catch (error) {
    stderr(`${name}: ${redactText(messageOf(error))}\n`);
    Deno.exit(error instanceof FlagError ? EXIT_USAGE : EXIT_FAILURE);
  }
  Deno.exit(0);
}

/** Resolves when the signal is aborted. */
export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) =>
    signal.addEventListener("abort", () => resolve(), { once: true })
  );
}
