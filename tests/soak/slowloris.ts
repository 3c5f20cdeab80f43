/**
 * Slow connections by the thousand beside normal traffic: rounds without and with the attack. Exit code
 * 1 when a normal request failed, a slow connection outlived its timer, something stayed open, or the
 * attack was felt: the median of the rounds' p99 with it above three times that without.
 *
 * Usage: slowloris.ts [--rounds N] [--connections N] [--rate N] [--seconds N]
 */
import { join } from "node:path";
import { parseFlags } from "../../common/flags.ts";
import { readCommandLine } from "../../common/program.ts";
import { print, progress } from "../bench/print.ts";
import { median, percentile } from "../bench/statistics.ts";
import { table } from "../bench/table.ts";
import { backend, documents, Edge, gateway, route } from "../support/edge.ts";
import { freePort, Program } from "../support/programs.ts";
import { pause } from "./dice.ts";
import { Metrics } from "../support/metrics.ts";
import { openFilesOf, raiseOpenFiles } from "./open_files.ts";
import type { SlowReport } from "./slow_clients.ts";
import { SteadyLoad } from "./steady_load.ts";

const FLAGS = {
  "rounds": { type: "integer", default: 5, range: [1, 100], help: "rounds" },
  "connections": { type: "integer", default: 5_000, range: [1, 20_000], help: "slow connections" },
  "rate": { type: "integer", default: 500, range: [1, 5_000], help: "normal requests per second" },
  "seconds": { type: "integer", default: 10, range: [1, 600], help: "of a round without attack" },
} as const;

const GATE = 3;
const NORMAL_CONNECTIONS = 32;
/** Seconds before the first round: code gets compiled, connections open. */
const WARM_UP = 5;
/** Milliseconds between rounds. */
const SETTLE = 2_000;
/** Milliseconds that the edge may be slower than its timer: it looks every 100 ms, and is busy. */
const TIMER = { least: 9_500, most: 15_000 } as const;

interface Round {
  readonly base: number;
  readonly attack: number;
  readonly report: SlowReport;
}

const flags = readCommandLine(
  "slowloris",
  () => parseFlags("slowloris", FLAGS, Deno.args, () => undefined),
);
const violations: string[] = [];
const backendPort = freePort();
await using normal = program("../bench/raw_backend.ts", [`${backendPort}=normal`]);
const port = freePort();
await using edge = await Edge.start({
  "all.yaml": documents(gateway("edge", port), route("all", "b"), backend("b", backendPort)),
});
const needed = flags.connections + 2_000;
await raiseOpenFiles(edge.dataplane.process.pid, needed);
const allowed = openFilesOf(edge.dataplane.process.pid);
if (allowed < needed) violations.push(`only ${allowed} open files allowed, ${needed} needed`);

const rounds: Round[] = [];
const load = new SteadyLoad(port, NORMAL_CONNECTIONS, flags.rate);
await pause(WARM_UP * 1000);
const before = await openAt();
for (let i = 1; i <= flags.rounds; i++) {
  load.takeTimes();
  await pause(flags.seconds * 1000);
  const base = percentile(load.takeTimes(), 0.99);
  const report = await attack();
  const attacked = percentile(load.takeTimes(), 0.99);
  rounds.push({ base, attack: attacked, report });
  progress(`round ${i}: p99 ${base.toFixed(2)} ms, with attack ${attacked.toFixed(2)} ms`);
  judge(report, i);
  await pause(SETTLE);
}
const { failed, firstFailure, sent } = load;
if (failed > 0) violations.push(`${failed} normal requests failed: ${firstFailure}`);
const after = await openAt();
// Normal traffic may need another pooled connection when it was held up; slow clients need none.
if (after.clients !== before.clients) {
  violations.push(`${before.clients} open connections became ${after.clients}`);
}
load[Symbol.dispose]();
await pause(SETTLE);
const rest = await openAt();
if (rest.clients !== 0 || rest.buffered !== 0) {
  violations.push(`without clients ${rest.clients} connections, ${rest.buffered} bytes are left`);
}

const base = median(rounds.map((round) => round.base));
const attacked = median(rounds.map((round) => round.attack));
if (!(attacked <= GATE * base)) violations.push(`p99 with attack above ${GATE} times the base`);
print();
print(table([
  ["round", "p99 ms", "with attack", "timed out", "otherwise", "shortest s", "longest s"],
  ...rounds.map(({ base, attack, report }, i) => [
    ...[`${i + 1}`, base.toFixed(2), attack.toFixed(2)],
    ...[report.timedOut, report.otherwise].map(String),
    ...[report.shortest, report.longest].map((ms) => (ms / 1000).toFixed(1)),
  ]),
]));
for (const violation of violations) print(`violation: ${violation}`);
print();
print(
  `${violations.length === 0 ? "ok" : "FAILED"}: ${sent} normal requests, ${failed} failed, ` +
    `median p99 ${base.toFixed(2)} ms, with attack ${attacked.toFixed(2)} ms ` +
    `(${(attacked / base).toFixed(2)} times)`,
);
await edge[Symbol.asyncDispose]();
await normal.end("SIGKILL");
Deno.exit(violations.length === 0 ? 0 : 1);

function program(file: string, args: readonly string[]): Program {
  const script = join(import.meta.dirname!, file);
  return new Program(file, Deno.execPath(), ["run", "-A", "--no-check", script, ...args]);
}

/** Runs one attack until the edge has ended its last connection. */
async function attack(): Promise<SlowReport> {
  const slow = program("slow_clients.ts", [`${port}`, `${flags.connections}`]);
  await slow.process.status;
  await slow.end();
  const line = slow.lines.find((candidate) => candidate.startsWith("{"));
  if (line === undefined) throw new Error(`the attack failed:\n${slow.lines.join("\n")}`);
  return JSON.parse(line) as SlowReport;
}

function judge(report: SlowReport, round: number): void {
  if (report.otherwise > 0) {
    violations.push(
      `round ${round}: ${report.otherwise} slow connections ended otherwise: ${report.firstOther}`,
    );
  }
  if (report.shortest < TIMER.least || report.longest > TIMER.most) {
    violations.push(`round ${round}: lives of ${report.shortest} to ${report.longest} ms`);
  }
}

async function openAt(): Promise<{ clients: number; buffered: number }> {
  const metrics = await Metrics.read(edge);
  return {
    clients: metrics.sum("novaedge_connections_open"),
    buffered: metrics.sum("novaedge_buffered_bytes"),
  };
}
