import { networksOf } from "../common/network_flag.ts";
import { dirname, join, resolve } from "node:path";
import { messageOf, NovaEdgeError } from "../common/errors.ts";
import { FlagError, type FlagTable, type FlagValues } from "../common/flags.ts";
import { createLogger, LOG_LEVELS, type Logger, type LogLevel } from "../common/log.ts";
import { aborted, type Asked } from "../common/program.ts";
import { probe, statusHandler } from "../common/status_server.ts";
import type { StatsReply } from "../proto/gen/novaedge/v1/distribution.ts";
import { ConfigStore } from "./control/config_store.ts";
import { ControlServer } from "./control/control_server.ts";
import { type TransportName, TRANSPORTS } from "./net/create_transport.ts";
import { confineDataplane, sealDataplane } from "./net/native/confine/confine_dataplane.ts";
import { nativeProblem } from "./net/native/native_problem.ts";
import { LogFile } from "./observe/log_file.ts";
import { type LogFormat, logFormat } from "./observe/log_format.ts";
import { LogWriter, type Sink } from "./observe/log_writer.ts";
import { TraceExporter } from "./observe/trace_exporter.ts";
import { renderMetrics } from "./observe/prometheus.ts";
import { Supervisor } from "./worker/supervisor.ts";

export const DATAPLANE_FLAGS = {
  "socket": {
    type: "string",
    default: "/run/novaedge/dataplane.sock",
    help: "unix socket on which the agent brings configuration",
  },
  "admin": { type: "string", default: "", help: "unix socket for /metrics, /ready and /healthz" },
  "workers": {
    type: "integer",
    default: 0,
    range: [0, 1024],
    help: "traffic workers, 0 for one per core",
  },
  "transport": {
    type: "string",
    default: "node",
    choices: TRANSPORTS,
    help:
      "who carries streams: node is the runtime's sockets and TLS; native, on Linux, is epoll and " +
      "OpenSSL, at a lower cost (docs/security.md)",
  },
  "tcp-user-timeout": {
    type: "integer",
    default: 0,
    range: [0, 3_600_000],
    help:
      "native: milliseconds after which a peer that acknowledges nothing is given up, 0 for the " +
      "system's own",
  },
  "upstream-mark": {
    type: "integer",
    default: 0,
    range: [0, 2_147_483_647],
    help: "native: mark (SO_MARK) of packets to backends, 0 for none; needs CAP_NET_ADMIN",
  },
  "upstream-dscp": {
    type: "integer",
    default: 0,
    range: [0, 63],
    help: "native: differentiated services code point of packets to backends",
  },
  "worker-heap-mb": {
    type: "integer",
    default: 512,
    range: [32, 65_536],
    help: "JavaScript heap of one traffic worker, in MiB",
  },
  "zone": {
    type: "string",
    default: "",
    help: "zone of this node; backends with locality SameZone prefer its endpoints",
  },
  "blocked-upstreams": {
    type: "string",
    default: "",
    help: "networks (CIDR, commas between them) that no backend may be in, whatever its name says",
  },
  "allowed-upstreams": {
    type: "string",
    default: "",
    help: "networks that backends may be in all the same",
  },
  "otlp-endpoint": {
    type: "string",
    default: "",
    help: "collector of traces (OTLP over HTTP), as http://127.0.0.1:4318; none without it",
  },
  "access-log": {
    type: "string",
    default: "",
    help:
      "file that the access log is appended to, and opened again for SIGUSR1; standard output when empty",
  },
  "access-log-format": {
    type: "string",
    default: "json",
    help: 'json, combined, or a template of the fields of json, as "{time} {status} {path}"',
  },
  "access-log-max-mb": {
    type: "integer",
    default: 0,
    range: [0, 1_048_576],
    help: "MiB after which the file of --access-log is moved to FILE.1; 0 for never",
  },
  "access-log-backups": {
    type: "integer",
    default: 5,
    range: [0, 1_000],
    help: "old files of --access-log that are kept, with --access-log-max-mb",
  },
  "rate-limit-keys": {
    type: "integer",
    default: 131_072,
    range: [1024, 16_777_216],
    help: "clients, headers… that rate limits count at once, 64 bytes each",
  },
  "log-level": { type: "string", default: "info", choices: LOG_LEVELS, help: "least level logged" },
  "drain-timeout": {
    type: "integer",
    default: 30,
    range: [0, 3600],
    help: "seconds that work in flight may take when the dataplane ends",
  },
  "drain-delay": {
    type: "integer",
    default: 0,
    range: [0, 3600],
    help: "seconds that connections are still taken after readiness has failed",
  },
  "fault-injection": {
    type: "boolean",
    default: false,
    help: "let tests break a traffic worker on purpose",
  },
} as const satisfies FlagTable;

