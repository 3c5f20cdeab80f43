import { ratios, shownRatios } from "./gates.ts";
import { print } from "./print.ts";
import type { CaseResult, Round } from "./requests.ts";
import { median, shown } from "./statistics.ts";
import { table } from "./table.ts";

/** Prints one case; returns whether every proxy answered everything. */
export function reportCase({ name, case: plan, backend, load, ...result }: CaseResult): boolean {
  const find = (wanted: string) => result.proxies.find((proxy) => proxy.name === wanted);
  const nginx = find("nginx");
  const relay = find("relay");
  const { connections, streams, unit } = plan;
  print();
  print(`${name}: ${plan.title}`);
  print(
    `backend ${backend}, load ${load}, ${connections} connections` +
      (streams > 1 ? ` of ${streams} streams` : "") +
      `, ${Math.max(0, ...result.proxies.map(({ rounds }) => rounds.length))} rounds`,
  );
  const rows = result.proxies.map((proxy) => {
    const middle = (field: keyof Round, digits: number, factor = 1) =>
      shown(
        median(proxy.rounds.map((round) => round[field]).filter(Number.isFinite)) * factor,
        digits,
      );
    return [
      `${proxy.name} ${proxy.version}`,
      middle("cpu", 1),
      shownRatios(ratios(proxy, nginx)),
      ...(relay === undefined ? [] : [shownRatios(ratios(proxy, relay))]),
      middle("rate", 0),
      middle("busy", 0, 100),
      middle("p50", 2),
      middle("p99", 2),
      shown(proxy.rss, 0),
    ];
  });
  const header = [
    "proxy",
    `CPU us/${unit}`,
    "x nginx (min-max)",
    ...(relay === undefined ? [] : ["x relay (min-max)"]),
    `${unit}${unit === "MB" ? "" : "s"}/s`,
    "core %",
    "p50 ms",
    "p99 ms",
    "RSS MB",
  ];
  print(table([header, ...rows]));
  for (const line of result.leftOut) print(`left out: ${line}`);
  return reportErrors(result.proxies);
}

/** Prints what went wrong; returns whether nothing did. */
export function reportErrors(
  proxies: readonly { readonly name: string; readonly errors: readonly string[] }[],
): boolean {
  let clean = true;
  for (const proxy of proxies) {
    for (const error of proxy.errors) {
      clean = false;
      print(`ERROR ${proxy.name}: ${error}`);
    }
  }
  return clean;
}

/** How to read the tables, and what each proxy does besides forwarding: once for all cases. */
export function reportNotes(results: readonly CaseResult[]): void {
  const notes = new Map(
    results.flatMap(({ proxies }) => proxies.map(({ name, note }) => [name, note])),
  );
  print();
  print(
    "CPU, rates and latencies are medians over the rounds, ratios medians of the rounds' ratios;",
  );
  print(
    "core % below 100: not the proxy but backend and load, on the other core, or other work was the limit.",
  );
  for (const [name, note] of notes) print(`${name}: ${note}`);
}
