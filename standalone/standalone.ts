import { join, resolve } from "node:path";
import { readAdminFlags } from "../agent/admin/admin_server.ts";
import { AGENT_FLAGS, type AgentFlags } from "../agent/agent.ts";
import type { ServedListener, Serving } from "../agent/serving.ts";
import { NovaEdgeError } from "../common/errors.ts";
import { offlineOptions } from "../cli/offline_translator.ts";
import { checkFiles, findingText } from "../cli/checked_folder.ts";
import { readResources } from "../cli/files.ts";
import { FlagError, type FlagTable, type FlagValues } from "../common/flags.ts";
import { LOG_LEVELS } from "../common/log.ts";
import {
  agentPermissions,
  controllerPermissions,
  dataplanePermissions,
  demoPermissions,
  type Folders,
  type PermissionSet,
} from "../common/permissions.ts";
import { aborted, type Asked } from "../common/program.ts";
import { CONTROLLER_FLAGS, type ControllerFlags } from "../controller/controller_flags.ts";
import { DATAPLANE_FLAGS, type DataplaneFlags } from "../dataplane/dataplane.ts";
import { nativeProblem } from "../dataplane/net/native/native_problem.ts";
import type { FromChild, ProgramStart, ToChild } from "./messages.ts";

export const STANDALONE_FLAGS = {
  "resources": { type: "string", default: "", help: "folder of YAML files; a demo when empty" },
  "state-dir": {
    type: "string",
    default: ".novaedge",
    help: "folder for sockets and saved configuration",
  },
  "workers": {
    type: "integer",
    default: 0,
    range: [0, 1024],
    help: "traffic workers, 0 for one per core",
  },
  "check": {
    type: "boolean",
    default: false,
    help: "only check the folder of --resources: exit code 1 when something of it would be refused",
  },
  "transport": DATAPLANE_FLAGS.transport,
  "admin": { type: "string", default: "127.0.0.1:9901", help: "address of the admin API" },
  "admin-hosts": AGENT_FLAGS["admin-hosts"],
  "drain-timeout": {
    type: "integer",
    default: 30,
    range: [0, 3600],
    help: "seconds that work in flight may take at the end; a second Ctrl-C ends at once",
  },
  "access-log": DATAPLANE_FLAGS["access-log"],
  "access-log-format": DATAPLANE_FLAGS["access-log-format"],
  "access-log-max-mb": DATAPLANE_FLAGS["access-log-max-mb"],
  "access-log-backups": DATAPLANE_FLAGS["access-log-backups"],
  "otlp-endpoint": DATAPLANE_FLAGS["otlp-endpoint"],
  "external-name-networks": CONTROLLER_FLAGS["external-name-networks"],
  "log-level": { type: "string", default: "warn", choices: LOG_LEVELS, help: "least level logged" },
} as const satisfies FlagTable;

export type StandaloneFlags = FlagValues<typeof STANDALONE_FLAGS>;

const DEMO_BACKENDS = [{ name: "blue", port: 9801 }, { name: "green", port: 9802 }];
/** Longest path of a unix socket on Linux, less the names we append. */
const MAX_RUN_PATH = 85;

function defaultsOf<T extends FlagTable>(table: T): FlagValues<T> {
  return Object.fromEntries(
    Object.entries(table).map(([name, flag]) => [name, flag.default]),
  ) as FlagValues<T>;
}

/** One program in a worker of its own. */
class Child {
  /** Told once, when the node serves what it holds. */
  onServing: (serving: Serving) => void = () => {};
  readonly #worker: Worker;
  readonly #ended: Promise<void>;
  readonly name: string;

