import type { GateResult } from "../gates.ts";
import { print } from "../print.ts";
import { shown } from "../statistics.ts";
import { table } from "../table.ts";
import type { NeighbourResult } from "./neighbours.ts";

/** How often the p99 of a client may be its own without the attack, and memory beside it, in MB. */
const SLOWER = 5;
const MEMORY = 100;

/** Prints what each attack did; returns whether no request failed. */
export function reportNeighbours(transport: string, results: readonly NeighbourResult[]): boolean {
  print();
  print(`neighbours, ${transport}: one client attacks, another sends 100 requests a second`);
  const rows = results.map(({ attack, sent, failed, base, attacked, worst, memory, report }) => [
    attack,
    String(sent),
    String(failed),
    shown(base, 2),
    shown(attacked, 2),
    shown(attacked / base, 2),
    shown(worst, 1),
    shown(memory, 0),
    Object.entries(report).map(([name, value]) => `${name} ${value}`).join(", "),
  ]);
  const head = [
    "attack",
    "requests",
    "failed",
    "p99 ms",
    "beside it",
    "ratio",
    "worst",
    "MB above",
    "attacker",
  ];
  print(table([head, ...rows]));
  for (const { attack, failed, firstFailure } of results) {
    if (failed > 0) print(`${attack}: ${failed} failed: ${firstFailure}`);
  }
  return results.every(({ failed }) => failed === 0);
}

/** The gates of the bench. */
export function neighbourGates(
  transport: string,
  results: readonly NeighbourResult[],
): GateResult[] {
  return results.flatMap(({ attack, base, attacked, memory }) => [
    {
      name: `neighbours, ${transport}, ${attack}: p99 beside it`,
      limit: `${SLOWER} x ${shown(base, 2)} ms`,
      value: `${shown(attacked, 2)} ms`,
      met: attacked <= SLOWER * base,
    },
    {
      name: `neighbours, ${transport}, ${attack}: memory`,
      limit: `${MEMORY} MB above`,
      value: `${shown(memory, 0)} MB`,
      met: memory <= MEMORY,
    },
  ]);
}
