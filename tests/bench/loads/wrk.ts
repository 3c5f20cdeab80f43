import { join } from "node:path";
import { findProgram, versionOf } from "../programs.ts";
import type { Scene } from "../scene.ts";
import { parseWrk } from "../wrk_report.ts";
import { answersHttp1 } from "./answers.ts";
import type { LoadGenerator, LoadPlan } from "./load.ts";

/** Answers of this length take seconds each when they share a connection's bandwidth. */
const LARGE = 1 << 20;

/** Requests of HTTP/1.1, plain or over TLS, by wrk. */
export async function wrk(scene: Scene): Promise<LoadGenerator> {
  const version = await versionOf("wrk", ["--version"]);
  return {
    description: `wrk ${version}`,
    check: answersHttp1,
    async run(plan) {
      const { port, path, hosts, seconds, closing, tls, connections, answerLength, core } = plan;
      const timeout = answerLength >= LARGE ? 60 : 5;
      const args = ["-t1", `-c${connections}`, `-d${seconds}s`, `--timeout=${timeout}s`];
      if (closing) args.push("-H", "Connection: close");
      if (hosts.length === 1) args.push("-H", `Host: ${hosts[0]}`);
      const script = join(scene.folder, `wrk${hosts.length}.lua`);
      await Deno.writeTextFile(script, wrkScript(plan));
      const url = `${tls ? "https" : "http"}://127.0.0.1:${port}${path}`;
      const command = [findProgram("wrk")!, ...args, "--latency", "-s", script, url];
      return parseWrk(await scene.run("load", command, { core }));
    },
  };
}

/**
 * Requests are made before the load begins: turning through hosts costs wrk an index per request. The
 * host is set beside the headers of the command line, which headers of a request would replace. What
 * was read is printed as a number, for wrk itself rounds it.
 */
function wrkScript({ hosts, path }: LoadPlan): string {
  const turning = `
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
  return `${hosts.length > 1 ? turning : ""}
done = function(summary)
  io.write(string.format("Bytes read: %d\\n", summary.bytes))
end
`;
}
