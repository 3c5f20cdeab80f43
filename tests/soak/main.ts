/**
 * Mixed traffic against a running edge for some minutes: clients that leave at any byte, backends that
 * fail at any byte, a change of the configuration each second. Every answer is compared with what its
 * request was promised, and memory and descriptors are watched. With --crash a worker crashes each
 * minute. Exit code 1 on any violation.
 *
 * Usage: main.ts [--minutes N] [--transport node|native] [--crash]
 */
import { print, progress } from "../bench/print.ts";
import { parseFlags } from "../../common/flags.ts";
import { readCommandLine } from "../../common/program.ts";
import { TRANSPORTS } from "../../dataplane/net/create_transport.ts";
import { Changer } from "./changes.ts";
import { Crashes } from "./crashes.ts";
import { pause } from "./dice.ts";
import { startEdge } from "./edge_scene.ts";
import { checkMemory, checkReasons, checkRest, checkStill, restingSample } from "./final_checks.ts";
import { Gate } from "./gate.ts";
import { Ledger } from "./ledger.ts";
import { Links } from "./links.ts";
import { Metrics } from "../support/metrics.ts";
import {
  printEndings,
  printReasons,
  printRows,
  printViolations,
  type Row,
  rowOf,
} from "./report.ts";
import { type Sample, takeSample } from "./samples.ts";
import { startTraffic } from "./traffic/users.ts";

const FLAGS = {
  "minutes": { type: "integer", default: 10, range: [1, 10_000], help: "how long" },
  "transport": {
    type: "string",
    default: "node",
    choices: TRANSPORTS,
    help: "who carries the dataplane's streams",
  },
  "crash": { type: "boolean", default: false, help: "make a worker crash each minute" },
} as const;

const MINUTE = 60_000;
/** Samples of memory in a run; never more than a minute apart. */
const SAMPLES = 10;

const flags = readCommandLine(
  "soak",
  () => parseFlags("soak", FLAGS, Deno.args, () => undefined),
);
const ledger = new Ledger();
const links = new Links();
const gate = new Gate();
const scene = await startEdge(ledger, flags.transport);
const { edge, ports, authority } = scene;
const changer = new Changer(edge, scene.first, scene.files, scene.pairs, ledger);
const crashes = new Crashes(edge, ledger, links);
const before = await takeSample(edge, 0);
const rows: Row[] = [rowOf(before, ledger, 0)];
const samples: Sample[] = [];
const users = startTraffic({ ports, gate, ledger, links, authority });
changer.start();

const start = performance.now();
const minutesSince = () => (performance.now() - start) / MINUTE;
const interval = Math.min(1, flags.minutes / SAMPLES);
for (let i = 1; minutesSince() < flags.minutes; i++) {
  const until = Math.min(flags.minutes, i * interval);
  // In the middle of each minute.
  if (flags.crash && Math.floor(until + 0.5) > crashes.count) {
    await pause(Math.max(0, until - interval / 2 - minutesSince()) * MINUTE);
    await crashes.crash();
  }
  await pause(Math.max(0, until - minutesSince()) * MINUTE);
  // At rest, so that only what is kept for longer than a request is measured.
  await gate.close();
  const sample = await takeSample(edge, minutesSince());
  samples.push(sample);
  checkStill(sample, ledger);
  rows.push(rowOf(sample, ledger, changer.applied));
  progress(rows.at(-1)!.join("  "));
  gate.open();
}

gate.stop();
await users;
await changer.stop();
const after = await restingSample(edge, minutesSince());
rows.push(rowOf(after, ledger, changer.applied));
const metrics = await Metrics.read(edge);
const reasons = metrics.by("novaedge_http_request_reasons_total", "reason");
checkRest(before, after, ledger);
checkReasons(reasons, ledger);
// A new worker begins with a small heap, so a run with crashes shows nothing about growth.
const growth = flags.crash ? "not judged" : checkMemory(samples, ledger);
const deaths = metrics.sum("novaedge_worker_deaths_total");
if (deaths !== crashes.count) ledger.violate(`${deaths} workers died, ${crashes.count} on purpose`);

printEndings(ledger);
printReasons(reasons);
printRows(rows);
const { milliseconds, what } = ledger.slowest;
print(`slowest request: ${(milliseconds / 1000).toFixed(1)} s, ${what}`);
for (const toll of crashes.tolls) print(toll);
printViolations(ledger);
print();
print(
  `${ledger.violationCount === 0 ? "ok" : "FAILED"}: ${ledger.requests} requests, ` +
    `${ledger.posts} POST, ${changer.applied} changes, ${crashes.count} crashes, ` +
    `memory ${growth}, ${ledger.violationCount} violations`,
);
await edge[Symbol.asyncDispose]();
Deno.exit(ledger.violationCount === 0 ? 0 : 1);
