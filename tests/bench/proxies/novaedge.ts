import { VERSION } from "../../../common/version.ts";
import type { TransportName } from "../../../dataplane/net/create_transport.ts";
import { nativeProblem } from "../../../dataplane/net/native/native_problem.ts";
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

/** This gateway on the runtime's sockets, and on the kernel's. */
export const NOVAEDGE = novaedge("NovaEdge", "node");
export const NOVAEDGE_NATIVE = novaedge("NovaEdge native", "native");

/** This gateway; only the dataplane is measured. */
function novaedge(name: string, transport: TransportName): ProxyKind {
  return {
    name,
    note: "access log (JSON, to a file) and metrics on, sends X-Forwarded-Port too",
    version: () =>
      Promise.resolve(transport === "native" && nativeProblem() !== "" ? null : VERSION),
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
        transport,
      });
      return { pids: () => [dataplane.pid], logs: [] };
    },
  };
}
