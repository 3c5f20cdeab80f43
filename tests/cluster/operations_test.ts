/**
 * What happens to traffic in a real cluster when something is changed, restarted or lost. One cluster serves all
 * of it; each test leaves it as it was.
 */
import assert from "node:assert/strict";
import type { TLSSocket } from "node:tls";
import { Authority, secret } from "../support/authority.ts";
import { HttpConnection } from "../support/http_client.ts";
import { run } from "./binaries.ts";
import type { Cluster } from "./cluster.ts";
import { eventually } from "./eventually.ts";
import { Load } from "./load.ts";
import { applyManifests, prepare, ready } from "./novaedge.ts";
import { backend, BOTH, gateway, namespace, route } from "./site.ts";
import { givenKubeconfig, openTarget, type Target } from "./target.ts";
import { clusterProblem } from "./tools.ts";

const given = givenKubeconfig() !== "";
const missing = given ? "" : await clusterProblem();
const SYSTEM = "novaedge-system";
let target: Target | null = null;
let address = "";

/** A test with processes of the nodes, which a cluster of somebody else's does not show. */
function machineOperation(
  name: string,
  body: (target: Target, machines: Cluster) => Promise<void>,
): void {
  const problem = given ? "not with a cluster by KUBECONFIG" : missing;
  operation(name, (of) => body(of, of.machines!), problem);
}

function operation(
  name: string,
  body: (target: Target) => Promise<void>,
  problem = missing,
): void {
  Deno.test({
    name: problem === "" ? name : `${name} (${problem})`,
    ignore: problem !== "",
    // The cluster outlives the tests that use it; the last one ends it.
    sanitizeOps: false,
    sanitizeResources: false,
    async fn() {
      try {
        await body(target ??= await openTarget());
      } catch (error) {
        // The run says it at its end only, which is minutes away.
        note(String(error));
        throw error;
      }
    },
  });
}

/** A figure for people who read the output. */
function note(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

async function apply(of: Target, text: string): Promise<void> {
  const file = await Deno.makeTempFile({ suffix: ".yaml" });
  await Deno.writeTextFile(file, text);
  try {
    await of.kubectl("apply", "-f", file);
  } finally {
    await Deno.remove(file);
  }
}

/** A field of an object. */
function field(of: Target, kind: string, name: string, path: string, space = "default") {
  return of.kubectl("-n", space, "get", kind, name, "-o", `jsonpath={${path}}`);
}

function programmed(of: Target, name: string, space = "default"): Promise<void> {
  return eventually(
    `Gateway ${name} to be programmed`,
    async () =>
      await field(
        of,
        "gateway",
        name,
        ".status.conditions[?(@.type=='Programmed')].status",
        space,
      ) ===
        "True",
  );
}

async function addressOf(of: Target, name: string, space = "default"): Promise<string> {
  await programmed(of, name, space);
  return await field(of, "gateway", name, ".status.addresses[0].value", space);
}

async function ask(host: string, port = 80): Promise<number> {
  const connection = await HttpConnection.open(port, { host }).catch(() => null);
  if (connection === null) return 0;
  const { status } = await connection.request("GET", "/");
  connection.socket.destroy();
  return status;
}

/** Runs something under load; not one request may fail. */
async function unharmed(during: () => Promise<void>): Promise<void> {
  const load = new Load(address);
  try {
    await load.more(300);
    await during();
    await load.more(600);
  } finally {
    await load.stop();
  }
  const { failures, answers } = load;
  assert.deepEqual(failures.slice(0, 10), [], `${failures.length} of ${answers} failed`);
}

/** Processes of one of our programs on a node. */
async function processes(of: Cluster, node: string, program: string): Promise<number[]> {
  const network = await Deno.readLink(`/proc/${of.program(`${node}/kubelet`).process.pid}/ns/net`);
  const found: number[] = [];
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const line = Deno.readTextFileSync(`/proc/${name}/cmdline`);
      if (!line.includes(`${program}/main.ts`)) continue;
      if (await Deno.readLink(`/proc/${name}/ns/net`) === network) found.push(Number(name));
    } catch {
      // Gone meanwhile.
    }
  }
  return found;
}

/** Resolves when the cluster hears of all nodes, and everything of ours is ready. */
async function nodesReady(of: Target): Promise<void> {
  await eventually("all nodes", async () => {
    const nodes = await of.kubectl("get", "nodes", "--no-headers");
    return nodes.split("\n").filter((line) => /\bReady\b/.test(line)).length === of.nodes.length;
  });
  await ready(of);
}

async function leader(of: Target): Promise<string> {
  const identity = await field(of, "lease", "novaedge-controller", ".spec.holderIdentity", SYSTEM);
  return identity.split("_")[0];
}

