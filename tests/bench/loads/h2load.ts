import { join } from "node:path";
import { grpcMessage } from "../grpc_message.ts";
import { latencies, parseH2load } from "../h2load_report.ts";
import { findProgram, versionOf } from "../programs.ts";
import type { Scene } from "../scene.ts";
import { percentile } from "../statistics.ts";
import type { LoadGenerator, LoadPlan, LoadReport } from "./load.ts";

const MICROSECONDS = 1000;

/** Requests of HTTP/2 and calls of gRPC by h2load, which asks for one host only: one in the middle. */
export async function h2load(scene: Scene): Promise<LoadGenerator> {
  const version = await versionOf("h2load", ["--version"]);
  return {
    description: `h2load ${version}`,
    async check(plan) {
      try {
        const { done, errors } = await once(scene, plan, ["-n1", "-c1", "-m1"]);
        return done === 1 && errors === "";
      } catch {
        return false; // It fails when nobody listens yet.
      }
    },
    async run(plan) {
      const { seconds, connections, streams } = plan;
      const log = join(scene.folder, "h2load.log");
      const args = [`-D${seconds}`, `-c${connections}`, `-m${streams}`, `--log-file=${log}`];
      const report = await once(scene, plan, args);
      const times = latencies(await Deno.readTextFile(log));
      await Deno.remove(log);
      return {
        ...report,
        p50: percentile(times, 0.5) / MICROSECONDS,
        p99: percentile(times, 0.99) / MICROSECONDS,
      };
    },
  };
}

async function once(scene: Scene, plan: LoadPlan, args: readonly string[]): Promise<LoadReport> {
  const { port, path, hosts, tls, messages, answerLength, core } = plan;
  const command = [findProgram("h2load")!, "-t1", ...args];
  command.push("-H", `:authority: ${hosts[hosts.length >> 1]}`);
  if (messages > 0) {
    const file = join(scene.folder, "message");
    await Deno.writeFile(file, grpcMessage(messages));
    command.push("-d", file, "-H", "content-type: application/grpc", "-H", "te: trailers");
  }
  command.push(`${tls ? "https" : "http"}://127.0.0.1:${port}${path}`);
  return parseH2load(await scene.run("load", command, { core }), answerLength);
}
