import type { MemoryOptions, MemoryResult } from "./memory.ts";
import { print } from "./print.ts";
import { shown } from "./statistics.ts";
import { table } from "./table.ts";

/** Greatest memory with the larger number of routes, in MB (10^6 bytes). */
const GATE = 150;
/** Greatest growth per 1,000 routes, in MB. */
const GROWTH_GATE = 5;

/** Prints both sizes, the smaller one first; returns whether every request was answered. */
export function reportMemory(
  [small, large]: readonly [MemoryResult, MemoryResult],
  { load, idle }: MemoryOptions,
): boolean {
  print();
  print(
    `memory: resident memory of the dataplane in MB, 1 worker, ${load} s of load and ${idle} s idle`,
  );
  const rows = [small, large].map((result) => [
    `${result.routes} routes`,
    shown(result.beforeLoad, 1),
    shown(result.afterLoad, 1),
    shown(result.afterIdle, 1),
    shown(result.requestsPerSecond, 0),
  ]);
  print(table([["", "before load", "after load", "after idle", "requests/s"], ...rows]));
  const thousands = (large.routes - small.routes) / 1000;
  const growth = (large.afterIdle - small.afterIdle) / thousands;
  // After the load the garbage not collected yet, which differs from run to run, may outweigh the routes.
  const fresh = (large.beforeLoad - small.beforeLoad) / thousands;
  print(
    `gate: at most ${GATE} MB with ${large.routes} routes: ${shown(large.afterIdle, 1)} MB ` +
      (large.afterIdle <= GATE ? "PASS" : "SHORT"),
  );
  print(
    `gate: at most ${GROWTH_GATE} MB per 1,000 routes: ${shown(growth, 2)} MB ` +
      (growth <= GROWTH_GATE ? "PASS" : "SHORT") +
      ` (before the load ${shown(fresh, 2)} MB)`,
  );
  let clean = true;
  for (const { routes, errors } of [small, large]) {
    if (errors === "") continue;
    clean = false;
    print(`ERROR ${routes} routes: ${errors}`);
  }
  return clean;
}
