import { VERSION } from "../../../common/version.ts";
import type { BackendKind } from "../cases.ts";
import { startGateway } from "../gateway.ts";
import { backendYaml, gatewayYaml, oneFile, routeYaml, secretYaml } from "../resources.ts";
import type { ProxyKind } from "./proxy.ts";

const SECRET = "bench-certificate";
const PROTOCOLS: Readonly<Record<BackendKind, string>> = {
  http1: "HTTP",
  websocket: "HTTP",
  grpc: "gRPC",
};

/** This gateway; only the dataplane is measured. */
export const NOVAEDGE: ProxyKind = {
  name: "NovaEdge",
  note: "access log (JSON, to a file) and metrics on, sends X-Forwarded-Port too",
  version: () => Promise.resolve(VERSION),
  async start(scene, setup) {
    const { certificate, hosts, workers, core, besides, openFiles } = setup;
    const { dataplane } = await startGateway(scene, {
      files: {
        "gateway.yaml": oneFile([
          gatewayYaml(setup.port, certificate === null ? null : SECRET),
          ...(certificate === null ? [] : [secretYaml(SECRET, certificate)]),
          backendYaml("a", setup.backendPort, PROTOCOLS[setup.backend]),
        ]),
        "routes.yaml": oneFile(hosts.map((_, index) => routeYaml(index, "a"))),
      },
      workers,
      core,
      besides,
      openFiles,
    });
    return { pids: () => [dataplane.pid], logs: [] };
  },
};