operation("a Gateway answers soon after the manifests were applied", async (of) => {
  await prepare(of, { version: "v1.7.0", channel: "standard" });
  const authority = await Authority.create();
  await apply(of, secret("site", await authority.issue({ name: "one", dns: ["a.example.com"] })));
  await apply(of, backend("web", "default"));
  await of.kubectl("rollout", "status", "deployment/web");
  await apply(
    of,
    `${gateway("site", "default", BOTH)}---\n${route("web", "default", "site", "web")}`,
  );
  await applyManifests(of);
  address = await addressOf(of, "site");
  await eventually("an answer", async () => await ask(address) === 200);
  const answered = Date.now();
  const times = await of.kubectl(
    ...["-n", SYSTEM, "get", "pods", "-o", "jsonpath={.items[*].status.startTime}"],
  );
  const started = Math.min(...times.split(" ").map(Date.parse));
  note(`pods' start to first answer: ${((answered - started) / 1_000).toFixed(1)} s`);
  await ready(of);
  const known = ".status.conditions[?(@.type=='SupportedVersion')].status";
  assert.equal(await field(of, "gatewayclass", "novaedge", known), "True");
  const began = performance.now();
  await apply(of, `${gateway("next", "default")}---\n${route("next", "default", "next", "web")}`);
  const next = await addressOf(of, "next");
  await eventually("an answer", async () => await ask(next) === 200);
  note(`Gateway to first answer: ${Math.round(performance.now() - began)} ms`);
  await of.kubectl("delete", "gateway/next", "httproute/next");
});

operation("four Gateways on one port answer on their own addresses only", async (of) => {
  const places = [["one", "a"], ["one", "b"], ["two", "c"], ["three", "d"]];
  const objects = places.map(([space, name]) =>
    [
      namespace(space),
      gateway(name, space),
      backend(name, space, 1),
      route(name, space, name, name),
    ].join("---\n")
  );
  await apply(of, objects.join("---\n"));
  const addresses = await Promise.all(places.map(([space, name]) => addressOf(of, name, space)));
  assert.equal(new Set(addresses).size, 4);
  for (const [i, [space, name]] of places.entries()) {
    await eventually(`${name} to answer`, async () => await ask(addresses[i]) === 200);
    for (let times = 0; times < 10; times++) {
      const connection = await HttpConnection.open(80, { host: addresses[i] });
      const { body } = await connection.request("GET", "/");
      connection.socket.destroy();
      const { namespace: from, pod } = JSON.parse(body);
      assert.deepEqual([from, pod.split("-")[0]], [space, name]);
    }
  }
  await of.kubectl("delete", "namespace", "one", "two", "three", "--wait=false");
});

operation("a backend's rollout loses no request", async (of) => {
  await unharmed(async () => {
    await of.kubectl("rollout", "restart", "deployment/web");
    await of.kubectl("rollout", "status", "deployment/web");
  });
});

operation("a node's drain loses no request", async (of) => {
  await unharmed(async () => {
    await of.kubectl("drain", of.nodes[1], "--ignore-daemonsets", "--delete-emptydir-data");
  });
  await of.kubectl("uncordon", of.nodes[1]);
  await ready(of);
});

operation("a rollout of the controllers loses no request", async (of) => {
  await unharmed(async () => {
    await of.kubectl("-n", SYSTEM, "rollout", "restart", "deployment/novaedge-controller");
    await ready(of);
  });
});

for (
  const [how, flags] of [["goes", []], ["is killed", ["--grace-period=0", "--force"]]] as const
) {
  operation(`when the leader ${how} no request is lost and another one serves`, async (of) => {
    const before = await leader(of);
    await unharmed(async () => {
      await of.kubectl("-n", SYSTEM, "delete", "pod", before, ...flags);
      await eventually("another leader", async () => {
        const now = await leader(of);
        return now !== "" && now !== before;
      });
    });
    // It publishes what comes from now on.
    await apply(of, `${gateway("late", "default")}---\n${route("late", "default", "late", "web")}`);
    const late = await addressOf(of, "late");
    await eventually("the new Gateway to answer", async () => await ask(late) === 200);
    await of.kubectl("delete", "gateway/late", "httproute/late");
    await ready(of);
  });
}

machineOperation("an agent's restart loses no request", async (of, machines) => {
  await unharmed(async () => {
    for (const node of of.nodes) {
      const [agent] = await processes(machines, node, "agent");
      Deno.kill(agent, "SIGKILL");
      await eventually(`the agent of ${node}`, async () => {
        const [now] = await processes(machines, node, "agent");
        return now !== undefined && now !== agent;
      });
    }
    await ready(of);
  });
});

