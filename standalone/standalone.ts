import { join, resolve } from "node:path";
import { readAdminFlags } from "../agent/admin/admin_server.ts";
import { AGENT_FLAGS, type AgentFlags } from "../agent/agent.ts";
import { NovaEdgeError } from "../common/errors.ts";
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
import { aborted } from "../common/program.ts";
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
  "transport": DATAPLANE_FLAGS.transport,
  "admin": { type: "string", default: "127.0.0.1:9901", help: "address of the admin API" },
  "admin-hosts": AGENT_FLAGS["admin-hosts"],
  "drain-timeout": {
    type: "integer",
    default: 2,
    range: [0, 3600],
    help: "seconds that work in flight may take at the end",
  },
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

  #send(message: ToChild): void {
    this.#worker.postMessage(message);
  }
}

/** Runs controller, agent and dataplane in one process, each with its own permissions. */
export async function runStandalone(flags: StandaloneFlags, signal: AbortSignal): Promise<void> {
  // Checked before the agent starts, so that a wrong flag ends with exit code 2.
  readAdminFlags(flags.admin, flags["admin-hosts"]);
  const unusable = flags.transport === "native" ? nativeProblem() : "";
  if (unusable !== "") throw new FlagError(`--transport native: ${unusable}`);
  const state = resolve(flags["state-dir"]);
  const demo = flags.resources === "";
  const resources = demo ? join(state, "demo") : resolve(flags.resources);
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
  const dataplaneFlags: DataplaneFlags = {
    ...defaultsOf(DATAPLANE_FLAGS),
    "socket": `${run}/dataplane.sock`,
    "workers": flags.workers,
    "transport": flags.transport,
    "drain-timeout": flags["drain-timeout"],
    "drain-delay": 0,
    "log-level": level,
  };
  const controllerFlags: ControllerFlags = {
    ...defaultsOf(CONTROLLER_FLAGS),
    "resources": resources,
    "state-dir": join(state, "controller"),
    "grpc-socket": `${run}/controller.sock`,
    "metrics-port": 0,
    "health-port": 0,
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
    if (demo) {
      const ports = DEMO_BACKENDS.map(({ port }) => port);
      children.push(
        start({ program: "demo", flags: { backends: DEMO_BACKENDS } }, demoPermissions(ports)),
      );
    }
    children.unshift(
      start(
        { program: "dataplane", flags: dataplaneFlags },
        dataplanePermissions(folders("dataplane"), flags.transport === "native"),
      ),
      start(
        { program: "agent", flags: agentFlags },
        agentPermissions(folders("agent"), flags.admin),
      ),
      start(
        { program: "controller", flags: controllerFlags },
        controllerPermissions(folders("controller")),
      ),
    );
    await Promise.race([announce(flags, demoFile, resources, signal), failure.promise]);
    await Promise.race([aborted(signal), failure.promise]);
  } finally {
    // The dataplane first: it drains while the others still answer it.
    for (const child of children) await child.stop();
    if (run !== join(state, "run")) await Deno.remove(run, { recursive: true }).catch(() => {});
  }
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

/** Waits until traffic is served, then says where. */
async function announce(
  flags: StandaloneFlags,
  demoFile: string,
  resources: string,
  signal: AbortSignal,
): Promise<void> {
  const admin = `http://${flags.admin}`;
  while (!signal.aborted) {
    const ready = await fetch(`${admin}/ready`).then(async (response) => {
      await response.body?.cancel();
      return response.ok;
    }, () => false);
    if (ready) break;
    await new Promise((done) => setTimeout(done, 20));
  }
  if (signal.aborted) return;
  const config = await (await fetch(`${admin}/config`)).json() as {
    gateways: { listeners: { port: number; protocol: number; bindAddresses: string[] }[] }[];
    errors: unknown[];
    dataplane: { listenerProblems: { listener: string; reason: string }[] };
  };
  const lines = ["NovaEdge is serving", ""];
  for (const { listeners } of config.gateways) {
    for (const { port, protocol, bindAddresses } of listeners) {
      lines.push(`  ${protocol === 2 ? "https" : "http"}://${bindAddresses[0] ?? "*"}:${port}`);
    }
  }
  lines.push(`  ${admin}/config  what runs and what became of each object`, "");
  if (demoFile !== "") lines.push("  Try:   curl http://127.0.0.1:8080/", `  Edit:  ${demoFile}`);
  else lines.push(`  Edit:  ${resources}`);
  if (config.errors.length > 0) {
    lines.push("", `  ${config.errors.length} problem(s) in the resources: see above or /config`);
  }
  lines.push("  Stop:  Ctrl-C", "");
  Deno.stderr.writeSync(new TextEncoder().encode(`${lines.join("\n")}\n`));
}
