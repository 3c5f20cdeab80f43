import { CASES, type RequestCase } from "./cases.ts";
import { startBackend } from "./backend.ts";
import { cpuMicroseconds, residentMegabytes } from "./cpu.ts";
import { findLoadGenerator, type LoadPlan } from "./load.ts";
import type { Pinning } from "./pinning.ts";
import { freePort } from "./ports.ts";
import { progress } from "./print.ts";
import { CADDY } from "./proxies/caddy.ts";
import { HAPROXY } from "./proxies/haproxy.ts";
import { NGINX } from "./proxies/nginx.ts";
import { NOVAEDGE } from "./proxies/novaedge.ts";
import type { ProxyKind, RunningProxy } from "./proxies/proxy.ts";
import { RELAY } from "./proxies/relay.ts";
import { ask } from "./raw_client.ts";
import { hosts } from "./resources.ts";
import { Scene, until } from "./scene.ts";

const PROXIES: readonly ProxyKind[] = [NOVAEDGE, NGINX, HAPROXY, CADDY, RELAY];

/** One proxy in one round. */
export interface Round {
  /** CPU time of the proxy per request, in microseconds. */
  readonly cpu: number;
  /** Share of one core that the proxy used: near 1 when nothing but the proxy was the limit. */
  readonly busy: number;
  readonly requestsPerSecond: number;
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
  readonly proxies: ProxyResult[];
  /** Proxies that are not installed. */
  readonly missing: string[];
}

export interface RequestOptions {
  readonly rounds: number;
  readonly seconds: number;
  readonly pinning: Pinning;
}

interface Contender {
  readonly port: number;
  readonly running: RunningProxy;
  readonly result: ProxyResult;
}

/** Measures every proxy in one case, round by round in turn. */
export async function runCase(name: string, options: RequestOptions): Promise<CaseResult> {
  const { rounds, seconds, pinning } = options;
  const plan = CASES[name];
  const names = hosts(plan.routes);
  await using scene = new Scene();
  const backend = await startBackend(scene, pinning.load);
  const load = await findLoadGenerator(scene);
  const result: CaseResult = {
    name,
    case: plan,
    backend: backend.description,
    load: load.description,
    proxies: [],
    missing: [],
  };
  const contenders: Contender[] = [];
  for (const kind of PROXIES) {
    const version = await kind.version();
    if (version === null) {
      result.missing.push(kind.name);
      continue;
    }
    progress(`${name}: starting ${kind.name}`);
    const proxy: ProxyResult = {
      name: kind.name,
      version,
      note: kind.note,
      rounds: [],
      rss: NaN,
      errors: [],
    };
    result.proxies.push(proxy);
    const port = freePort();
    const setup = {
      port,
      backendPort: backend.port,
      hosts: names,
      core: pinning.proxy,
      besides: pinning.load,
    };
    const others = scene.children.length;
    try {
      const running = await kind.start(scene, setup);
      const own = scene.children.slice(others);
      await until(`an answer of ${kind.name}`, own, () => answers(port, names, plan));
      contenders.push({ port, running, result: proxy });
    } catch (error) {
      proxy.errors.push(`did not start: ${(error as Error).message}`);
    }
  }
  const loadPlan = (port: number): LoadPlan => ({
    port,
    path: plan.path,
    hosts: names,
    seconds,
    closing: plan.closing,
    core: pinning.load,
  });
  // A round that does not count: compiled code, filled pools, faulted-in memory.
  for (let round = 0; round <= rounds; round++) {
    progress(`${name}: ${round === 0 ? "warming up" : `round ${round} of ${rounds}`}`);
    for (let i = 0; i < contenders.length; i++) {
      // Each round begins with another one, so that none always follows the same neighbour.
      const { port, running, result } = contenders[(round + i) % contenders.length];
      try {
        const before = cpuMicroseconds(running.pids());
        const report = await load.run(loadPlan(port));
        const used = cpuMicroseconds(running.pids()) - before;
        if (report.errors !== "") result.errors.push(`round ${round}: ${report.errors}`);
        if (report.requests === 0) throw new Error("no request was answered");
        if (round > 0) {
          result.rounds.push({
            cpu: used / report.requests,
            busy: used / 1e6 / report.seconds,
            requestsPerSecond: report.requests / report.seconds,
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
  for (const { running, result } of contenders) {
    try {
      result.rss = residentMegabytes(running.pids());
    } catch (error) {
      result.errors.push(`after the rounds: ${(error as Error).message}`);
    }
  }
  return result;
}

/** Keeps the rounds of all proxies side by side when one of them failed. */
const NOTHING: Round = { cpu: NaN, busy: NaN, requestsPerSecond: NaN, p50: NaN, p99: NaN };

/** Whether a proxy serves its first and its last host as the case wants it. */
async function answers(
  port: number,
  names: readonly string[],
  plan: RequestCase,
): Promise<boolean> {
  for (const host of [names[0], names[names.length - 1]]) {
    const answer = await ask(port, host, plan.path);
    if (answer?.status !== 200 || answer.body.length !== plan.bodyLength) return false;
  }
  return true;
}
