import pino, { type Logger as PinoLogger } from "pino";
import { isSecretName, REDACTED, redactText, redactTree } from "./redact.ts";

/** Structured logger of the control programs; `child` adds fields. */
export type Logger = PinoLogger;

export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

const LABEL: Readonly<Record<string, string>> = {
  "10": "trace",
  "20": "debug",
  "30": "info",
  "40": "warn",
  "50": "error",
  "60": "fatal",
};
const HIDDEN = new Set(["level", "time", "program", "msg"]);

/** Text without control characters: a value must not be able to draw on a terminal or forge a line. */
function visible(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

/** One record as a line for people: time, level, program, message, then the other fields. */
export function humanLine(json: string): string {
  const record = JSON.parse(json) as Record<string, unknown>;
  const fields = Object.entries(record)
    .filter(([name]) => !HIDDEN.has(name))
    .map(([name, value]) =>
      `${name}=${typeof value === "string" ? visible(value) : JSON.stringify(value)}`
    );
  const time = String(record.time).slice(11, 19);
  const head = `${time} ${
    String(LABEL[String(record.level)] ?? record.level).padEnd(5)
  } ${record.program}`;
  return [`${head}: ${visible(String(record.msg ?? ""))}`, ...fields].join(" ") + "\n";
}

/** Returns a record without secrets: errors of libraries and of peers quote their input. */
function redactedLine(json: string): string {
  const record = JSON.parse(json) as Record<string, unknown>;
  const shown = Object.entries(record).map(([name, value]) => [
    name,
    typeof value !== "string"
      ? redactTree(value)
      : isSecretName(name)
      ? REDACTED
      : redactText(value),
  ]);
  return `${JSON.stringify(Object.fromEntries(shown))}\n`;
}

/**
 * Makes the logger of one program: JSON lines on standard error, or lines for people on a terminal. Secrets
 * are redacted in each.
 * @param write receives each finished line; standard error by default
 */
export function createLogger(
  program: string,
  level: LogLevel,
  options: { human?: boolean; write?: (line: string) => void } = {},
): Logger {
  const human = options.human ?? Deno.stderr.isTerminal();
  const encoder = new TextEncoder();
  const write = options.write ??
    ((line: string) => void Deno.stderr.writeSync(encoder.encode(line)));
  return pino(
    { level, base: { program }, timestamp: pino.stdTimeFunctions.isoTime },
    {
      write: (line: string) => {
        const shown = redactedLine(line);
        write(human ? humanLine(shown) : shown);
      },
    },
  );
}
