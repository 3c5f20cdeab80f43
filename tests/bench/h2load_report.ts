import type { LoadReport } from "./loads/load.ts";

const UNITS: Readonly<Record<string, number>> = { us: 1e-6, ms: 1e-3, s: 1, m: 60, h: 3600 };

function number(text: string, pattern: RegExp): number {
  const found = pattern.exec(text)?.[1];
  if (found === undefined) throw new Error(`not a report of h2load: ${text}`);
  return Number(found);
}

/**
 * Reads what h2load prints, without latencies. A failed gRPC call has status 200 too, but no message:
 * answers that are too short are errors.
 * @throws when it is not a report
 */
export function parseH2load(text: string, answerLength: number): LoadReport {
  const [, time, unit] = /^finished in ([\d.]+)(us|ms|s|m|h),/m.exec(text) ?? [];
  const done = number(text, /^requests: .* (\d+) succeeded,/m);
  const bytes = number(text, /^traffic: .*\((\d+)\) data$/m);
  const failed = ["failed", "errored", "timeout"].map((name) =>
    [name, number(text, new RegExp(`^requests: .* (\\d+) ${name}`, "m"))] as const
  );
  const errors = failed.filter(([, count]) => count > 0).map(([name, count]) => `${count} ${name}`);
  const expected = done * answerLength;
  if (bytes < expected) errors.push(`${bytes} bytes in answers that should have ${expected}`);
  return {
    done,
    bytes,
    seconds: Number(time) * UNITS[unit],
    p50: NaN,
    p99: NaN,
    errors: errors.join("; "),
  };
}

/** Microseconds of each request in what h2load writes with --log-file. */
export function latencies(text: string): number[] {
  const lines = text.split("\n").map((line) => Number(line.split("\t")[2]));
  return lines.filter(Number.isFinite);
}
