import { join } from "node:path";
import { findProgram, versionOf } from "./programs.ts";
import { denoCommand } from "./runtime.ts";
import type { Scene } from "./scene.ts";
import { parseWrk } from "./wrk_report.ts";

/** Connections of every load. */
export const CONNECTIONS = 32;

/** What to ask for. */
export interface LoadPlan {
  readonly port: number;
  readonly path: string;
  /** Asked for in turn. */
  readonly hosts: readonly string[];
  readonly seconds: number;
  /** A connection per request. */
  readonly closing: boolean;
  readonly core: number | null;
}

/** What came of a load. */
export interface LoadReport {
  readonly requests: number;
  readonly seconds: number;
  /** Milliseconds from request to answer. */
  readonly p50: number;
  readonly p99: number;
  /** Answers outside 2xx and 3xx, failures of sockets, time-outs; "" without any. */
  readonly errors: string;
}

/** Drives a proxy as hard as it can on the load's core. */
export interface LoadGenerator {
  readonly description: string;
  run(plan: LoadPlan): Promise<LoadReport>;
}

/** wrk when it is installed, else a generator of ours. */
export async function findLoadGenerator(scene: Scene): Promise<LoadGenerator> {
  const wrk = findProgram("wrk");
  if (wrk === null) {
    return {
      description: "our raw generator (wrk is missing)",
      run: (plan) => runRawLoad(scene, plan),
    };
  }
  const version = await versionOf("wrk", ["--version"]);
  return { description: `wrk ${version}`, run: (plan) => runWrk(wrk, scene, plan) };
}

/**
 * Requests are made before the load begins: turning through hosts costs wrk an index per request. The
 * host is set beside the headers of the command line, which headers of a request would replace.
 */
function hostScript({ hosts, path }: LoadPlan): string {
  return `
local hosts = { ${hosts.map((host) => `"${host}"`).join(", ")} }
local requests = {}
local at = 0
init = function()
  for i = 1, #hosts do
    wrk.headers["Host"] = hosts[i]
    requests[i] = wrk.format("GET", "${path}")
  end
end
request = function()
  at = at % #requests + 1
  return requests[at]
end
`;
}

async function runWrk(wrk: string, scene: Scene, plan: LoadPlan): Promise<LoadReport> {
  const { port, path, hosts, seconds, closing, core } = plan;
  const args = ["-t1", `-c${CONNECTIONS}`, `-d${seconds}s`, "--timeout", "5s", "--latency"];
  if (closing) args.push("-H", "Connection: close");
  if (hosts.length === 1) args.push("-H", `Host: ${hosts[0]}`);
  else {
    const script = join(scene.folder, `hosts${hosts.length}.lua`);
    await Deno.writeTextFile(script, hostScript(plan));
    args.push("-s", script);
  }
  const url = `http://127.0.0.1:${port}${path}`;
  return parseWrk(await scene.run("load", [wrk, ...args, url], { core }));
}

async function runRawLoad(scene: Scene, { core, ...plan }: LoadPlan): Promise<LoadReport> {
  const argument = JSON.stringify({ ...plan, connections: CONNECTIONS });
  const command = denoCommand("tests/bench/raw_load.ts", [argument]);
  return JSON.parse(await scene.run("load", command, { core }));
}
