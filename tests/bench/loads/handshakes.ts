import { ask } from "../raw_client.ts";
import { denoCommand } from "../runtime.ts";
import type { Scene } from "../scene.ts";
import type { LoadGenerator, LoadReport } from "./load.ts";

/** Connections that end after their handshake, by a program of ours. */
export function handshakes(scene: Scene): LoadGenerator {
  return {
    description: "our handshakes",
    async check({ port, hosts, path }) {
      return (await ask(port, hosts[0], path, { tls: true }))?.status === 200;
    },
    async run({ core, ...plan }) {
      const command = denoCommand("tests/bench/handshake_load.ts", [JSON.stringify(plan)]);
      // JSON has no NaN: what the generator does not say comes as null.
      const report = JSON.parse(await scene.run("load", command, { core })) as LoadReport;
      return { ...report, p50: NaN, p99: NaN };
    },
  };
}
