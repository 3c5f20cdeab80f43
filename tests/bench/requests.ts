import { CASES, type RequestCase } from "./cases.ts";
import { startBackend } from "./backend.ts";
import { writeCertificate } from "./certificate.ts";
import { type Contender, lineUp } from "./contenders.ts";
import { cpuMicroseconds, residentMegabytes } from "./cpu.ts";
import { findLoadGenerator } from "./loads/find.ts";
import type { LoadGenerator, LoadPlan, LoadReport } from "./loads/load.ts";
import type { Pinning } from "./pinning.ts";
import { progress } from "./print.ts";
import { hosts } from "./resources.ts";
import { Scene } from "./scene.ts";

/** Bytes of the unit MB. */
const MEGA = 1e6;

/** One proxy in one round. */
export interface Round {
  /** CPU time of the proxy per unit of the case, in microseconds. */
  readonly cpu: number;
  /** Share of one core that the proxy used: near 1 when nothing but the proxy was the limit. */
  readonly busy: number;
  /** Units of the case per second. */
  readonly rate: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
}

/** One proxy in one case. */
export interface ProxyResult {
  readonly name: string;
  readonly version: string;
  readonly note: string;
  readonly rounds: Round[];
  /** Resident memory after the last round, in MB. */
  rss: number;
  readonly errors: string[];
}

export interface CaseResult {
  readonly name: string;
  readonly case: RequestCase;
  readonly backend: string;
  readonly load: string;
  readonly proxies: readonly ProxyResult[];
  /** Proxies that have no part in it, and why. */
  readonly leftOut: readonly string[];
}

export interface RequestOptions {
  readonly rounds: number;
  readonly seconds: number;
  /** Names of those that are compared. */
  readonly proxies: readonly string[];
  readonly pinning: Pinning;
}

/** Measures every proxy in one case, round by round in turn. */
export async function runCase(name: string, options: RequestOptions): Promise<CaseResult> {
  const { rounds, seconds, pinning } = options;
  const plan = CASES[name];
  const names = hosts(plan.routes);
  await using scene = new Scene();
  const backend = await startBackend(scene, pinning.load, plan.backend);
  const load = await findLoadGenerator(scene, plan);
  const loadPlan = (port: number): LoadPlan => ({
    ...plan,
    port,
    hosts: names,
    seconds,
    core: pinning.load,
  });
  const setup = {
    client: plan.load === "http2" ? "http2" as const : "http1" as const,
    certificate: plan.tls ? await writeCertificate(scene) : null,
    backend: plan.backend,
    backendPort: backend.port,
    hosts: names,
    workers: 1,
    core: pinning.proxy,
    besides: pinning.load,
  };
  const line = await lineUp(
    name,
    scene,
    options.proxies,
    setup,
    (port) => load.check(loadPlan(port)),
  );
  const proxies = line.entrants.map((entrant): ProxyResult => ({
    ...entrant,
    rounds: [],
    rss: NaN,
  }));
  const { contenders } = line;
  // A round that does not count: compiled code, filled pools, faulted-in memory.
  for (let round = 0; round <= rounds; round++) {
    progress(`${name}: ${round === 0 ? "warming up" : `round ${round} of ${rounds}`}`);
    for (let i = 0; i < contenders.length; i++) {
      // Each round begins with another one, so that none always follows the same neighbour.
      const contender = contenders[(round + i) % contenders.length];
      const result = proxies[contender.index];
      try {
        const { used, report } = await measure(load, loadPlan(contender.port), contender);
        if (report.errors !== "") result.errors.push(`round ${round}: ${report.errors}`);
        const units = unitsOf(plan, report);
        if (!(units > 0)) throw new Error(`no ${plan.unit} was answered`);
        if (round > 0) {
          result.rounds.push({
            cpu: used / units,
            busy: used / 1e6 / report.seconds,
            rate: units / report.seconds,
            p50: report.p50,
            p99: report.p99,
          });
        }
      } catch (error) {
        result.errors.push(`round ${round}: ${(error as Error).message}`);
        if (round > 0) result.rounds.push(NOTHING);
      }
    }
    scene.cutLogs(contenders.flatMap(({ running }) => running.logs));
  }
  for (const { running, index } of contenders) {
    try {
      proxies[index].rss = residentMegabytes(running.pids());
    } catch (error) {
      proxies[index].errors.push(`after the rounds: ${(error as Error).message}`);
    }
  }
  const { description: loadName } = load;
  return {
    name,
    case: plan,
    backend: backend.description,
    load: loadName,
    proxies,
    leftOut: line.leftOut,
  };
}

/** Keeps the rounds of all proxies side by side when one of them failed. */
const NOTHING: Round = { cpu: NaN, busy: NaN, rate: NaN, p50: NaN, p99: NaN };

/** One load, with the CPU time that the proxy used in it, in microseconds. */
async function measure(
  load: LoadGenerator,
  plan: LoadPlan,
  { running }: Contender,
): Promise<{ used: number; report: LoadReport }> {
  const before = cpuMicroseconds(running.pids());
  const report = await load.run(plan);
  return { used: cpuMicroseconds(running.pids()) - before, report };
}

/** What was served, in units of the case. */
function unitsOf({ unit, messages }: RequestCase, { done, bytes }: LoadReport): number {
  if (unit === "MB") return bytes / MEGA;
  return unit === "message" && messages > 0 ? done * messages : done;
}
