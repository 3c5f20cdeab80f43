import type { LoadReport } from "./loads/load.ts";

/** Milliseconds per unit in which wrk writes durations. */
const UNITS: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000, m: 60_000, h: 3.6e6 };

function milliseconds(text: string): number {
  const [, value, unit] = /^([\d.]+)(us|ms|s|m|h)$/.exec(text) ?? [];
  return unit === undefined ? NaN : Number(value) * UNITS[unit];
}

/**
 * Reads what `wrk --latency` prints, and the line of our script.
 * @throws when it is not a report
 */
export function parseWrk(text: string): LoadReport {
  const total = /^\s*(\d+) requests in ([\d.]+\w+),/m.exec(text);
  if (total === null) throw new Error(`not a report of wrk: ${text}`);
  const latency = (percent: string) =>
    milliseconds(new RegExp(`^\\s*${percent}%\\s+(\\S+)`, "m").exec(text)?.[1] ?? "");
  const errors = [
    /^\s*(Socket errors: .*)$/m.exec(text)?.[1],
    /^\s*(Non-2xx or 3xx responses: .*)$/m.exec(text)?.[1],
  ];
  return {
    done: Number(total[1]),
    bytes: Number(/^Bytes read: (\d+)$/m.exec(text)?.[1] ?? NaN),
    seconds: milliseconds(total[2]) / 1000,
    p50: latency("50"),
    p99: latency("99"),
    errors: errors.filter((error) => error !== undefined).join("; "),
  };
}