export type DataplaneFlags = FlagValues<typeof DATAPLANE_FLAGS>;

/**
 * Runs the dataplane until the signal is aborted, then drains.
 * @param alone whether the process is only this dataplane, so that all of its threads are confined
 */
export async function runDataplane(
  flags: DataplaneFlags,
  signal: AbortSignal,
  asked: Asked,
  alone = true,
): Promise<void> {
  const log = createLogger("dataplane", flags["log-level"] as LogLevel);
  const { socket } = flags;
  const transport = flags.transport as TransportName;
  const unusable = transport === "native" ? nativeProblem() : "";
  if (unusable !== "") throw new FlagError(`--transport native: ${unusable}`);
  await clearSocket(socket);
  const accessLog = openAccessLog(flags);
  const writer = new LogWriter(accessLog.sink);
  asked.reopen = () => {
    if (accessLog.file === null) return;
    try {
      accessLog.file.reopen();
      log.info({ file: flags["access-log"] }, "access log opened again");
    } catch (error) {
      log.error({ reason: messageOf(error) }, "access log not opened again; the old file is used");
    }
  };
  const endpoint = flags["otlp-endpoint"];
  if (endpoint !== "" && !/^https?:\/\/[^/]/.test(endpoint)) {
    throw new NovaEdgeError("FLAG", `--otlp-endpoint: "${endpoint}" is not an http or https URL`);
  }
  const upstreams = {
    blocked: networksOf("blocked-upstreams", flags["blocked-upstreams"]),
    allowed: networksOf("allowed-upstreams", flags["allowed-upstreams"]),
  };
  if (transport === "native") {
    confine(dirname(resolve(socket)), [flags.admin, flags["access-log"]], alone, log);
  }
  const exporter = endpoint === "" ? null : new TraceExporter(endpoint, log);
  const config: ConfigStore = new ConfigStore(() => supervisor);
  const supervisor: Supervisor = new Supervisor({
    workers: flags.workers || navigator.hardwareConcurrency,
    log,
    faultInjection: flags["fault-injection"],
    transport,
    sockets: {
      userTimeout: flags["tcp-user-timeout"],
      upstreamMark: flags["upstream-mark"],
      upstreamTos: flags["upstream-dscp"] << 2,
    },
    heapMb: flags["worker-heap-mb"],
    zone: flags.zone,
    upstreams,
    rateLimitKeys: flags["rate-limit-keys"],
    resources: () => config.resources(),
    onAccessLog: (batch, lines, done) => writer.add(accessLog.format(batch), lines, done),
    onListeners: () => listenersChanged(),
    onSpans: exporter === null ? null : (spans) => exporter.add(spans),
  });
  const metrics = () =>
    renderMetrics(supervisor.regions(), supervisor.slots, {
      workers: supervisor.workers,
      workerDeaths: supervisor.deaths,
      nativeMemory: supervisor.nativeMemory(),
      logLinesDropped: writer.dropped,
      spans: { exported: exporter?.exported ?? 0, dropped: exporter?.dropped ?? 0 },
      resources: config.store.size,
      endpoints: supervisor.endpointRegistry.counts(),
      certificateEnds: config.certificates.entries(),
    });
  const server = new ControlServer({
    config,
    log,
    stats: async (): Promise<StatsReply> => ({
      version: config.store.version,
      ready: config.ready,
      metrics: metrics(),
      endpoints: await supervisor.endpoints(),
      listeners: supervisor.listeners(),
      workers: supervisor.workers,
    }),
    explain: (method, url, headers) => supervisor.explain(method, url, headers),
    listeners: () => supervisor.listeners(),
    setLogLevel: (level) => void (log.level = level),
    injectFault: (worker, fault) => {
      if (!flags["fault-injection"]) throw new Error("started without --fault-injection");
      supervisor.fault(worker, fault);
    },
  });
  let problems = "";
  function listenersChanged(): void {
    const failed = supervisor.listeners().filter(({ problem }) => problem !== "");
    const now = JSON.stringify(failed);
    if (now === problems) return;
    problems = now;
    for (const { listener, port, problem } of failed) {
      log.error({ listener, port, problem }, "listener is down");
    }
    server.listenersChanged();
  }
  await server.listen(socket);
  const admin = flags.admin === "" ? null : await serveAdmin(flags.admin, config, metrics);
  if (transport === "native") {
    // The folder of the log is one that the process is confined to.
    const rotates = flags["access-log"] !== "" && flags["access-log-max-mb"] > 0;
    orUnusable(() => sealDataplane(alone, rotates));
  }
  supervisor.start();
  log.info(
    { socket, workers: supervisor.workers, transport },
    "dataplane started; waiting for configuration",
  );

  await aborted(signal);
  log.info("draining");
  config.end();
  await supervisor.stop(flags["drain-timeout"] * 1000, flags["drain-delay"] * 1000);
  await writer.flush();
  accessLog.file?.close();
  await exporter?.stop();
  server.stop();
  await admin?.shutdown();
  await Deno.remove(socket).catch(() => {});
  log.info("dataplane ended");
}

