import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { gatewayCrds, install } from "./crds.ts";
import { eventually } from "./eventually.ts";
import { commonImages, ownImage } from "./images.ts";
import type { Target } from "./target.ts";

const HERE = import.meta.dirname!;
const NAMESPACE = "novaedge-system";

/** Which definitions of the Gateway API a cluster has. */
export interface GatewayApi {
  readonly version: string;
  readonly channel: "standard" | "experimental";
}

/** Gives a cluster the images, names of Services, and the definitions of all kinds. */
export async function prepare(target: Target, api: GatewayApi): Promise<void> {
  const { machines } = target;
  if (machines !== null) await machines.load(...await commonImages(), await ownImage());
  const client = target.client();
  await install(client, await gatewayCrds(api.version, api.channel));
  client.close();
  if (machines !== null) {
    await target.kubectl("apply", "-f", join(HERE, "coredns.yaml"));
    await target.kubectl("-n", "kube-system", "rollout", "status", "deployment/coredns");
  }
  await target.kubectl("apply", "-k", join(HERE, "../../deploy/crds"));
  await target.kubectl("wait", "--for=condition=Established", "crd", "--all");
}

/** Applies the manifests, with the pool that the cluster has for Gateways. */
export async function applyManifests(target: Target): Promise<void> {
  const file = await Deno.makeTempFile({ suffix: ".yaml" });
  try {
    await Deno.writeTextFile(file, await manifests(target));
    await target.kubectl("apply", "-f", file);
  } finally {
    await Deno.remove(file);
  }
}

/** Gives a cluster all of it, and waits until it works. */
export async function deployNovaEdge(target: Target, api: GatewayApi): Promise<void> {
  await prepare(target, api);
  await applyManifests(target);
  await ready(target);
}

/** The manifests as users apply them. */
async function manifests({ kubectl, image, machines, pool }: Target): Promise<string> {
  const text = await kubectl("kustomize", join(HERE, "../../deploy/kubernetes"));
  const documents = parseAllDocuments(text);
  for (const document of documents) {
    const kind = document.get("kind");
    if (kind === "GatewayParameters") document.setIn(["spec", "addressPools"], [pool]);
    const pod = ["spec", "template", "spec"];
    if (kind === "Deployment") document.setIn([...pod, "containers", 0, "image"], image);
    if (kind !== "DaemonSet") continue;
    for (const index of [0, 1]) document.setIn([...pod, "containers", index, "image"], image);
    if (machines === null) continue;
    // The nodes have one file system: each keeps its state apart.
    document.setIn([...pod, "volumes", 0, "hostPath", "path"], join(machines.folder, "state"));
    const mount = [...pod, "containers", 0, "volumeMounts", 0];
    document.setIn([...mount, "subPathExpr"], "$(NODE_NAME)");
  }
  return documents.map((document) => String(document)).join("---\n");
}

/** Resolves when controllers and nodes are as the manifests say. */
export async function ready({ kubectl }: Target): Promise<void> {
  for (const object of ["deployment/novaedge-controller", "daemonset/novaedge-node"]) {
    await kubectl("-n", NAMESPACE, "rollout", "status", object, "--timeout=120s");
  }
  await eventually("the GatewayClass to be accepted", async () => {
    const path = "jsonpath={.status.conditions[?(@.type=='Accepted')].status}";
    return await kubectl("get", "gatewayclass", "novaedge", "-o", path) === "True";
  });
}
