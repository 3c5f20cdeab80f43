/** A real API server with thousands of routes: how long a change takes to be served, and what it costs. */
import { networkInterfaces } from "node:os";
import { type ApiClient, MERGE_PATCH } from "../../controller/source/kubernetes/api_client.ts";
import { ApiServer } from "../cluster/api_server.ts";
import { gatewayCrds, install, ownCrds } from "../cluster/crds.ts";
import {
  type ClusterObject,
  create,
  gatewayObjects,
  idleAddresses,
  namespaceOf,
  pathOf,
  routeObject,
  serviceName,
  serviceObjects,
} from "./cluster_objects.ts";
import { cpuMicroseconds, residentMegabytes } from "./cpu.ts";
import { type RunningGateway, startGateway } from "./gateway.ts";
import { ManyAgents, type Received } from "./many_agents.ts";
import { OpenLoop } from "./open_loop.ts";
import { freePorts } from "./ports.ts";
import { progress } from "./print.ts";
import { makeChange } from "./propagation.ts";
import { ask } from "./raw_client.ts";
import { hostOf } from "./resources.ts";
import { rawBackendCommand } from "./runtime.ts";
import { Scene, until } from "./scene.ts";
import { type ChangeTimes, VersionTracker } from "./version_tracker.ts";

const VERSIONS = ["a", "b"] as const;
const WORKERS = 2;
const PROGRESS = 100;
const SERVICES = 1_000;
/** Changes that many agents are sent. */
const FAN_OUT = 50;
/** Milliseconds of rest before memory is read, and in which a change may come to more than one delta. */
const REST = 5_000;
const SETTLE = 600_000;

export interface KubernetesOptions {
  readonly routes: number;
  readonly largeRoutes: number;
  readonly changes: number;
  readonly agents: number;
  /** Slices of other Services that change meanwhile, per second. */
  readonly churn: number;
  readonly rate: number;
  readonly connections: number;
}

export interface KubernetesResult {
  readonly services: number;
  readonly times: ChangeTimes[];
  /** Milliseconds that the API server took to take in each change. */
  readonly writes: number[];
  readonly lost: number;
  readonly sent: number;
  readonly answered: number;
  readonly wrong: number;
  readonly failed: number;
  readonly firstFailure: string;
  /** Share of one core that the controller took meanwhile, and slices that changed. */
  readonly controllerLoad: number;
  readonly churned: number;
  /** Resources by kind that one changed slice came to, with all routes. */
  readonly sliceKinds: Readonly<Record<string, number>>;
  readonly sliceBytes: number;
  readonly controllerMegabytes: number;
  readonly fanOut: FanOut;
}

/** What many agents of one controller got. */
export interface FanOut {
  readonly agents: number;
  /** Bytes of an agent's first delta, and milliseconds until all had theirs. */
  readonly firstBytes: number;
  readonly firstAll: number;
  /** Milliseconds from each write until the last agent had it. */
  readonly lastAgent: number[];
  readonly bytes: number;
  /** CPU of the controller for each change, in milliseconds. */
  readonly cpu: number;
  readonly controllerMegabytes: number;
}

/** An address of this machine but loopback, which no slice may name; packets to it do not leave the machine. */
function ownAddress(): string {
  const found = Object.values(networkInterfaces()).flatMap((list) => list ?? []).find((each) =>
    each.family === "IPv4" && !each.internal
  );
  if (found === undefined) throw new Error("needs an IPv4 address besides loopback");
  return found.address;
}

/** The cluster of the bench. */
class ScaleCluster {
  readonly #client: ApiClient;
  readonly #gateway: RunningGateway;
  readonly #changing: number;

  constructor(
    client: ApiClient,
    gateway: RunningGateway,
    changing: number,
  ) {
    this.#client = client;
    this.#gateway = gateway;
    this.#changing = changing;
  }

