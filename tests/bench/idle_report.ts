import type { GateResult } from "./gates.ts";
import type { IdleResult } from "./idle.ts";
import { print } from "./print.ts";
import { reportErrors } from "./requests_report.ts";
import { shown } from "./statistics.ts";
import { table } from "./table.ts";

/** Greatest memory of 10,000 idle connections, in MB (10^6 bytes). */
const GATE = { plain: 250, tls: 400 };
/** Greatest growth of the native transport's, in MB. */
const GROWTH = { plain: 80, tls: 350 };
const GATE_CONNECTIONS = 10_000;

/** Prints one kind of connections; returns whether every one was opened and stayed. */
export function reportIdle(result: IdleResult): boolean {
  const { connections, tls, workers, proxies, leftOut } = result;
  print();
  print(
    `idle: resident memory with ${connections} idle ${tls ? "TLS" : "plain"} connections, ` +
      `each after one request, ${workers} workers`,
  );
  const rows = proxies.map(({ name, version, before, idle, open }) => [
    `${name} ${version}`,
    `${open}`,
    shown(before, 1),
    shown(idle, 1),
    shown(idle - before, 1),
    shown((idle - before) * 1000 / open, 1),
  ]);
  const header = ["proxy", "open", "without MB", "with MB", "growth MB", "kB/connection"];
  print(table([header, ...rows]));
  for (const line of leftOut) print(`left out: ${line}`);
  return reportErrors(proxies);
}

/** The gates of the idle bench: of the dataplane as a whole, and of what connections add to the native transport's. */
export function idleGates({ connections, tls, proxies }: IdleResult): GateResult[] {
  if (connections !== GATE_CONNECTIONS) return [];
  const gate = (of: string, limit: number, value: (before: number, idle: number) => number) => {
    const { before = NaN, idle = NaN, errors = [] } = proxies.find(({ name }) => name === of) ?? {};
    const measured = Number.isFinite(idle) && errors.length === 0;
    return {
      name: `idle: memory of ${of} with ${connections} ${tls ? "TLS" : "plain"} connections`,
      limit: `${limit} MB`,
      value: measured ? `${shown(idle, 1)} MB (growth ${shown(idle - before, 1)} MB)` : "-",
      met: measured ? value(before, idle) <= limit : null,
    };
  };
  return [
    gate("NovaEdge", tls ? GATE.tls : GATE.plain, (_before, idle) => idle),
    gate(
      "NovaEdge native",
      tls ? GROWTH.tls : GROWTH.plain,
      (before, idle) => idle - before,
    ),
  ];
}
