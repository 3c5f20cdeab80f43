import { hostname } from "node:os";
import { compareVersions, type Version, versionText } from "../common/delta/resources.ts";
import type { FlagTable, FlagValues } from "../common/flags.ts";
import { createLogger, LOG_LEVELS, type LogLevel } from "../common/log.ts";
import { messageOf } from "../common/errors.ts";
import { aborted } from "../common/program.ts";
import { probe, serveStatus, type StatusServer } from "../common/status_server.ts";
import { VERSION } from "../common/version.ts";
import type { Delta, NodeStatus, Refusal } from "../proto/gen/novaedge/v1/distribution.ts";
import { adminApp, type AdminContext, sourceErrorsOf } from "./admin/admin_app.ts";
import { readAdminFlags, serveAdmin } from "./admin/admin_server.ts";
import { ConfigManager } from "./config/config_manager.ts";
import { ControllerClient, type StreamIdentity } from "./config/controller_client.ts";
import { NodeView } from "./config/node_view.ts";
import { DataplaneClient } from "./dataplane/dataplane_client.ts";
import { agentMetrics } from "./metrics.ts";
import { servedListeners, type Serving } from "./serving.ts";
import { LinuxSystem } from "./system/linux_system.ts";
import { AddressHolder } from "./vip/address_holder.ts";

const PORTS = [0, 65_535] as const;
/** Milliseconds between two signs of life to the controller. */
const HEARTBEAT = 3_000;
/** Milliseconds without a controller after which a node holds the addresses that it had. */
const ALONE = 30_000;
/** Milliseconds that a dataplane may drain before its addresses go. */
const DRAIN = 50_000;

export const AGENT_FLAGS = {
  "controller-addr": {
    type: "string",
    default: "localhost:9090",
    help: "controller, host:port or unix:/path",
  },
  "controller-ca": {
    type: "string",
    default: "",
    help: "authorities of the controller, PEM; without it the stream is in the clear",
  },
  "token-file": {
    type: "string",
    default: "",
    help: "ServiceAccount token that is shown to the controller, with --controller-ca",
  },
  "node-name": { type: "string", default: "", help: "name of this node; the host name when empty" },
  "dataplane-socket": {
    type: "string",
    default: "/run/novaedge/dataplane.sock",
    help: "unix socket of the dataplane",
  },
  "state-dir": {
    type: "string",
    default: ".novaedge/agent",
    help: "folder for the last known good configuration",
  },
  "http-port": { type: "integer", default: 80, range: PORTS, help: "port for listeners on 80" },
  "https-port": { type: "integer", default: 443, range: PORTS, help: "port for listeners on 443" },
  "metrics-port": { type: "integer", default: 9090, range: PORTS, help: "metrics, 0 for none" },
  "health-port": { type: "integer", default: 8080, range: PORTS, help: "probes, 0 for none" },
  "status-address": {
    type: "string",
    default: "0.0.0.0",
    help: "address of the ports for metrics and probes; Gateways may want them on theirs",
  },
  "admin": {
    type: "string",
    default: "127.0.0.1:9901",
    help: "address of the admin API, empty for none",
  },
  "admin-hosts": {
    type: "string",
    default: "",
    help:
      "hosts that the admin API accepts in Host beside localhost, loopback addresses and the host " +
      "of --admin; commas between them",
  },
  "novanet-socket": {
    type: "string",
    default: "/var/run/novanet/ebpf-services.sock",
    help: "unix socket of NovaNet; not used by this version",
  },
  "log-level": { type: "string", default: "info", choices: LOG_LEVELS, help: "least level logged" },
} as const satisfies FlagTable;

export type AgentFlags = FlagValues<typeof AGENT_FLAGS>;

/**
 * Runs the agent until the signal is aborted.
 * @param onServing told once, when the dataplane serves what is held
 */