  /** Leads the changing route to another Service; resolves with the milliseconds that the write took. */
  async lead(version: string): Promise<number> {
    const began = performance.now();
    const route = routeObject(this.#changing, hostOf(this.#changing), version);
    const { spec } = route as unknown as { spec: { rules: unknown } };
    await this.#patch(route, { spec: { rules: spec.rules } });
    return performance.now() - began;
  }

  /** Gives a Service other endpoints. */
  async churn(index: number, generation: number): Promise<void> {
    const addresses = idleAddresses(index, generation);
    const [, slice] = serviceObjects(serviceName(index), addresses, 8080);
    const { endpoints } = slice as unknown as { endpoints: unknown };
    await this.#patch(slice, { endpoints });
  }

  /** Makes routes, and resolves when every one of them has its status. */
  async addRoutes(from: number, to: number): Promise<void> {
    progress(`kubernetes: ${to - from} routes`);
    await create(
      this.#client,
      Array.from({ length: to - from }, (_, i) => {
        const index = from + i;
        const service = index === this.#changing ? VERSIONS[0] : serviceName(index % SERVICES).name;
        return routeObject(index, hostOf(index), service);
      }),
    );
    const { controller } = this.#gateway;
    await until("statuses of all routes", [controller], async () => {
      let written = 0;
      const routes = "/apis/gateway.networking.k8s.io/v1/httproutes";
      for await (const { items } of this.#client.pages(routes)) {
        written += items.filter(({ status }) =>
          (status as { parents?: unknown[] } | undefined)?.parents?.length === 1
        ).length;
      }
      await rest(1_000);
      return written === to;
    }, SETTLE);
  }

  get controller(): number {
    return this.#gateway.controller.pid;
  }

  async #patch(object: ClusterObject, body: object): Promise<void> {
    const path = pathOf(object, true);
    await this.#client.request(path, { method: "PATCH", contentType: MERGE_PATCH, body });
  }
}