interface OpenedLog {
  readonly sink: Sink;
  readonly format: LogFormat;
  /** Null for standard output. */
  readonly file: LogFile | null;
}

/** Where the access log goes. @throws {FlagError} */
function openAccessLog(flags: DataplaneFlags): OpenedLog {
  const path = flags["access-log"];
  try {
    const format = logFormat(
      flags["access-log-format"],
      path === "" && Deno.stdout.isTerminal(),
    );
    if (path === "") return { sink: Deno.stdout, format, file: null };
    const most = flags["access-log-max-mb"] * 2 ** 20;
    const file = new LogFile(resolve(path), most, flags["access-log-backups"]);
    return { sink: file, format, file };
  } catch (error) {
    const flag = error instanceof RangeError ? "--access-log-format" : `--access-log ${path}`;
    throw new FlagError(`${flag}: ${messageOf(error)}`);
  }
}

/** Gives up what the runtime's permissions no longer guard when libraries are called. */
function confine(run: string, written: readonly string[], alone: boolean, log: Logger): void {
  const home = Deno.env.get("XDG_CACHE_HOME") ?? join(Deno.env.get("HOME") ?? "/", ".cache");
  const packages = Deno.env.get("DENO_DIR") ?? join(home, "deno");
  const { landlock } = orUnusable(() =>
    confineDataplane({
      read: [resolve(import.meta.dirname!, ".."), packages],
      write: [run, ...written.filter((file) => file !== "").map((file) => dirname(resolve(file)))],
      alone,
    })
  );
  log.info({ seccomp: true, landlock }, "process confined");
  if (landlock === 0) log.warn("file system not restricted: the kernel has no Landlock");
}

/** Returns what a step of the confinement returns. @throws {FlagError} when it fails */
function orUnusable<T>(step: () => T): T {
  try {
    return step();
  } catch (error) {
    throw new FlagError(
      `--transport native: cannot confine the process: ${messageOf(error)}; ` +
        "allow it in the container's seccomp profile, or use --transport node",
    );
  }
}

/** Removes the socket that a killed dataplane left; refuses when a living one answers on it. */
async function clearSocket(path: string): Promise<void> {
  await Deno.mkdir(dirname(path), { recursive: true, mode: 0o750 });
  try {
    const connection = await Deno.connect({ transport: "unix", path });
    connection.close();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    if (error instanceof Deno.errors.ConnectionRefused) {
      await Deno.remove(path);
      return;
    }
    throw new NovaEdgeError("SOCKET", `${path}: ${messageOf(error)}`, { cause: error });
  }
  throw new NovaEdgeError("SOCKET", `${path}: another dataplane is running on this socket`);
}

/** Serves status on a unix socket: browsers cannot connect, and its folder's permissions say who can. */
async function serveAdmin(
  path: string,
  config: ConfigStore,
  metrics: () => string,
): Promise<Deno.HttpServer> {
  await Deno.remove(path).catch(() => {});
  const handler = statusHandler({
    "/healthz": () => probe(true, ""),
    "/ready": () => probe(config.ready, "no configuration yet"),
    "/metrics": () => new Response(metrics()),
  });
  return Deno.serve({ path, onListen() {} }, handler);
}
