import { type GateResult, shownRatios } from "./gates.ts";
import { type LatencyProxy, type LatencyResult, type LatencyRound, PACE } from "./latency.ts";
import { print } from "./print.ts";
import { reportErrors } from "./requests_report.ts";
import { median, shown } from "./statistics.ts";
import { table } from "./table.ts";

/** Greatest p99 of the native transport, in multiples of nginx's. */
const LIMIT = 1.5;

function ratiosOf(of: LatencyProxy | undefined, to: LatencyProxy | undefined): number[] {
  if (of === undefined || to === undefined) return [];
  return of.rounds.map(({ p99 }, round) => p99 / to.rounds[round]?.p99).filter(Number.isFinite);
}

/** Prints the figures; false when requests failed. */
export function reportLatency({ rate, proxies }: LatencyResult): boolean {
  print();
  print(`latency: 1,000 routes, one of them asked for, ${rate} requests/s: half of ${PACE}'s most`);
  const pace = proxies.find(({ name }) => name === PACE);
  const rows = proxies.map((proxy) => {
    const middle = (field: keyof LatencyRound, digits = 2) =>
      shown(median(proxy.rounds.map((round) => round[field])), digits);
    return [
      `${proxy.name} ${proxy.version}`,
      middle("p50"),
      middle("p99"),
      shownRatios(ratiosOf(proxy, pace)),
      middle("rate", 0),
    ];
  });
  print(table([["proxy", "p50 ms", "p99 ms", `p99 x ${PACE} (min-max)`, "requests/s"], ...rows]));
  return reportErrors(proxies);
}

export function latencyGates({ proxies }: LatencyResult): GateResult[] {
  const find = (wanted: string) => proxies.find(({ name }) => name === wanted);
  const values = ratiosOf(find("NovaEdge native"), find(PACE));
  return [{
    name: "latency: p99 of NovaEdge native at half of the greatest rate",
    limit: `${LIMIT} x ${PACE}`,
    value: shownRatios(values),
    met: values.length === 0 ? null : median(values) <= LIMIT,
  }];
}