  constructor(
    start: ProgramStart,
    permissions: PermissionSet,
    onFailure: (reason: string) => void,
  ) {
    this.name = start.program;
    this.#worker = new Worker(new URL("./child.ts", import.meta.url), {
      type: "module",
      name: start.program,
      deno: { permissions },
    } as WorkerOptions);
    this.#ended = new Promise((done) => {
      this.#worker.onmessage = ({ data }: MessageEvent<FromChild>) => {
        if (data.type === "serving") {
          this.onServing(data.serving);
          return;
        }
        if (data.type === "failed") onFailure(data.reason);
        done();
      };
      this.#worker.onerror = (event) => {
        event.preventDefault();
        onFailure(event.message);
        done();
      };
    });
    this.#send({ type: "start", ...start });
  }

  async stop(): Promise<void> {
    this.#send({ type: "stop" });
    await this.#ended;
    this.#worker.terminate();
  }

  reopen(): void {
    this.#send({ type: "reopen" });
  }

  reload(): void {
    this.#send({ type: "reload" });
  }

  #send(message: ToChild): void {
    this.#worker.postMessage(message);
  }
}

/** Runs controller, agent and dataplane in one process, each with its own permissions. */
export async function runStandalone(
  flags: StandaloneFlags,
  signal: AbortSignal,
  asked: Asked,
): Promise<void> {
  if (flags.check) {
    await check(flags);
    return;
  }
  // Checked before the agent starts, so that a wrong flag ends with exit code 2.
  readAdminFlags(flags.admin, flags["admin-hosts"]);
  const unusable = flags.transport === "native" ? nativeProblem() : "";
  if (unusable !== "") throw new FlagError(`--transport native: ${unusable}`);
  const demo = flags.resources === "";
  // What the demo saved is not what a folder is served from, before it was read.
  const state = resolve(flags["state-dir"], demo ? "demo" : "");
  const resources = demo ? join(state, "resources") : resolve(flags.resources);
  const run = await runFolder(state);
  const demoFile = demo ? await (await import("./demo/demo_folder.ts")).prepareDemo(resources) : "";
  if (!demo) await checkFolder(resources);
  const folders = (program: string): Folders => ({
    code: resolve(import.meta.dirname!, ".."),
    run,
    state: join(state, program),
    resources,
  });

  const failure = Promise.withResolvers<never>();
  failure.promise.catch(() => {});
  const start = (program: ProgramStart, permissions: PermissionSet) =>
    new Child(
      program,
      permissions,
      (reason) => failure.reject(new NovaEdgeError("PROGRAM", `${program.program}: ${reason}`)),
    );
  const level = flags["log-level"];
  const accessLog = flags["access-log"] === "" ? "" : resolve(flags["access-log"]);
  const dataplaneFlags: DataplaneFlags = {
    ...defaultsOf(DATAPLANE_FLAGS),
    "socket": `${run}/dataplane.sock`,
    "workers": flags.workers,
    "transport": flags.transport,
    "drain-timeout": flags["drain-timeout"],
    "drain-delay": 0,
    "access-log": accessLog,
    "access-log-format": flags["access-log-format"],
    "access-log-max-mb": flags["access-log-max-mb"],
    "access-log-backups": flags["access-log-backups"],
    "otlp-endpoint": flags["otlp-endpoint"],
    "log-level": level,
  };
  const controllerFlags: ControllerFlags = {
    ...defaultsOf(CONTROLLER_FLAGS),
    "resources": resources,
    "state-dir": join(state, "controller"),
    "grpc-socket": `${run}/controller.sock`,
    "metrics-port": 0,
    "health-port": 0,
    "external-name-networks": flags["external-name-networks"],
    "log-level": level,
  };
  const agentFlags: AgentFlags = {
    ...defaultsOf(AGENT_FLAGS),
    "controller-addr": `unix:${run}/controller.sock`,
    "node-name": "standalone",
    "dataplane-socket": `${run}/dataplane.sock`,
    "state-dir": join(state, "agent"),
    "metrics-port": 0,
    "health-port": 0,
    "admin": flags.admin,
    "admin-hosts": flags["admin-hosts"],
    "log-level": level,
  };
  const children: Child[] = [];
  try {
    const dataplane = start(
      { program: "dataplane", flags: dataplaneFlags },
      dataplanePermissions(folders("dataplane"), flags.transport === "native", accessLog),
    );
    children.push(dataplane);
    asked.reopen = () => dataplane.reopen();
    const agent = start(
      {
        program: "agent",
        flags: agentFlags,
        after: [dataplaneFlags.socket, controllerFlags["grpc-socket"]],
      },
      agentPermissions(folders("agent"), flags.admin),
    );
    const controller = start(
      { program: "controller", flags: controllerFlags },
      controllerPermissions(folders("controller")),
    );
    children.push(agent, controller);
    if (demo) {
      const ports = DEMO_BACKENDS.map(({ port }) => port);
      children.push(
        start({ program: "demo", flags: { backends: DEMO_BACKENDS } }, demoPermissions(ports)),
      );
    }
    asked.reload = () => controller.reload();
    agent.onServing = (serving) => say(servingText(serving, demoFile, resources));
    await Promise.race([aborted(signal), failure.promise]);
  } finally {
    // The dataplane first: it drains while the others still answer it.
    for (const child of children) await child.stop();
    if (run !== join(state, "run")) await Deno.remove(run, { recursive: true }).catch(() => {});
  }
}