machineOperation(
  "a minute without the API server loses no request, and what changed comes after it",
  async (of, machines) => {
    await unharmed(async () => {
      await machines.program("cp/apiserver").end("SIGKILL");
      await new Promise((resolve) => setTimeout(resolve, 60_000));
      await machines.startApiServer();
      await ready(of);
    });
    await apply(
      of,
      `${gateway("after", "default")}---\n${route("after", "default", "after", "web")}`,
    );
    const after = await addressOf(of, "after");
    await eventually("the new Gateway to answer", async () => await ask(after) === 200);
    await of.kubectl("delete", "gateway/after", "httproute/after");
  },
);

machineOperation("a restart of etcd loses no request", async (of, machines) => {
  await unharmed(async () => {
    await machines.program("cp/etcd").end("SIGKILL");
    machines.startEtcd();
    await ready(of);
  });
});

operation("another certificate is shown without losing a request", async (of) => {
  const shown = async () => {
    const tls = { servername: "a.example.com" };
    const { socket } = await HttpConnection.open(443, { host: address, tls });
    const { fingerprint256 } = (socket as TLSSocket).getPeerCertificate();
    socket.destroy();
    return fingerprint256;
  };
  const before = await shown();
  const load = new Load(address, { port: 443, tls: true, rate: 100 });
  await load.more(100);
  const authority = await Authority.create();
  await apply(of, secret("site", await authority.issue({ name: "two", dns: ["a.example.com"] })));
  await eventually("the new certificate", async () => await shown() !== before);
  await load.more(100);
  const { failures } = await load.stop();
  assert.deepEqual(failures.slice(0, 10), []);
});

machineOperation(
  "pods of nodes that the control plane hears nothing of keep serving",
  async (of, machines) => {
    const ready = async () => {
      const found = await of.kubectl(
        ...["get", "endpointslices", "-l", "kubernetes.io/service-name=web"],
        ...["-o", "jsonpath={.items[*].endpoints[*].conditions.ready}"],
      );
      return found.split(" ").filter((one) => one === "true").length;
    };
    const kubelets = of.nodes.map((node) => machines.program(`${node}/kubelet`).process.pid);
    await unharmed(async () => {
      kubelets.forEach((pid) => Deno.kill(pid, "SIGSTOP"));
      try {
        await eventually("no endpoint to be ready", async () => await ready() === 0);
      } finally {
        kubelets.forEach((pid) => Deno.kill(pid, "SIGCONT"));
      }
      await eventually("all endpoints to be ready", async () => await ready() === 3);
    });
    await nodesReady(of);
  },
);

for (const which of ["without", "with"] as const) {
  machineOperation(
    `a Gateway that is made while a node, ${which} the leader on it, is off is served by the other`,
    async (of, machines) => {
      const pod = await leader(of);
      const leading = await field(of, "pod", pod, ".spec.nodeName", SYSTEM);
      // A drain has left all of them on one node.
      await of.kubectl("rollout", "restart", "deployment/web");
      await of.kubectl("rollout", "status", "deployment/web");
      const off = of.nodes.find((node) => (node === leading) === (which === "with"))!;
      await machines.lan.setLink(off, false);
      try {
        const began = performance.now();
        await apply(
          of,
          `${gateway("lonely", "default")}---\n${route("lonely", "default", "lonely", "web")}`,
        );
        const lonely = await addressOf(of, "lonely");
        const took = Math.round(performance.now() - began);
        note(`programmed without a node, ${which} the leader on it: ${took} ms`);
        await eventually("an answer", async () => await ask(lonely) === 200);
      } finally {
        await machines.lan.setLink(off, true);
      }
      await of.kubectl("delete", "gateway/lonely", "httproute/lonely");
      await nodesReady(of);
    },
  );
}

operation("a restart of the dataplane drains, and what it refuses is counted", async (of) => {
  const load = new Load(address);
  await load.more(300);
  await of.kubectl("-n", SYSTEM, "rollout", "restart", "daemonset/novaedge-node");
  await ready(of);
  await eventually("an answer", async () => await ask(address) === 200);
  // Connections that the kernel had taken and nobody had accepted yet are reset with the listener.
  const { failures, refused, answers } = await load.stop();
  const reset = failures.length - refused;
  note(`dataplane rollout: ${answers} answered, ${refused} refused, ${reset} reset`);
  await unharmed(() => Promise.resolve());
});

operation("the cluster leaves nothing behind", async (of) => {
  await of.kubectl("delete", "gateway/site", "httproute/web", "deployment/web", "service/web");
  await of.stop();
  const { machines } = of;
  if (machines === null) {
    assert.equal(await of.kubectl("get", "namespace", SYSTEM, "--ignore-not-found"), "");
    return;
  }
  const left = await run("ip", ["netns", "list"], "/");
  assert.ok(!left.includes(machines.lan.namespace("n1")), left);
  assert.ok(!Deno.readTextFileSync("/proc/mounts").includes(machines.folder));
});
