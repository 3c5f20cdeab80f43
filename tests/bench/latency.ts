import { join } from "node:path";
import { startBackend } from "./backend.ts";
import { CASES } from "./cases.ts";
import { lineUp } from "./contenders.ts";
import { answersHttp1 } from "./loads/answers.ts";
import { findLoadGenerator } from "./loads/find.ts";
import type { LoadPlan } from "./loads/load.ts";
import type { Pinning } from "./pinning.ts";
import { progress } from "./print.ts";
import { findProgram } from "./programs.ts";
import { hosts } from "./resources.ts";
import { Scene } from "./scene.ts";
import { median } from "./statistics.ts";
import { parseWrk } from "./wrk_report.ts";

/** Whose greatest rate is halved. */
export const PACE = "nginx";
/** Connections of the load that pauses: many, for it pauses whole milliseconds. */
const CONNECTIONS = 256;
/** Rounds by which the greatest rate is found. */
const PACE_ROUNDS = 3;

/** Milliseconds from request to answer in one round. */
export interface LatencyRound {
  readonly p50: number;
  readonly p99: number;
  /** Requests per second. */
  readonly rate: number;
}

export interface LatencyProxy {
  readonly name: string;
  readonly version: string;
  readonly rounds: LatencyRound[];
  readonly errors: string[];
}

export interface LatencyResult {
  /** Requests per second that every proxy is to be given. */
  readonly rate: number;
  readonly proxies: readonly LatencyProxy[];
}

export interface LatencyOptions {
  readonly rounds: number;
  readonly seconds: number;
  readonly proxies: readonly string[];
  readonly pinning: Pinning;
}

/** How long answers take at half of the greatest rate that nginx can do. */
export async function runLatency(options: LatencyOptions): Promise<LatencyResult> {
  const { rounds, seconds, proxies: names, pinning } = options;
  const plan = CASES.routes1000;
  await using scene = new Scene();
  const backend = await startBackend(scene, pinning.load, plan.backend);
  const all = hosts(plan.routes);
  const loadPlan = (port: number): LoadPlan => ({
    ...plan,
    port,
    hosts: all,
    seconds,
    core: pinning.load,
  });
  const setup = {
    client: "http1" as const,
    certificate: null,
    backend: plan.backend,
    backendPort: backend.port,
    hosts: all,
    workers: 1,
    core: pinning.proxy,
    besides: pinning.load,
  };
  const line = await lineUp("latency", scene, names, setup, (port) => answersHttp1(loadPlan(port)));
  const pace = line.contenders.find(({ index }) => line.entrants[index].name === PACE);
  if (pace === undefined) throw new Error(`${PACE} gives the rate, and is not there`);
  const wrk = await findLoadGenerator(scene, plan);
  const most: number[] = [];
  for (let round = 0; round < PACE_ROUNDS; round++) {
    const { done, seconds } = await wrk.run(loadPlan(pace.port));
    most.push(done / seconds);
  }
  const rate = Math.round(median(most) / 2);
  const proxies = line.entrants.map(({ name, version, errors }): LatencyProxy => ({
    name,
    version,
    errors,
    rounds: [],
  }));
  const script = join(scene.folder, "latency.lua");
  await Deno.writeTextFile(script, pacedScript(all[all.length >> 1], rate));
  for (let round = 0; round <= rounds; round++) {
    progress(`latency: ${round === 0 ? "warming up" : `round ${round} of ${rounds}`}`);
    for (let i = 0; i < line.contenders.length; i++) {
      const { port, index } = line.contenders[(round + i) % line.contenders.length];
      const command = [
        findProgram("wrk")!,
        ...["-t1", `-c${CONNECTIONS}`, `-d${seconds}s`, "--latency", "-s", script],
        `http://127.0.0.1:${port}${plan.path}`,
      ];
      const report = parseWrk(await scene.run("load", command, { core: pinning.load }));
      if (report.errors !== "") proxies[index].errors.push(`round ${round}: ${report.errors}`);
      if (round === 0) continue;
      const { done, seconds: took, p50, p99 } = report;
      proxies[index].rounds.push({ p50, p99, rate: done / took });
    }
    scene.cutLogs(line.contenders.flatMap(({ running }) => running.logs));
  }
  return { rate, proxies };
}

/** Each connection pauses between two requests, for as long as makes the rate of all of them. */
function pacedScript(host: string, rate: number): string {
  const mean = CONNECTIONS / rate * 1_000;
  return `math.randomseed(1)
wrk.headers["Host"] = "${host}"
delay = function()
  return math.floor(math.random() * ${(2 * mean).toFixed(3)} + 0.5)
end
done = function(summary)
  io.write(string.format("Bytes read: %d\\n", summary.bytes))
end
`;
}
