import { join } from "node:path";
import { startBackend } from "./backend.ts";
import { CASES } from "./cases.ts";
import { lineUp } from "./contenders.ts";
import { latencies, parseH2load } from "./h2load_report.ts";
import { answersHttp1 } from "./loads/answers.ts";
import { findLoadGenerator } from "./loads/find.ts";
import type { LoadPlan } from "./loads/load.ts";
import type { Pinning } from "./pinning.ts";
import { progress } from "./print.ts";
import { findProgram } from "./programs.ts";
import { hosts } from "./resources.ts";
import { Scene } from "./scene.ts";
import { median, percentile } from "./statistics.ts";

/** Whose greatest rate is halved. */
export const PACE = "nginx";
const CONNECTIONS = 32;
/** Rounds by which the greatest rate is found. */
const PACE_ROUNDS = 3;
const MICROSECONDS = 1_000;

/** Milliseconds from request to answer in one round. */
export interface LatencyRound {
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
}

export interface LatencyProxy {
  readonly name: string;
  readonly version: string;
  readonly rounds: LatencyRound[];
  readonly errors: string[];
}

export interface LatencyResult {
  /** Requests per second that every proxy was given. */
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
  const rate = Math.round(median(most) / 2 / CONNECTIONS) * CONNECTIONS;
  const proxies = line.entrants.map(({ name, version, errors }): LatencyProxy => ({
    name,
    version,
    errors,
    rounds: [],
  }));
  const log = join(scene.folder, "latency.log");
  for (let round = 0; round <= rounds; round++) {
    progress(`latency: ${round === 0 ? "warming up" : `round ${round} of ${rounds}`}`);
    for (let i = 0; i < line.contenders.length; i++) {
      const { port, index } = line.contenders[(round + i) % line.contenders.length];
      const command = [
        findProgram("h2load")!,
        ...["--h1", "-t1", `-c${CONNECTIONS}`, `-D${seconds}`, `--rps=${rate / CONNECTIONS}`],
        ...[`--log-file=${log}`, "-H", `host: ${all[all.length >> 1]}`],
        `http://127.0.0.1:${port}${plan.path}`,
      ];
      const text = await scene.run("load", command, { core: pinning.load });
      const report = parseH2load(text, plan.answerLength);
      if (report.errors !== "") proxies[index].errors.push(`round ${round}: ${report.errors}`);
      const times = latencies(await Deno.readTextFile(log));
      await Deno.remove(log);
      if (round === 0) continue;
      const at = (fraction: number) => percentile(times, fraction) / MICROSECONDS;
      proxies[index].rounds.push({ p50: at(0.5), p99: at(0.99), p999: at(0.999) });
    }
    scene.cutLogs(line.contenders.flatMap(({ running }) => running.logs));
  }
  return { rate, proxies };
}
