import { print } from "../bench/print.ts";
import { table } from "../bench/table.ts";
import type { Ledger } from "./ledger.ts";
import { megabytes, type Sample } from "./samples.ts";

const COLUMNS = [
  ...["min", "requests", "right", "backend", "client", "crash", "changes", "violations"],
  ...["heap MB", "external MB", "native MB", "fds", "clients", "upstream", "buffered"],
];

/** A row of the table: totals so far, and what the dataplane holds. */
export type Row = readonly string[];

export function rowOf(sample: Sample, ledger: Ledger, changes: number): Row {
  const { at, heap, external, native, descriptors, connections, upstream, buffered } = sample;
  return [
    at.toFixed(1),
    `${ledger.requests}`,
    `${ledger.count("right")}`,
    `${ledger.count("backend fault")}`,
    `${ledger.count("client abort")}`,
    `${ledger.count("worker crash")}`,
    `${changes}`,
    `${ledger.violationCount}`,
    megabytes(heap),
    megabytes(external),
    megabytes(native),
    ...[descriptors, connections, upstream, buffered].map(String),
  ];
}

export function printRows(rows: readonly Row[]): void {
  print();
  print(table([COLUMNS, ...rows]));
}

/** How requests ended, by traffic and cause. */
export function printEndings(ledger: Ledger): void {
  print();
  const rows = [...ledger.endings].toSorted(([a], [b]) => a < b ? -1 : 1);
  print(table([["ending", "count"], ...rows.map(([name, count]) => [name, `${count}`])]));
}

export function printReasons(reasons: ReadonlyMap<string, number>): void {
  print();
  print(table([["the edge's reasons", "count"], ...[...reasons].map(([r, n]) => [r, `${n}`])]));
}

export function printViolations({ violations, violationCount }: Ledger): void {
  if (violationCount === 0) return;
  print();
  print(`${violationCount} violations, of which the first:`);
  for (const violation of violations) print(`  ${violation}`);
}
