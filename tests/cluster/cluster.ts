import { join } from "node:path";
import { createPublicKey } from "node:crypto";
import { ApiClient } from "../../controller/source/kubernetes/api_client.ts";
import { writeImage } from "../../deploy/image/archive.ts";
import { Authority, type Pair, type Subject } from "../support/authority.ts";
import { Program } from "../support/programs.ts";
import { binaries, CLUSTER, run } from "./binaries.ts";
import { eventually } from "./eventually.ts";
import { Lan } from "./lan.ts";

const CACHE = join(import.meta.dirname!, "../../.cache/kubernetes");
const PAUSE = "localhost/pause:1";
/** Address of the API server's own Service. */
const API_SERVICE = "10.96.0.1";

/** A real Kubernetes: control plane, nodes with containerd, kubelet and kube-proxy, a namespace each. */
export class Cluster {
  readonly lan: Lan;
  readonly folder: string;
  readonly nodes: readonly string[];
  readonly #authority: Authority;
  readonly #programs = new Map<string, Program>();
  readonly #foreign: ReadonlySet<string>;
  #admin!: Pair;

  private constructor(
    lan: Lan,
    folder: string,
    nodes: readonly string[],
    authority: Authority,
    foreign: ReadonlySet<string>,
  ) {
    this.lan = lan;
    this.folder = folder;
    this.nodes = nodes;
    this.#authority = authority;
    this.#foreign = foreign;
  }

