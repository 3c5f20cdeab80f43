import { networksOf } from "../common/network_flag.ts";
import { hostname } from "node:os";
import { dirname } from "node:path";
import { Counter, Histogram, Registry } from "prom-client";
import { keyOf, versionText } from "../common/delta/resources.ts";
import { HostAllowlist } from "../common/host_allowlist.ts";
import { createLogger, type LogLevel } from "../common/log.ts";
import { collectProcessMetrics, gauge } from "../common/process_metrics.ts";
import { aborted, type Asked } from "../common/program.ts";
import { redactTree } from "../common/redact.ts";
import { hostRefusal } from "../common/request_guard.ts";
import { probe, serveStatus, type StatusServer } from "../common/status_server.ts";
import type { Refusal } from "../proto/gen/novaedge/v1/distribution.ts";
import { DistributionServer } from "./distribution/distribution_server.ts";
import { NodeScopes } from "./distribution/node_scopes.ts";
import { AgentIdentities } from "./identity/agent_identities.ts";
import { clusterInstallationSecret, installationSecret } from "./installation_secret.ts";
import { SnapshotManager } from "./snapshot/snapshot_manager.ts";
import type { SourceSink } from "./source/source.ts";
import { clusterAccess, openFolder } from "./open_source.ts";
import type { ControllerFlags } from "./controller_flags.ts";
import { Cluster } from "./cluster/cluster.ts";
import { ApiClient } from "./source/kubernetes/api_client.ts";
import { KubernetesSource } from "./source/kubernetes/kubernetes_source.ts";
import { HeldVersions } from "./translate/held_versions.ts";
import { outcomeProblems } from "./translate/outcome_log.ts";
import { type ResourceUpdate, Translator } from "./translate/translator.ts";

/** Hosts that the dump of sessions accepts: IP addresses and localhost. */
const STATUS_HOSTS = new HostAllowlist("0.0.0.0");

class ControllerMetrics {
  readonly registry = new Registry();
  readonly translations = new Histogram({
    name: "novaedge_snapshot_build_duration_seconds",
    help: "Time to translate one step of the source.",
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1],
    registers: [this.registry],
  });
  readonly refusals = new Counter({
    name: "novaedge_resources_refused_total",
    help: "Resources that a node refused.",
    registers: [this.registry],
  });

  constructor(figures: Readonly<Record<string, [string, () => number]>>) {
    collectProcessMetrics(this.registry, "controller");
    for (const [name, [help, value]] of Object.entries(figures)) {
      gauge(this.registry, name, help, value);
    }
  }
}