function rest(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Runs all of it on one API server. */
export async function runKubernetes(options: KubernetesOptions): Promise<KubernetesResult> {
  progress("kubernetes: starting an API server");
  await using api = await ApiServer.start();
  const client = api.client();
  await install(client, [...ownCrds(), ...await gatewayCrds("v1.7.0", "standard")]);
  await using scene = new Scene();
  const [port, ...backendPorts] = freePorts(1 + VERSIONS.length);
  const address = ownAddress();
  scene.spawn(
    "backends",
    rawBackendCommand(VERSIONS.map((version, i) => [backendPorts[i], version]), address),
  );
  const changing = options.routes >> 1;
  await create(client, gatewayObjects(port).slice(0, 51));
  await create(client, gatewayObjects(port).slice(51));
  progress(`kubernetes: ${SERVICES} Services`);
  const services = Array.from(
    { length: SERVICES },
    (_, i) => serviceObjects(serviceName(i), idleAddresses(i, 0), 8080),
  ).flat();
  await create(client, [
    ...services,
    ...VERSIONS.flatMap((name, i) =>
      serviceObjects({ namespace: namespaceOf(changing), name }, [address], backendPorts[i])
    ),
  ]);
  const gateway = await startGateway(scene, {
    files: {},
    source: [`--kubeconfig=${api.kubeconfig}`],
    workers: WORKERS,
    core: null,
    besides: null,
  });
  const cluster = new ScaleCluster(client, gateway, changing);
  await cluster.addRoutes(0, options.routes);
  const host = hostOf(changing);
  await until("the first answer", scene.children, async () => {
    const answer = await ask(port, host, "/");
    return answer?.body.toString() === VERSIONS[0];
  });
  const propagation = await propagate(cluster, port, host, options);
  await cluster.addRoutes(options.routes, options.largeRoutes);
  await rest(REST);
  const controllerMegabytes = residentMegabytes([cluster.controller]);
  const slice = await oneSlice(cluster, gateway.grpc);
  const fanOut = await toMany(cluster, gateway.grpc, options.agents);
  client.close();
  return { services: SERVICES, ...propagation, ...slice, controllerMegabytes, fanOut };
}

/** Changes one route again and again under load, and times each change. */
async function propagate(
  cluster: ScaleCluster,
  port: number,
  host: string,
  { rate, connections, changes, churn }: KubernetesOptions,
) {
  const tracker = new VersionTracker(VERSIONS, connections);
  using load = new OpenLoop({
    port,
    host,
    connections,
    rate,
    onAnswer: (connection, body, arrived) => tracker.answer(connection, body, arrived),
    onReplaced: (connection) => tracker.replaced(connection),
  });
  let churned = 0;
  const failures: unknown[] = [];
  const churning = churn === 0 ? undefined : setInterval(() => {
    const index = churned++ % SERVICES;
    cluster.churn(index, 1 + Math.floor(churned / SERVICES)).catch((error) => failures.push(error));
  }, 1_000 / churn);
  const times: ChangeTimes[] = [];
  const writes: number[] = [];
  let lost = 0;
  const began = performance.now();
  const cpu = cpuMicroseconds([cluster.controller]);
  while (times.length < changes && lost === 0) {
    let written: Promise<number> = Promise.resolve(0);
    const version = tracker.nextBody;
    const change = await makeChange(tracker, () => written = cluster.lead(version));
    writes.push(await written);
    if (change === null) lost++;
    else times.push(change);
    if (times.length % PROGRESS === 0) {
      progress(`kubernetes: ${times.length} of ${changes} changes`);
    }
  }
  clearInterval(churning);
  if (failures.length > 0) throw failures[0];
  const controllerLoad = (cpuMicroseconds([cluster.controller]) - cpu) / 1e3 /
    (performance.now() - began);
  const { sent, answered, failed, firstFailure } = load;
  const { wrong } = tracker;
  return {
    times,
    writes,
    lost,
    sent,
    answered,
    wrong,
    failed,
    firstFailure,
    controllerLoad,
    churned,
  };
}

/** What an agent is sent when one slice of endpoints changes. */
async function oneSlice(cluster: ScaleCluster, grpc: number) {
  using agents = new ManyAgents(1, `127.0.0.1:${grpc}`, () => {});
  await new Promise<void>((resolve) => agents.onDelta = () => resolve());
  await rest(REST);
  const sliceKinds: Record<string, number> = {};
  let sliceBytes = 0;
  agents.onDelta = (_agent, { bytes, kinds }) => {
    sliceBytes += bytes;
    for (const [kind, count] of kinds) sliceKinds[kind] = (sliceKinds[kind] ?? 0) + count;
  };
  await cluster.churn(7, 19);
  await rest(REST);
  return { sliceKinds, sliceBytes };
}

/** Many agents that all hold everything. */
async function toMany(cluster: ScaleCluster, grpc: number, count: number): Promise<FanOut> {
  progress(`kubernetes: ${count} agents`);
  const gone: string[] = [];
  let ending = false;
  const began = performance.now();
  using agents = new ManyAgents(count, `127.0.0.1:${grpc}`, (reason) => {
    if (!ending) gone.push(reason);
  });
  /** Resolves when every agent was sent a delta of this kind. */
  const all = (kind: string) =>
    new Promise<Received[]>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${seen.size} of ${count} agents`)), 60_000);
      const seen = new Map<number, Received>();
      agents.onDelta = (agent, received) => {
        if (!received.kinds.has(kind) || seen.has(agent)) return;
        seen.set(agent, received);
        if (seen.size < count) return;
        clearTimeout(timer);
        resolve([...seen.values()]);
      };
    });
  const last = (received: readonly Received[]) => Math.max(...received.map(({ at }) => at));
  const first = await all("KIND_ROUTE");
  const firstAll = last(first) - began;
  await rest(REST);
  const lastAgent: number[] = [];
  let bytes = 0;
  const cpu = cpuMicroseconds([cluster.controller]);
  for (let i = 0; i < FAN_OUT; i++) {
    const arrived = all("KIND_ROUTE");
    const sent = performance.now();
    await cluster.lead(VERSIONS[(i + 1) % 2]);
    const received = await arrived;
    lastAgent.push(last(received) - sent);
    bytes += received[0].bytes / FAN_OUT;
  }
  const used = (cpuMicroseconds([cluster.controller]) - cpu) / 1e3 / FAN_OUT;
  ending = true;
  if (gone.length > 0) throw new Error(`an agent was dropped: ${gone[0]}`);
  return {
    agents: count,
    firstBytes: first[0].bytes,
    firstAll,
    lastAgent,
    bytes,
    cpu: used,
    controllerMegabytes: residentMegabytes([cluster.controller]),
  };
}