  /** @param count of nodes: n1, n2... */
  static async start(count = 2): Promise<Cluster> {
    await binaries(CACHE, CLUSTER);
    const nodes = Array.from({ length: count }, (_, i) => `n${i + 1}`);
    const folder = await Deno.makeTempDir({ prefix: "novaedge-cluster-" });
    const lan = await Lan.create();
    const authority = await Authority.create("cluster");
    const cluster = new Cluster(lan, folder, nodes, authority, await podNamespaces());
    try {
      await cluster.#start();
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  get url(): string {
    return `https://${this.lan.address("cp")}:6443`;
  }

  /** A kubeconfig of an administrator, for use on any host of the network and this machine. */
  get kubeconfig(): string {
    return join(this.folder, "admin.kubeconfig");
  }

  /** A client of an administrator. */
  client(): ApiClient {
    const { certificate: cert, key } = this.#admin;
    return new ApiClient({
      server: this.url,
      ca: this.#authority.certificate,
      certificate: { cert, key },
      token: () => "",
    });
  }

  /** Runs kubectl as an administrator. */
  kubectl(...args: string[]): Promise<string> {
    return run(join(CACHE, "kubectl"), [`--kubeconfig=${this.kubeconfig}`, ...args], "/");
  }

  /** The program of a host: "cp/etcd", "n1/kubelet". */
  program(name: string): Program {
    return this.#programs.get(name)!;
  }

  /** Gives images to every node. */
  async load(...archives: string[]): Promise<void> {
    await Promise.all(this.nodes.map(async (node) => {
      for (const archive of archives) await this.#import(node, archive);
    }));
  }

  async #import(node: string, archive: string): Promise<void> {
    const socket = join(this.folder, node, "containerd.sock");
    await run("ctr", ["-a", socket, "-n", "k8s.io", "images", "import", archive], "/");
  }

  async #start(): Promise<void> {
    await this.lan.addHost("cp", 10);
    for (const [i, node] of this.nodes.entries()) await this.lan.addHost(node, 11 + i);
    for (const [i, node] of this.nodes.entries()) {
      await this.lan.route(`10.244.${i + 1}.0/24`, node);
    }
    await this.#identities();
    this.startEtcd();
    await this.startApiServer();
    this.#controllers();
    await this.#pauseImage();
    await Promise.all(this.nodes.map((node, i) => this.#startNode(node, i + 1)));
    await this.#ready();
  }

  #run(host: string, name: string, command: string, args: string[]): Program {
    const program = new Program(name, ...this.lan.inside(host, command, args));
    this.#programs.set(`${host}/${name}`, program);
    return program;
  }

  async #identities(): Promise<void> {
    const api = this.lan.address("cp");
    await this.#write("ca.crt", this.#authority.certificate);
    const server = await this.#issue("apiserver", {
      name: "kube-apiserver",
      dns: ["kubernetes", "kubernetes.default", "kubernetes.default.svc"],
      ips: [api, API_SERVICE, "127.0.0.1"],
    });
    await this.#write("account.key", server.key);
    const published = createPublicKey(server.key).export({ type: "spki", format: "pem" });
    await this.#write("account.pub", String(published));
    this.#admin = await this.#issue("admin", { name: "admin", organization: "system:masters" });
    await this.#kubeconfig("admin.kubeconfig", "admin");
  }

  async #issue(file: string, subject: Subject): Promise<Pair> {
    const pair = await this.#authority.issue(subject);
    await this.#write(`${file}.crt`, pair.certificate);
    await this.#write(`${file}.key`, pair.key);
    return pair;
  }

  #write(name: string, text: string): Promise<void> {
    return Deno.writeTextFile(join(this.folder, name), text);
  }

  #kubeconfig(file: string, user: string): Promise<void> {
    const path = (name: string) => join(this.folder, name);
    const cluster = { server: this.url, "certificate-authority": path("ca.crt") };
    const identity = {
      "client-certificate": path(`${user}.crt`),
      "client-key": path(`${user}.key`),
    };
    return this.#write(
      file,
      JSON.stringify({
        apiVersion: "v1",
        kind: "Config",
        clusters: [{ name: "c", cluster }],
        users: [{ name: "u", user: identity }],
        contexts: [{ name: "d", context: { cluster: "c", user: "u" } }],
        "current-context": "d",
      }),
    );
  }

  startEtcd(): void {
    const [client, peer] = ["http://127.0.0.1:2379", "http://127.0.0.1:2380"];
    this.#run("cp", "etcd", join(CACHE, "etcd"), [
      `--data-dir=${join(this.folder, "etcd")}`,
      `--listen-client-urls=${client}`,
      `--advertise-client-urls=${client}`,
      `--listen-peer-urls=${peer}`,
      `--initial-advertise-peer-urls=${peer}`,
      `--initial-cluster=default=${peer}`,
      "--log-level=error",
    ]);
  }

  /** Resolves when the API server is ready. */
  async startApiServer(): Promise<void> {
    const file = (name: string) => join(this.folder, name);
    this.#run("cp", "apiserver", join(CACHE, "kube-apiserver"), [
      "--etcd-servers=http://127.0.0.1:2379",
      `--advertise-address=${this.lan.address("cp")}`,
      "--secure-port=6443",
      `--tls-cert-file=${file("apiserver.crt")}`,
      `--tls-private-key-file=${file("apiserver.key")}`,
      `--client-ca-file=${file("ca.crt")}`,
      "--kubelet-preferred-address-types=InternalIP",
      `--kubelet-client-certificate=${file("admin.crt")}`,
      `--kubelet-client-key=${file("admin.key")}`,
      `--service-account-key-file=${file("account.pub")}`,
      `--service-account-signing-key-file=${file("account.key")}`,
      "--service-account-issuer=https://kubernetes.default.svc",
      "--service-cluster-ip-range=10.96.0.0/16",
      "--authorization-mode=Node,RBAC",
      "--allow-privileged=true",
    ]);
    const { certificate: cert, key } = this.#admin;
    const client = Deno.createHttpClient({ caCerts: [this.#authority.certificate], cert, key });
    await eventually("the API server to be ready", async () => {
      const answer = await fetch(`${this.url}/readyz`, { client }).catch(() => null);
      await answer?.body?.cancel();
      return answer?.ok === true;
    });
    client.close();
  }

  #controllers(): void {
    const kubeconfig = `--kubeconfig=${this.kubeconfig}`;
    this.#run("cp", "controllers", join(CACHE, "kube-controller-manager"), [
      kubeconfig,
      "--leader-elect=false",
      "--use-service-account-credentials=true",
      `--service-account-private-key-file=${join(this.folder, "account.key")}`,
      `--root-ca-file=${join(this.folder, "ca.crt")}`,
    ]);
    this.#run("cp", "scheduler", join(CACHE, "kube-scheduler"), [
      kubeconfig,
      "--leader-elect=false",
    ]);
  }

  async #pauseImage(): Promise<void> {
    const archive = join(CACHE, "pause.tar");
    if (await Deno.stat(archive).then(() => true, () => false)) return;
    const work = await Deno.makeTempDir({ prefix: "novaedge-pause-" });
    const source = `package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM, syscall.SIGINT)
	<-end
}
`;
    await Deno.writeTextFile(join(work, "pause.go"), source);
    await run(
      "go",
      ["build", "-ldflags", "-s -w", "-o", join(work, "root/pause"), "pause.go"],
      work,
    );
    await writeImage({ names: [PAUSE], root: join(work, "root"), entrypoint: ["/pause"] }, archive);
    await Deno.remove(work, { recursive: true });
  }

  async #startNode(node: string, number: number): Promise<void> {
    const folder = join(this.folder, node);
    await Deno.mkdir(join(folder, "cni"), { recursive: true });
    await this.#issue(node, {
      name: `system:node:${node}`,
      organization: "system:nodes",
      dns: [node],
      ips: [this.lan.address(node)],
    });
    await this.#kubeconfig(`${node}.kubeconfig`, node);
    const network = `10.244.${number}.0/24`;
    await this.#write(`${node}/cni/10-pods.conflist`, JSON.stringify(cni(folder, network)));
    await this.#write(`${node}/containerd.toml`, containerd(folder));
    await this.#write(`${node}/kubelet.yaml`, this.#kubelet(folder, network));
    this.#run(node, "containerd", "containerd", ["-c", join(folder, "containerd.toml")]);
    const socket = join(folder, "containerd.sock");
    await eventually(
      `containerd of ${node}`,
      () => run("ctr", ["-a", socket, "version"], "/").then(() => true, () => false),
    );
    await this.#import(node, join(CACHE, "pause.tar"));
    this.#run(node, "kubelet", join(CACHE, "kubelet"), [
      `--kubeconfig=${join(this.folder, `${node}.kubeconfig`)}`,
      `--config=${join(folder, "kubelet.yaml")}`,
      `--hostname-override=${node}`,
      `--node-ip=${this.lan.address(node)}`,
      `--root-dir=${join(folder, "kubelet")}`,
      `--cert-dir=${join(folder, "pki")}`,
    ]);
    this.#run(node, "proxy", join(CACHE, "kube-proxy"), [
      `--kubeconfig=${this.kubeconfig}`,
      "--proxy-mode=nftables",
      `--hostname-override=${node}`,
      "--cluster-cidr=10.244.0.0/16",
      "--conntrack-max-per-core=0",
    ]);
  }

  #kubelet(folder: string, podCidr: string): string {
    return JSON.stringify({
      apiVersion: "kubelet.config.k8s.io/v1beta1",
      kind: "KubeletConfiguration",
      // The cgroups of this machine are not ours to arrange.
      cgroupDriver: "cgroupfs",
      cgroupRoot: "/",
      failCgroupV1: false,
      cgroupsPerQOS: false,
      enforceNodeAllocatable: [],
      failSwapOn: false,
      authentication: {
        anonymous: { enabled: false },
        webhook: { enabled: true },
        x509: { clientCAFile: join(this.folder, "ca.crt") },
      },
      authorization: { mode: "Webhook" },
      containerRuntimeEndpoint: `unix://${folder}/containerd.sock`,
      podCIDR: podCidr,
      // The nodes have one file system.
      podLogsDir: join(folder, "pods"),
      clusterDNS: ["10.96.0.10"],
      clusterDomain: "cluster.local",
      evictionHard: {},
      imageGCHighThresholdPercent: 100,
      localStorageCapacityIsolation: false,
    });
  }

  #ready(): Promise<void> {
    return eventually("the nodes to be ready", async () => {
      const text = await this.kubectl("get", "nodes", "--no-headers").catch(() => "");
      return text.split("\n").filter((line) => /\bReady\b/.test(line)).length === this.nodes.length;
    });
  }

  /** Ends every program and removes what they made on this machine. */
  async stop(): Promise<void> {
    const ending = (name: string) =>
      Promise.all(
        [...this.#programs].filter(([key]) => key.endsWith(`/${name}`)).map(([, program]) =>
          program.end("SIGTERM")
        ),
      );
    await ending("kubelet");
    await ending("proxy");
    await Promise.all(this.nodes.map((node) => this.#removeContainers(node)));
    for (const name of ["containerd", "scheduler", "controllers"]) await ending(name);
    await this.#programs.get("cp/apiserver")?.end("SIGKILL");
    await this.#programs.get("cp/etcd")?.end("SIGKILL");
    // Shims outlive containerd; these are of this cluster's folder.
    await run("pkill", ["-9", "-f", `containerd-shim.*${this.folder}/`], "/").catch(() => {});
    await this.#unmount();
    for (const name of await podNamespaces()) {
      if (!this.#foreign.has(name)) await run("ip", ["netns", "delete", name], "/").catch(() => {});
    }
    await this.lan.remove();
    await Deno.remove(this.folder, { recursive: true }).catch(() => {});
  }

  async #removeContainers(node: string): Promise<void> {
    const ctr = (...args: string[]) =>
      run(
        "ctr",
        ["-a", join(this.folder, node, "containerd.sock"), "-n", "k8s.io", ...args],
        "/",
      ).catch(() => "");
    for (const task of (await ctr("tasks", "ls", "-q")).split("\n")) {
      if (task !== "") await ctr("tasks", "rm", "-f", task);
    }
    for (const container of (await ctr("containers", "ls", "-q")).split("\n")) {
      if (container !== "") await ctr("containers", "rm", container);
    }
  }

  async #unmount(): Promise<void> {
    const mounts = Deno.readTextFileSync("/proc/mounts").split("\n").map((line) =>
      line.split(" ")[1] ?? ""
    ).filter((path) => path.startsWith(`${this.folder}/`)).sort().reverse();
    for (const path of mounts) await run("umount", ["-l", path], "/").catch(() => {});
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

/** Namespaces that container runtimes made for pods. */
async function podNamespaces(): Promise<Set<string>> {
  const names = (await run("ip", ["netns", "list"], "/")).split("\n");
  return new Set(names.map((line) => line.split(" ")[0]).filter((name) => name.startsWith("cni-")));
}

function cni(folder: string, subnet: string): unknown {
  return {
    cniVersion: "0.4.0",
    name: "pods",
    plugins: [
      {
        type: "bridge",
        bridge: "cni0",
        isGateway: true,
        hairpinMode: true,
        ipam: {
          type: "host-local",
          dataDir: join(folder, "ipam"),
          ranges: [[{ subnet }]],
          routes: [{ dst: "0.0.0.0/0" }],
        },
      },
      { type: "portmap", capabilities: { portMappings: true } },
    ],
  };
}

function containerd(folder: string): string {
  return `version = 2
root = "${folder}/containerd"
state = "${folder}/state"
[grpc]
  address = "${folder}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  restrict_oom_score_adj = true
  sandbox_image = "${PAUSE}"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "${folder}/cni"
`;
}
