import { join } from "node:path";
import { execute as run } from "../../deploy/image/archive.ts";

/** Versions that are built: not every patch of Kubernetes is published as modules. */
const KUBERNETES = "1.36.3";
const STAGING = "0.36.3";
const ETCD = "3.6.5";

const VERSION = "k8s.io/component-base/version";
const COMPONENTS = ["kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet"];

/** Why programs of Kubernetes cannot be built here; "" when they can. */
export async function buildProblem(): Promise<string> {
  try {
    const version = /go1\.(\d+)/.exec(await run("go", ["version"], "/"))?.[1];
    return Number(version) >= 26 ? "" : `Go 1.26 is needed, there is 1.${version}`;
  } catch {
    return "Go is needed to build the programs of Kubernetes";
  }
}

function missing(folder: string, names: readonly string[]): boolean {
  return names.some((name) => {
    try {
      return !Deno.statSync(join(folder, name)).isFile;
    } catch {
      return true;
    }
  });
}

/**
 * Builds programs of Kubernetes and etcd from their Go modules where they are missing: some 6 minutes on
 * two cores with an empty cache of Go.
 * @param names of the programs; kube-proxy, kubectl and etcd beside those of the control plane
 */
export async function binaries(folder: string, names: readonly string[]): Promise<void> {
  if (!missing(folder, names)) return;
  await Deno.mkdir(folder, { recursive: true });
  const work = await Deno.makeTempDir({ prefix: "novaedge-go-" });
  try {
    const wanted = names.filter((name) => name !== "etcd");
    if (missing(folder, wanted)) await buildKubernetes(work, folder, wanted);
    if (names.includes("etcd") && missing(folder, ["etcd"])) await buildEtcd(work, folder);
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

/**
 * k8s.io/kubernetes replaces the modules it is made of by folders of its repository, so it cannot be
 * installed by itself: a module around it replaces them by their published versions.
 */
async function buildKubernetes(
  work: string,
  folder: string,
  names: readonly string[],
): Promise<void> {
  const module = `k8s.io/kubernetes@v${KUBERNETES}`;
  const { GoMod } = JSON.parse(await run("go", ["mod", "download", "-json", module], work)) as {
    GoMod: string;
  };
  const replaced = new Set(
    [...Deno.readTextFileSync(GoMod).matchAll(/(k8s\.io\/[a-z-]+) => \.\/staging/g)]
      .map(([, name]) => name),
  );
  const lines = [...replaced].sort().map((name) => `replace ${name} => ${name} v${STAGING}`);
  await Deno.writeTextFile(
    join(work, "go.mod"),
    `module kubernetes-binaries\ngo 1.26.0\nrequire k8s.io/kubernetes v${KUBERNETES}\n${
      lines.join("\n")
    }\n`,
  );
  const [major, minor] = KUBERNETES.split(".");
  const flags = `-s -w -X ${VERSION}.gitVersion=v${KUBERNETES} -X ${VERSION}.gitMajor=${major} ` +
    `-X ${VERSION}.gitMinor=${minor}`;
  const packages = names.map((name) => `k8s.io/kubernetes/cmd/${name}`);
  await run(
    "go",
    ["build", "-mod=mod", "-trimpath", "-ldflags", flags, "-o", `${folder}/`, ...packages],
    work,
  );
}

async function buildEtcd(work: string, folder: string): Promise<void> {
  await Deno.remove(join(work, "go.sum")).catch(() => {});
  await Deno.writeTextFile(
    join(work, "go.mod"),
    `module etcd-binary\ngo 1.26.0\nrequire go.etcd.io/etcd/server/v3 v${ETCD}\n`,
  );
  const flags = ["-mod=mod", "-trimpath", "-ldflags", "-s -w", "-o", join(folder, "etcd")];
  await run("go", ["build", ...flags, "go.etcd.io/etcd/server/v3"], work);
}

/** The programs of a control plane. */
export const CONTROL_PLANE = ["etcd", "kube-apiserver"];
/** The programs of a whole cluster. */
export const CLUSTER = ["etcd", ...COMPONENTS, "kube-proxy", "kubectl"];

export { run };
