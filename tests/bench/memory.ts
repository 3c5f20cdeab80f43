import { startBackend } from "./backend.ts";
import { residentMegabytes } from "./cpu.ts";
import { startGateway } from "./gateway.ts";
import { CASES } from "./cases.ts";
import { findLoadGenerator } from "./loads/find.ts";
import type { Pinning } from "./pinning.ts";
import { freePort } from "./ports.ts";
import { progress } from "./print.ts";
import { ask } from "./raw_client.ts";
import { backendYaml, gatewayYaml, hosts, oneFile, routeYaml } from "./resources.ts";
import { Scene, until } from "./scene.ts";

export interface MemoryOptions {
  /** Seconds. */
  readonly load: number;
  readonly idle: number;
  readonly pinning: Pinning;
}

/** Resident memory of the dataplane, in MB. */
export interface MemoryResult {
  readonly routes: number;
  readonly beforeLoad: number;
  readonly afterLoad: number;
  readonly afterIdle: number;
  readonly requestsPerSecond: number;
  readonly errors: string;
}

/** Measures the dataplane's memory with `routes` routes, all of them asked for. */
export async function runMemory(routes: number, options: MemoryOptions): Promise<MemoryResult> {
  const { pinning, load: seconds, idle } = options;
  await using scene = new Scene();
  progress(`memory: starting with ${routes} routes`);
  const backend = await startBackend(scene, pinning.load);
  const generator = await findLoadGenerator(scene);
  const port = freePort();
  const names = hosts(routes);
  const { dataplane } = await startGateway(scene, {
    files: {
      "gateway.yaml": oneFile([gatewayYaml(port), backendYaml("a", backend.port)]),
      "routes.yaml": oneFile(names.map((_, index) => routeYaml(index, "a"))),
    },
    workers: 1,
    core: pinning.proxy,
    besides: pinning.load,
  });
  await until("the first answer", scene.children, async () => {
    const answer = await ask(port, names[names.length - 1], "/");
    return answer?.status === 200;
  });
  const beforeLoad = residentMegabytes([dataplane.pid]);
  progress(`memory: ${seconds} s of load`);
  const plan = { ...CASES.small, port, hosts: names, seconds, core: pinning.load };
  const report = await generator.run(plan);
  const afterLoad = residentMegabytes([dataplane.pid]);
  progress(`memory: ${idle} s idle`);
  await new Promise((resolve) => setTimeout(resolve, idle * 1000));
  return {
    routes,
    beforeLoad,
    afterLoad,
    afterIdle: residentMegabytes([dataplane.pid]),
    requestsPerSecond: report.done / report.seconds,
    errors: report.errors,
  };
}
