import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { gatewayCrds, install } from "./crds.ts";
import type { Cluster } from "./cluster.ts";
import { eventually } from "./eventually.ts";
import { commonImages, ownImage } from "./images.ts";

const HERE = import.meta.dirname!;
const NAMESPACE = "novaedge-system";

/** Which definitions of the Gateway API a cluster has. */
export interface GatewayApi {
  readonly version: string;
  readonly channel: "standard" | "experimental";
}

/** Gives a cluster names of Services, the Gateway API, and NovaEdge by its manifests. */
export async function deployNovaEdge(cluster: Cluster, api: GatewayApi): Promise<void> {
  await cluster.load(...await commonImages(), await ownImage());
  const client = cluster.client();
  await install(client, await gatewayCrds(api.version, api.channel));
  client.close();
  await cluster.kubectl("apply", "-f", join(HERE, "coredns.yaml"));
  await cluster.kubectl("-n", "kube-system", "rollout", "status", "deployment/coredns");
  await cluster.kubectl("apply", "-k", join(HERE, "../../deploy/crds"));
  await cluster.kubectl("wait", "--for=condition=Established", "crd", "--all");
  await cluster.kubectl("apply", "-f", await manifests(cluster));
  const pools = { spec: { addressPools: [`${cluster.lan.network}.128/25`] } };
  const patch = ["--type=merge", "-p", JSON.stringify(pools)];
  await cluster.kubectl("-n", NAMESPACE, "patch", "gatewayparameters", "novaedge", ...patch);
  await ready(cluster);
}

/** The manifests as users apply them; the nodes share one file system, so each keeps its state apart. */
async function manifests(cluster: Cluster): Promise<string> {
  const text = await cluster.kubectl("kustomize", join(HERE, "../../deploy/kubernetes"));
  const documents = parseAllDocuments(text);
  for (const document of documents) {
    if (document.get("kind") !== "DaemonSet") continue;
    const pod = ["spec", "template", "spec"];
    document.setIn([...pod, "volumes", 0, "hostPath", "path"], join(cluster.folder, "state"));
    const mount = [...pod, "containers", 0, "volumeMounts", 0];
    document.setIn([...mount, "subPathExpr"], "$(NODE_NAME)");
  }
  const file = join(cluster.folder, "novaedge.yaml");
  await Deno.writeTextFile(file, documents.map((document) => String(document)).join("---\n"));
  return file;
}

/** Resolves when controllers and nodes are as the manifests say. */
export async function ready(cluster: Cluster): Promise<void> {
  for (const object of ["deployment/novaedge-controller", "daemonset/novaedge-node"]) {
    await cluster.kubectl("-n", NAMESPACE, "rollout", "status", object, "--timeout=120s");
  }
  await eventually("the GatewayClass to be accepted", async () => {
    const path = "jsonpath={.status.conditions[?(@.type=='Accepted')].status}";
    return await cluster.kubectl("get", "gatewayclass", "novaedge", "-o", path) === "True";
  });
}