export async function runAgent(
  flags: AgentFlags,
  signal: AbortSignal,
  onServing: (serving: Serving) => void = () => {},
): Promise<void> {
  const log = createLogger("agent", flags["log-level"] as LogLevel);
  const node = flags["node-name"] || hostname();
  const admin = flags.admin === "" ? null : readAdminFlags(flags.admin, flags["admin-hosts"]);
  const config = await ConfigManager.open(`${flags["state-dir"]}/last_known_good`, log);
  const ports = { http: flags["http-port"], https: flags["https-port"] };
  const view = new NodeView(config.store, node, ports);
  const holder = await AddressHolder.open(
    new LinuxSystem(),
    `${flags["state-dir"]}/addresses.json`,
    log,
  );
  // What this node held may be another's by now: only what is here still is kept before somebody says more.
  await holder.hold(holder.present(view.heldHere()));
  const alone = setTimeout(() => {
    log.warn("no word from a controller: holding the addresses that this node had");
    void holder.hold(view.heldHere());
  }, ALONE);
  /** Whether `onServing` was called. */
  let servingTold = false;
  /** URL of the admin API, "" while it is not served. */
  let adminUrl = "";
  /** Grows with each connection to the controller: what belongs to an old one is not answered. */
  let connection = 0;
  /** The version last said to run in the dataplane. */
  let announced: Version | null = null;
  /** Whether a controller has said what is so since the start. */
  let told = false;
  /** The controller's delta that is not answered yet, and what it changed. */
  let open: { delta: Delta; changed: string[]; refusals: Refusal[] } | null = null;

  const dataplane: DataplaneClient = new DataplaneClient({
    socket: flags["dataplane-socket"],
    view,
    log,
    complete: () => config.complete,
    onApplied: (refusals) => {
      settle(refusals);
      tellServing();
    },
    onState: () => controller.send({ $case: "status", value: status() }),
  });
  const controller: ControllerClient = new ControllerClient({
    address: flags["controller-addr"],
    identity: identityOf(flags),
    log,
    hello: () => ({
      node,
      softwareVersion: VERSION,
      held: compareVersions(dataplane.held, config.version) > 0 ? dataplane.held : config.version,
      resources: config.refs(),
      addresses: holder.held,
    }),
    onDelta: (delta) => receive(delta),
    onConnection: (connected) => {
      connection++;
      if (connected) clearTimeout(alone);
      if (!connected) open = null;
      else controller.send({ $case: "status", value: status() });
    },
  });
  const metrics = agentMetrics({
    novaedge_agent_controller_connected: () => Number(controller.connected),
    novaedge_agent_dataplane_connected: () => Number(dataplane.connected),
    novaedge_agent_resources: () => config.store.size,
    novaedge_agent_listeners_down: () => dataplane.problems.length,
    novaedge_config_errors: () => sourceErrorsOf(config.store).length,
  });

  let leaving = false;
  function status(): NodeStatus {
    return {
      leaving,
      dataplaneConnected: dataplane.connected,
      dataplaneVersion: dataplane.applied ?? undefined,
      listenerProblems: [...dataplane.problems],
      addressProblems: [...holder.problems].map(([address, reason]) => ({ address, reason })),
    };
  }

  function receive(delta: Delta): void {
    const applied = config.apply(delta);
    const { nonce, version } = delta;
    if (applied === null) {
      log.warn(
        { version: versionText(version), held: versionText(config.version) },
        "refused an older configuration",
      );
      const refusals = delta.upserts.map(({ kind, name, hash }) => ({
        resource: { kind, name, hash },
        reason: `node ${node} holds a newer version`,
      }));
      controller.send({ $case: "nack", value: { nonce, version, refusals } });
      return;
    }
    metrics.deltas.inc();
    const first = !told;
    told = true;
    const changed = view.changed(applied.changed);
    const proceed = () => {
      open = { delta, ...applied };
      if (dataplane.connected) dataplane.changed(changed);
      else settle([]);
    };
    if (!first && !applied.changed.some((key) => view.isAddress(key))) {
      proceed();
      return;
    }
    // Listeners can be opened when their addresses are here.
    const current = connection;
    clearTimeout(alone);
    void holder.hold(view.heldHere()).then(() => {
      if (current === connection) proceed();
      else dataplane.changed(changed);
      controller.send({ $case: "status", value: status() });
    });
  }

  /** The dataplane has what we hold, but for refusals: keep it on disk and answer the controller. */
  function settle(refusals: readonly Refusal[]): void {
    const originals = refusals.map(({ resource, reason }) => ({
      resource: resource === undefined ? undefined : view.original(resource),
      reason,
    }));
    if (originals.length > 0) {
      metrics.refusals.inc(originals.length);
      config.revert(originals);
    }
    if (open === null) {
      if (dataplane.applied !== null && dataplane.applied !== announced) {
        announced = dataplane.applied;
        log.info({ version: versionText(announced) }, "the dataplane runs the configuration held");
      }
      if (originals.length === 0) return;
      void config.save(originals.map(({ resource }) => `${resource?.kind}|${resource?.name}`));
      return;
    }
    const { delta: { nonce, version }, changed, refusals: ours } = open;
    open = null;
    log.info(
      { version: versionText(version), changed: changed.length, dataplane: dataplane.connected },
      "configuration applied",
    );
    void config.save(changed);
    const all = [...ours, ...originals];
    controller.send(
      all.length === 0
        ? { $case: "ack", value: { nonce, version } }
        : { $case: "nack", value: { nonce, version, refusals: all } },
    );
  }

  /** What is still to come before anything is served, "" for nothing. */
  function missing(): string {
    if (!config.complete) return "no complete configuration yet";
    if (!dataplane.connected) return "the dataplane is not connected";
    return dataplane.applied === null ? "the dataplane has not applied a configuration yet" : "";
  }

  function tellServing(): void {
    if (servingTold || missing() !== "") return;
    servingTold = true;
    onServing({
      listeners: servedListeners(config.store.values(), dataplane.problems),
      errors: sourceErrorsOf(config.store).length,
      admin: adminUrl,
    });
  }

  const ready = () => {
    const reason = missing();
    if (reason !== "") return { ready: false, reason };
    const listeners = servedListeners(config.store.values(), dataplane.problems);
    const closed = listeners.filter(({ problem }) => problem !== "");
    if (closed.length === 0) return { ready: true, reason: "" };
    const why = closed.map(({ url, problem }) => `${url}: ${problem}`).join("; ");
    return {
      // With some of its listeners a node is better than none.
      ready: closed.length < listeners.length,
      reason: `${closed.length} of ${listeners.length} listeners are not open: ${why}`,
    };
  };
  const allMetrics = async () => {
    const own = await metrics.registry.metrics();
    const theirs = await dataplane.stats().then(({ metrics }) => metrics, () => "");
    return `${own}\n${theirs}`;
  };
  const context: AdminContext = {
    node,
    store: config.store,
    ready,
    state: () => ({
      controller: { address: flags["controller-addr"], connected: controller.connected },
      dataplane: {
        connected: dataplane.connected,
        version: versionText(dataplane.applied ?? undefined),
        listenerProblems: dataplane.problems,
      },
    }),
    stats: () => dataplane.stats(),
    explain: (method, url, headers) => dataplane.explain(method, url, headers),
    metrics: allMetrics,
    setLogLevel: async (level) => {
      log.level = level;
      await dataplane.setLogLevel(level);
    },
  };
  const servers = listen(flags, allMetrics, ready);
  if (admin !== null) {
    try {
      servers.push(serveAdmin(admin, adminApp(context, admin.hosts).fetch));
      adminUrl = `http://${admin.address}`;
    } catch (error) {
      // Traffic does not need it.
      log.error({ address: admin.address }, messageOf(error));
    }
  }
  log.info({ node }, "agent started");
  const heartbeat = setInterval(
    () => controller.send({ $case: "status", value: status() }),
    HEARTBEAT,
  );
  // Addresses stay until the dataplane has drained, and configuration comes until then.
  const ended = new AbortController();
  const runs = [controller.run(ended.signal), dataplane.run(ended.signal)];
  await aborted(signal);
  if (view.heldHere().size > 0) {
    log.info("waiting until the dataplane has ended");
    await dataplane.gone(AbortSignal.timeout(DRAIN));
    leaving = true;
    await holder.hold(new Set());
    await controller.sendLast({ $case: "status", value: status() });
  }
  ended.abort();
  await Promise.all(runs);
  clearInterval(heartbeat);
  clearTimeout(alone);
  holder.stop();
  await Promise.all(servers.map((server) => server.shutdown()));
  await config.close();
  log.info("agent ended");
}

/** Files that other programs replace: each connection reads them anew. */
function identityOf(flags: AgentFlags): StreamIdentity | null {
  const { "controller-ca": authorities, "token-file": token } = flags;
  if (authorities === "") return null;
  return {
    authorities: () => Deno.readFileSync(authorities),
    token: () => token === "" ? "" : Deno.readTextFileSync(token).trim(),
  };
}

function listen(
  flags: AgentFlags,
  metrics: () => Promise<string>,
  ready: () => { ready: boolean; reason: string },
): StatusServer[] {
  const servers: StatusServer[] = [];
  const readiness = () => {
    const state = ready();
    return probe(state.ready, state.reason);
  };
  if (flags["health-port"] > 0) {
    servers.push(serveStatus(flags["health-port"], {
      "/healthz": () => probe(true, ""),
      "/ready": readiness,
      "/readyz": readiness,
    }, flags["status-address"]));
  }
  if (flags["metrics-port"] > 0) {
    servers.push(serveStatus(flags["metrics-port"], {
      "/metrics": async () => new Response(await metrics()),
    }, flags["status-address"]));
  }
  return servers;
}
