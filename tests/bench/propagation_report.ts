import { print } from "./print.ts";
import type { PropagationOptions, PropagationResult } from "./propagation.ts";
import { percentile, shown } from "./statistics.ts";
import { table } from "./table.ts";

/** Greatest p99 from the rename to the last old answer, in milliseconds. */
const GATE = 30;

const LAYOUT_NAMES = { files: "a file a route", file: "one file" } as const;

/** Prints all layouts; returns whether nothing was wrong, failed or lost. */
export function reportPropagation(
  results: readonly PropagationResult[],
  { changes, rate, connections }: PropagationOptions,
): boolean {
  print();
  print(
    `propagation: ${changes} changes of one route by rename, ${rate} requests/s over ${connections}` +
      ` connections, 2 workers; ms after the rename, steps of ${shown(1000 / rate, 0)} ms`,
  );
  const columns = [["p50", 0.5], ["p95", 0.95], ["p99", 0.99], ["max", 1]] as const;
  const row = (name: string, values: readonly number[]) => [
    name,
    ...columns.map(([, fraction]) => shown(percentile(values, fraction), 1)),
  ];
  const rows = results.flatMap(({ layout, routes, times }) => [
    row(
      `${routes} routes, ${LAYOUT_NAMES[layout]}: last old answer`,
      times.map((t) => t.lastOld),
    ),
    row(
      `${routes} routes, ${LAYOUT_NAMES[layout]}: first new answer`,
      times.map((t) => t.firstNew),
    ),
  ]);
  print(table([["", ...columns.map(([name]) => name)], ...rows]));
  let clean = true;
  for (const result of results) {
    const { layout, times, lost, sent, answered, wrong, failed, firstFailure } = result;
    const p99 = percentile(times.map(({ lastOld }) => lastOld), 0.99);
    const good = wrong + failed + lost === 0;
    clean &&= good;
    print(
      `${LAYOUT_NAMES[layout]}: ${times.length} changes seen, ${lost} lost; ${sent} requests, ` +
        `${answered} answers, ${wrong} wrong, ${failed} failed` +
        (firstFailure === "" ? "" : ` (first: ${firstFailure})`),
    );
    print(
      `gate: ${LAYOUT_NAMES[layout]}: p99 at most ${GATE} ms, none wrong, none failed: ` +
        `${shown(p99, 1)} ms ${good && p99 <= GATE ? "PASS" : "SHORT"}`,
    );
  }
  return clean;
}
