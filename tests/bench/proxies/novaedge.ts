import { VERSION } from "../../../common/version.ts";
import { startGateway } from "../gateway.ts";
import { backendYaml, gatewayYaml, oneFile, routeYaml } from "../resources.ts";
import type { ProxyKind } from "./proxy.ts";

/** This gateway; only the dataplane is measured. */
export const NOVAEDGE: ProxyKind = {
  name: "NovaEdge",
  note: "access log (JSON, to a file) and metrics on, sends X-Forwarded-Port too; one worker",
  version: () => Promise.resolve(VERSION),
  async start(scene, { port, backendPort, hosts, core, besides }) {
    const { dataplane } = await startGateway(scene, {
      files: {
        "gateway.yaml": oneFile([gatewayYaml(port), backendYaml("a", backendPort)]),
        "routes.yaml": oneFile(hosts.map((_, index) => routeYaml(index, "a"))),
      },
      workers: 1,
      core,
      besides,
    });
    return { pids: () => [dataplane.pid], logs: [] };
  },
};
