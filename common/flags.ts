import { parseArgs } from "node:util";
import { NovaEdgeError } from "./errors.ts";
import { VERSION } from "./version.ts";

/** One command-line flag; its environment variable is NOVAEDGE_ and the name in capitals. */
export interface Flag {
  readonly type: "string" | "integer" | "boolean";
  readonly default: string | number | boolean;
  readonly help: string;
  /** Smallest and largest integer. */
  readonly range?: readonly [number, number];
  readonly choices?: readonly string[];
}

export type FlagTable = Readonly<Record<string, Flag>>;

type ValueOf<F extends Flag> = F["type"] extends "integer" ? number
  : F["type"] extends "boolean" ? boolean
  : string;

/** Values by flag name. */
export type FlagValues<T extends FlagTable> = { readonly [K in keyof T]: ValueOf<T[K]> };

/** A flag that cannot be used; programs print the message and exit with 2. */
export class FlagError extends NovaEdgeError {
  constructor(message: string) {
    super("FLAG", message);
  }
}

/** Thrown for --help and --version; `message` is the text to print. */
export class HelpRequested extends NovaEdgeError {
  constructor(text: string) {
    super("HELP", text);
  }
}

/** Environment variable of a flag. */
export function variableOf(flag: string): string {
  return `NOVAEDGE_${flag.toUpperCase().replaceAll("-", "_")}`;
}

/**
 * Reads flags: command line, then environment, then default.
 * @throws {FlagError} with one line that names the flag and what is wrong
 * @throws {HelpRequested} for --help and --version
 */
export function parseFlags<const T extends FlagTable>(
  program: string,
  table: T,
  args: readonly string[],
  environment: (name: string) => string | undefined,
): FlagValues<T> {
  const options = Object.fromEntries(
    Object.entries(table).map(([name, flag]) => [
      name,
      { type: flag.type === "boolean" ? "boolean" as const : "string" as const },
    ]),
  );
  let given: Record<string, string | boolean | undefined>;
  try {
    const parsed = parseArgs({
      args: [...args],
      options: {
        ...options,
        help: { type: "boolean", short: "h" },
        version: { type: "boolean" },
      },
      allowPositionals: false,
      allowNegative: true,
    });
    given = parsed.values as Record<string, string | boolean | undefined>;
  } catch (error) {
    throw new FlagError(`${firstSentence((error as Error).message)} (--help lists the flags)`);
  }
  if (given.help === true) throw new HelpRequested(helpText(program, table));
  if (given.version === true) throw new HelpRequested(versionLine(program));
  const values: Record<string, string | number | boolean> = {};
  for (const [name, flag] of Object.entries(table)) {
    const raw = given[name] ?? environment(variableOf(name));
    values[name] = raw === undefined ? flag.default : convert(name, flag, raw);
  }
  return values as FlagValues<T>;
}

function firstSentence(text: string): string {
  return text.split(/\. |\n/, 1)[0];
}

function convert(name: string, flag: Flag, raw: string | boolean): string | number | boolean {
  if (flag.type === "boolean") {
    if (typeof raw === "boolean") return raw;
    if (raw === "true" || raw === "1") return true;
    if (raw === "false" || raw === "0") return false;
    throw new FlagError(`--${name} must be true or false, not "${raw}"`);
  }
  const text = String(raw);
  if (flag.type === "integer") {
    const [low, high] = flag.range ?? [0, Number.MAX_SAFE_INTEGER];
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < low || value > high) {
      throw new FlagError(`--${name} must be a whole number from ${low} to ${high}, not "${text}"`);
    }
    return value;
  }
  if (flag.choices !== undefined && !flag.choices.includes(text)) {
    throw new FlagError(`--${name} must be one of ${flag.choices.join(", ")}, not "${text}"`);
  }
  return text;
}

function helpText(program: string, table: FlagTable): string {
  const rows = Object.entries(table).map(([name, flag]) => {
    const value = flag.type === "boolean" ? "" : flag.type === "integer" ? " N" : " TEXT";
    const shown = flag.default === "" ? "" : ` [${flag.default}]`;
    return `  ${`--${name}${value}`.padEnd(28)} ${flag.help}${shown}`;
  });
  return [
    `Usage: ${program} [flags]`,
    "",
    "Flags, each also as an environment variable (--log-level is NOVAEDGE_LOG_LEVEL):",
    ...rows,
    `  ${"--help".padEnd(28)} this text`,
    `  ${"--version".padEnd(28)} versions of the program and of the runtime`,
    "",
  ].join("\n");
}

/** What --version prints. */
function versionLine(program: string): string {
  return `${program} ${VERSION} (deno ${Deno.version.deno})\n`;
}