/** Prints what a gateway would refuse of a folder. @throws {NovaEdgeError} when it would refuse something */
async function check(flags: StandaloneFlags): Promise<void> {
  const { resources: folder } = flags;
  if (folder === "") throw new FlagError("--check needs --resources");
  await checkFolder(folder);
  const { files } = await readResources(folder);
  const findings = checkFiles(files, offlineOptions(flags));
  for (const finding of findings) {
    say(findingText({ ...finding, file: join(folder, finding.file) }));
  }
  const errors = findings.filter(({ severity }) => severity === "error").length;
  if (errors > 0) throw new NovaEdgeError("RESOURCES", `${errors} of the objects would be refused`);
  say(`${folder}: nothing would be refused`);
}

/** Folder of the sockets: below the state folder, or a temporary one when that path is too long. */
async function runFolder(state: string): Promise<string> {
  const run = join(state, "run");
  for (const program of ["controller", "agent", "dataplane"]) {
    await Deno.mkdir(join(state, program), { recursive: true, mode: 0o700 });
  }
  if (run.length > MAX_RUN_PATH) return await Deno.makeTempDir({ prefix: "novaedge-" });
  await Deno.mkdir(run, { recursive: true, mode: 0o750 });
  return run;
}

async function checkFolder(folder: string): Promise<void> {
  const info = await Deno.stat(folder).catch(() => null);
  if (info === null) {
    throw new NovaEdgeError("RESOURCES", `the resources folder ${folder} does not exist`);
  }
  if (!info.isDirectory) throw new NovaEdgeError("RESOURCES", `${folder} is not a folder`);
}

/** What a person needs to know when traffic is served. */
function servingText(
  { listeners, errors, admin }: Serving,
  demoFile: string,
  resources: string,
): string {
  const lines = [
    headline(listeners),
    "",
    ...listeners.map(({ url, problem }) =>
      problem === "" ? `  ${url}` : `  ${url}  NOT OPEN: ${problem}`
    ),
  ];
  if (admin !== "") lines.push(`  ${admin}/config  what runs and what became of each object`);
  lines.push("");
  if (demoFile !== "") lines.push("  Try:   curl http://127.0.0.1:8080/", `  Edit:  ${demoFile}`);
  else lines.push(`  Edit:  ${resources}`);
  if (errors > 0) lines.push("", `  ${errors} problem(s) in the resources: see above or /config`);
  lines.push("  Stop:  Ctrl-C", "");
  return lines.join("\n");
}

function headline(listeners: readonly ServedListener[]): string {
  const closed = listeners.filter(({ problem }) => problem !== "").length;
  if (closed === 0) return "NovaEdge is serving";
  return closed === listeners.length
    ? "NovaEdge serves nothing: no listener is open"
    : `NovaEdge is serving, but ${closed} of ${listeners.length} listeners are not open`;
}

function say(text: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`${text}\n`));
}