/** Runs the controller until the signal is aborted. */
export async function runController(
  flags: ControllerFlags,
  signal: AbortSignal,
  asked: Asked,
): Promise<void> {
  const log = createLogger("controller", flags["log-level"] as LogLevel);
  // The start time orders the terms of controllers that read a folder; an agent that holds a higher one raises it.
  const snapshot = new SnapshotManager(Date.now());
  const access = clusterAccess(flags);
  const client = access === null ? null : new ApiClient(access);
  const port = flags["grpc-port"];
  const cluster: Cluster | null = client === null ? null : new Cluster({
    client,
    log,
    sessions: () => server.sessions(),
    publish: (updates) => publish(updates),
    election: flags["leader-election"]
      ? {
        namespace: flags.namespace,
        identity: `${hostname()}_${crypto.randomUUID()}`,
        address: flags["advertise-address"] || `127.0.0.1:${port}`,
      }
      : null,
    onServe(term) {
      if (term !== null) snapshot.begin(term);
      publish(translator.readdress());
      server.publish();
      identity?.led();
    },
    onStop: () => server.dismiss(),
    onOther: () => server.onLeader(),
  });
  const translator = new Translator({
    secret: client !== null && flags["leader-election"]
      ? await clusterInstallationSecret(client, flags.namespace)
      : await installationSecret(flags["state-dir"]),
    addresses: cluster?.addresses ?? null,
    externalNetworks: networksOf("external-name-networks", flags["external-name-networks"]),
  });
  let problems = 0;
  const onRefusals = (refusals: readonly Refusal[]) => {
    for (const { resource, reason } of refusals) {
      if (resource === undefined) continue;
      metrics.refusals.inc();
      log.warn(
        { kind: resource.kind, resource: resource.name, reason },
        "a node refused a resource",
      );
      publish(translator.quarantine({ ...resource, reason }));
    }
  };
  const identity: AgentIdentities | null = client === null || flags["agent-auth"] === "none"
    ? null
    : new AgentIdentities(flags, client, log, () => cluster!.leads);
  const server: DistributionServer = new DistributionServer({
    snapshot,
    log,
    scopes: cluster === null
      ? null
      : new NodeScopes(snapshot.store, (node, gateway) => cluster.serves(node, gateway)),
    admit: identity === null ? null : (token) => identity.review(token),
    leads: () => cluster?.leads ?? true,
    leaderAddress: () => cluster?.leaderAddress ?? "",
    mayWait: (unreachable) => cluster?.mayWait(unreachable) ?? true,
    onRefusals,
    onWord: (node) => cluster?.heard(node),
    onHello: (node, addresses) => cluster?.arrived(node, addresses),
    onLeft: (node) => cluster?.left(node),
  });
  const metrics = new ControllerMetrics({
    novaedge_active_config_streams: ["Connected agents.", () => server.sessions().length],
    novaedge_snapshot_number: ["Number of the published version.", () => snapshot.version.number],
    novaedge_snapshot_resources: ["Published resources.", () => snapshot.store.size],
    novaedge_source_errors: ["Problems of the source now.", () => problems],
  });
  function publish(updates: readonly ResourceUpdate[]): string[] {
    const all = [...updates, ...cluster?.place(updates) ?? []];
    const keys = snapshot.update(all);
    cluster?.published(all, snapshot.version);
    server.changed(keys);
    return keys;
  }
  /** What was taken in and is not published yet: of each resource the last. */
  const pending = new Map<string, ResourceUpdate>();
  // A folder keeps what served; in a cluster the rules of the Gateway API decide.
  const versions = client === null ? new HeldVersions(translator) : null;
  const sink: SourceSink = {
    take(changes) {
      cluster?.taken(changes);
      const end = metrics.translations.startTimer();
      const { updates, accepted } = versions?.update(changes) ??
        { updates: translator.update(changes), accepted: [] };
      for (const update of updates) pending.set(keyOf(update), update);
      end();
      return { wanted: translator.wanted, accepted, held: versions?.held ?? new Map() };
    },
    touched: (key) => cluster?.touched(key),
    publish(found) {
      const updates = [...pending.values()];
      pending.clear();
      problems = found.length;
      const keys = publish(updates);
      server.changed(snapshot.setProblems(found));
      log.debug(
        { updates: updates.length, resources: keys.length, version: versionText(snapshot.version) },
        "translated",
      );
      server.publish();
      for (const line of outcomeProblems(updates)) log.warn(line);
    },
  };
  const source = client === null
    ? await openFolder(flags, sink, log)
    : new KubernetesSource(client, sink, log, Math.random);

  const socket = flags["grpc-socket"];
  if (socket !== "") {
    await Deno.mkdir(dirname(socket), { recursive: true, mode: 0o750 });
    await Deno.remove(socket).catch(() => {});
  }
  // The stream carries private keys: where agents show no identity it does not leave the machine.
  const host = identity === null ? "127.0.0.1" : "[::]";
  const address = socket === "" ? `${host}:${port}` : `unix:${socket}`;
  await server.listen(address, await identity?.credentials());
  identity?.announce();
  const status: StatusServer[] = [];
  if (flags["health-port"] > 0) {
    status.push(serveStatus(flags["health-port"], {
      "/healthz": () => probe(true, ""),
      "/readyz": () => probe(source.synced, "the source has not been read completely"),
    }));
  }
  if (flags["metrics-port"] > 0) {
    status.push(serveStatus(flags["metrics-port"], {
      "/metrics": async () => new Response(await metrics.registry.metrics()),
      // Names nodes and quotes their refusals, so it is protected against DNS rebinding.
      "/sessions": (request) =>
        hostRefusal(request, STATUS_HOSTS) ?? Response.json(redactTree(server.sessions())),
    }));
  }
  log.info({ address, source: source.name }, "controller started");
  if (flags["leader-election"] && cluster === null) {
    log.warn("--leader-election has no effect with a folder as source");
  }
  if (source instanceof KubernetesSource) cluster?.start(source, translator);
  await source.start();
  asked.reload = () => {
    log.info({ source: source.name }, "reload: looking at the source");
    source.lookAgain();
  };

  await aborted(signal);
  await cluster?.stop();
  identity?.stop();
  await source.stop();
  server.stop();
  await Promise.all(status.map((one) => one.shutdown()));
  log.info("controller ended");
}
