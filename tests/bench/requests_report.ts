import { print } from "./print.ts";
import type { CaseResult, ProxyResult, Round } from "./requests.ts";
import { median, shown, spread } from "./statistics.ts";
import { table } from "./table.ts";

/** Ratios of CPU time per request to another proxy's, round by round. */
export function ratios(of: ProxyResult, to: ProxyResult | undefined): number[] {
  if (to === undefined) return [];
  return of.rounds.map(({ cpu }, round) => cpu / to.rounds[round]?.cpu).filter(Number.isFinite);
}

function cell(values: readonly number[]): string {
  const [low, high] = spread(values);
  return values.length === 0
    ? "-"
    : `${shown(median(values), 2)} (${shown(low, 2)}-${shown(high, 2)})`;
}

/** Prints one case; returns whether every proxy answered everything. */
export function reportCase({ name, case: plan, backend, load, ...result }: CaseResult): boolean {
  const find = (wanted: string) => result.proxies.find((proxy) => proxy.name === wanted);
  const nginx = find("nginx");
  const relay = find("relay");
  const ours = find("NovaEdge");
  print();
  print(`${name}: ${plan.title}`);
  print(`backend ${backend}, load ${load}, ${nginx?.rounds.length ?? 0} rounds`);
  const rows = result.proxies.map((proxy) => {
    const middle = (field: keyof Round, digits: number, unit = 1) =>
      shown(
        median(proxy.rounds.map((round) => round[field]).filter(Number.isFinite)) * unit,
        digits,
      );
    return [
      `${proxy.name} ${proxy.version}`,
      middle("cpu", 1),
      cell(ratios(proxy, nginx)),
      cell(ratios(proxy, relay)),
      middle("requestsPerSecond", 0),
      middle("busy", 0, 100),
      middle("p50", 2),
      middle("p99", 2),
      shown(proxy.rss, 0),
    ];
  });
  const header = [
    "proxy",
    "CPU us/request",
    "x nginx (min-max)",
    "x relay (min-max)",
    "requests/s",
    "core %",
    "p50 ms",
    "p99 ms",
    "RSS MB",
  ];
  print(table([header, ...rows]));
  if (plan.gate !== null && ours !== undefined) {
    print(gateLine(`CPU per request at most ${plan.gate} x nginx`, plan.gate, ratios(ours, nginx)));
  }
  for (const missing of result.missing) print(`missing: ${missing} is not installed`);
  let clean = true;
  for (const proxy of result.proxies) {
    for (const error of proxy.errors) {
      clean = false;
      print(`ERROR ${proxy.name}: ${error}`);
    }
  }
  return clean;
}

function gateLine(what: string, gate: number, measured: readonly number[]): string {
  const value = median(measured);
  if (Number.isNaN(value)) return `gate: ${what}: not measured`;
  return `gate: ${what}: ${shown(value, 2)} ${value <= gate ? "PASS" : "SHORT"}`;
}

/** How to read the tables, and what each proxy does besides forwarding: once for all cases. */
export function reportNotes(results: readonly CaseResult[]): void {
  const notes = new Map(
    results.flatMap(({ proxies }) => proxies.map(({ name, note }) => [name, note])),
  );
  print();
  print(
    "CPU, requests/s and latencies are medians over the rounds, ratios medians of the rounds' ratios;",
  );
  print(
    "core % below 100: not the proxy but backend and load, on the other core, or other work was the limit.",
  );
  for (const [name, note] of notes) print(`${name}: ${note}`);
}
