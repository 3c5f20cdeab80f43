import type { KubernetesOptions, KubernetesResult } from "./kubernetes.ts";
import { print } from "./print.ts";
import { percentile, shown } from "./statistics.ts";
import { table } from "./table.ts";

/** Greatest p95 from the write to the last old answer, in milliseconds, and the p99 that is aimed at. */
const GATE = 100;
const AIM = 30;
/** Greatest memory of the controller, in MB: 256 MiB. */
const MEMORY = 256 * 2 ** 20 / 1e6;

/** Prints what was measured; returns whether nothing was wrong, failed or lost. */
export function reportKubernetes(
  result: KubernetesResult,
  { routes, largeRoutes, changes, churn, rate, connections }: KubernetesOptions,
): boolean {
  const { times, writes, lost, sent, answered, wrong, failed, firstFailure, fanOut } = result;
  print();
  print(
    `kubernetes: ${routes} HTTPRoutes in 50 namespaces, ${result.services} Services of which ` +
      `${churn} change a second; ${changes} changes of one route, ${rate} requests/s over ` +
      `${connections} connections; ms after the write was sent`,
  );
  const columns = [["p50", 0.5], ["p95", 0.95], ["p99", 0.99], ["max", 1]] as const;
  const row = (name: string, values: readonly number[]) => [
    name,
    ...columns.map(([, fraction]) => shown(percentile(values, fraction), 1)),
  ];
  print(table([
    ["", ...columns.map(([name]) => name)],
    row("answer of the API server", writes),
    row("first new answer", times.map(({ firstNew }) => firstNew)),
    row("last old answer", times.map(({ lastOld }) => lastOld)),
    row(
      `${largeRoutes} routes, ${fanOut.agents} agents: the last one has it`,
      fanOut.lastAgent,
    ),
  ]));
  const clean = wrong + failed + lost === 0;
  print(
    `${times.length} changes seen, ${lost} lost; ${sent} requests, ${answered} answers, ${wrong} wrong, ` +
      `${failed} failed${firstFailure === "" ? "" : ` (first: ${firstFailure})`}; ` +
      `${result.churned} slices changed; the controller took ${
        shown(result.controllerLoad * 100, 0)
      } % of a core`,
  );
  const kinds = Object.entries(result.sliceKinds).map(([kind, count]) => `${count} ${kind}`);
  print(
    `one slice among ${largeRoutes} routes: ${
      kinds.join(", ")
    }, ${result.sliceBytes} bytes an agent`,
  );
  print(
    `${fanOut.agents} agents: ${shown(fanOut.firstBytes / 1e6, 2)} MB each at first, all within ` +
      `${shown(fanOut.firstAll, 0)} ms; a change of a route is ${
        shown(fanOut.bytes, 0)
      } bytes an agent ` +
      `and ${shown(fanOut.cpu, 1)} ms of the controller's CPU; the controller has ${
        shown(fanOut.controllerMegabytes, 0)
      } MB then`,
  );
  const old = times.map(({ lastOld }) => lastOld);
  const p95 = percentile(old, 0.95);
  const met = (good: boolean) => good ? "PASS" : "SHORT";
  print(
    `gate: p95 at most ${GATE} ms, none wrong, none failed: ${shown(p95, 1)} ms ${
      met(clean && p95 <= GATE)
    } (p99 ${shown(percentile(old, 0.99), 1)} ms, aim ${AIM})`,
  );
  const backends = result.sliceKinds.KIND_BACKEND === 1 && kinds.length === 1;
  print(`gate: one slice is one backend: ${met(backends)}`);
  print(
    `gate: controller at most ${shown(MEMORY, 0)} MB with ${largeRoutes} routes: ${
      shown(result.controllerMegabytes, 0)
    } MB ${met(result.controllerMegabytes <= MEMORY)}`,
  );
  return clean;
}
