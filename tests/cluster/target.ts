import { join } from "node:path";
import { ApiClient } from "../../controller/source/kubernetes/api_client.ts";
import { kubeconfigAccess } from "../../controller/source/kubernetes/api_access.ts";
import { VERSION } from "../../common/version.ts";
import { binaries, run } from "./binaries.ts";
import { Cluster } from "./cluster.ts";

const CACHE = join(import.meta.dirname!, "../../.cache/kubernetes");

/** A cluster that NovaEdge is tried in. */
export interface Target {
  /** Names of the nodes; those of the control plane are not among them. */
  readonly nodes: readonly string[];
  /** Network of which Gateways get addresses: reachable from here, and used by nothing else. */
  readonly pool: string;
  readonly image: string;
  /** The machines, where they are this suite's own: programs of theirs can be stopped. */
  readonly machines: Cluster | null;
  /** A client of an administrator. */
  client(): ApiClient;
  kubectl(...args: string[]): Promise<string>;
  /** Ends what this suite made. */
  stop(): Promise<void>;
}

/** Path of the kubeconfig of a cluster that is there already, "" for none. */
export function givenKubeconfig(): string {
  return Deno.env.get("KUBECONFIG") ?? "";
}

/**
 * The cluster that KUBECONFIG names, with a network of addresses for Gateways in NOVAEDGE_TEST_POOL and the image
 * in NOVAEDGE_TEST_IMAGE; otherwise one of this suite's own, of two nodes.
 */
export async function openTarget(): Promise<Target> {
  const kubeconfig = givenKubeconfig();
  return kubeconfig === "" ? ownTarget(await Cluster.start()) : await givenTarget(kubeconfig);
}

/** A cluster of this suite's own. */
export function ownTarget(cluster: Cluster): Target {
  return {
    nodes: cluster.nodes,
    pool: `${cluster.lan.network}.128/25`,
    image: `novaedge:${VERSION}`,
    machines: cluster,
    client: () => cluster.client(),
    kubectl: (...args) => cluster.kubectl(...args),
    stop: () => cluster.stop(),
  };
}

async function givenTarget(kubeconfig: string): Promise<Target> {
  const pool = Deno.env.get("NOVAEDGE_TEST_POOL") ?? "";
  if (pool === "") {
    throw new Error("NOVAEDGE_TEST_POOL is not set: the network of which Gateways get addresses");
  }
  await binaries(CACHE, ["kubectl"]);
  const kubectl = (...args: string[]) =>
    run(join(CACHE, "kubectl"), [`--kubeconfig=${kubeconfig}`, ...args], "/");
  const workers = await kubectl(
    ...["get", "nodes", "-l", "!node-role.kubernetes.io/control-plane"],
    ...["-o", "jsonpath={.items[*].metadata.name}"],
  );
  const nodes = workers.split(" ").filter((name) => name !== "");
  if (nodes.length < 2) throw new Error(`two nodes are needed, there are ${nodes.length}`);
  return {
    nodes,
    pool,
    image: Deno.env.get("NOVAEDGE_TEST_IMAGE") ?? `novaedge:${VERSION}`,
    machines: null,
    client: () => new ApiClient(kubeconfigAccess(kubeconfig, Deno.readTextFileSync)),
    kubectl,
    async stop() {
      await kubectl("delete", "-k", join(import.meta.dirname!, "../../deploy/kubernetes"));
    },
  };
}
