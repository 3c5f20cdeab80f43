import type { CaseResult, ProxyResult } from "./requests.ts";
import { median, shown, spread } from "./statistics.ts";
import { print } from "./print.ts";
import { table } from "./table.ts";

/** What a figure is to be, and what it is. */
export interface GateResult {
  readonly name: string;
  readonly limit: string;
  readonly value: string;
  /** Null when it was not measured. */
  readonly met: boolean | null;
}

/** Ratios of CPU time per unit to another proxy's, round by round. */
export function ratios(of: ProxyResult, to: ProxyResult | undefined): number[] {
  if (to === undefined) return [];
  return of.rounds.map(({ cpu }, round) => cpu / to.rounds[round]?.cpu).filter(Number.isFinite);
}

/** The median of ratios, with the smallest and the largest; "-" without any. */
export function shownRatios(values: readonly number[]): string {
  const [low, high] = spread(values);
  return values.length === 0
    ? "-"
    : `${shown(median(values), 2)} (${shown(low, 2)}-${shown(high, 2)})`;
}

/** The gates of a case: this gateway's CPU time beside other proxies'. */
export function gatesOf({ name, case: plan, proxies }: CaseResult): GateResult[] {
  const find = (wanted: string) => proxies.find((proxy) => proxy.name === wanted);
  return plan.gates.map(({ of, against, limit }) => {
    const ours = find(of);
    const measured = ours === undefined ? [] : ratios(ours, find(against));
    return {
      name: `${name}: CPU per ${plan.unit} of ${of}`,
      limit: `${shown(limit, 2)} x ${against}`,
      value: shownRatios(measured),
      met: measured.length === 0 ? null : median(measured) <= limit,
    };
  });
}

/** Prints gates as a table; nothing without any. */
export function reportGates(gates: readonly GateResult[]): void {
  if (gates.length === 0) return;
  print();
  const rows = gates.map(({ name, limit, value, met }) => [
    name,
    limit,
    value,
    met === null ? "not measured" : met ? "PASS" : "SHORT",
  ]);
  print(table([["gate", "at most", "value", "met"], ...rows]));
}
