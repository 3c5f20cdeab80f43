import bcrypt from "bcryptjs";
import type { TransportName } from "../../../dataplane/net/create_transport.ts";
import { writeCertificate } from "../certificate.ts";
import { residentMegabytes } from "../cpu.ts";
import { startGateway } from "../gateway.ts";
import { moveToCore, type Pinning } from "../pinning.ts";
import { freePorts } from "../ports.ts";
import { progress } from "../print.ts";
import { ask } from "../raw_client.ts";
import { denoCommand } from "../runtime.ts";
import { Scene, until } from "../scene.ts";
import { percentile } from "../statistics.ts";
import { HttpConnection } from "../../support/http_client.ts";
import { secret } from "../../support/authority.ts";
import { SteadyLoad } from "../../soak/steady_load.ts";
import { ATTACKS, type Report } from "./attacks.ts";
import { warmUp } from "./warm_up.ts";

/** Requests a second of the client that is to be served all the time, and its connections. */
const RATE = 100;
const CONNECTIONS = 4;
const WARM_UP = 5_000;
/** Milliseconds without an attack, before each. */
const QUIET = 10_000;
const SETTLE = 3_000;
/** Clients that come while passwords are guessed. */
const NEWCOMERS = 20;

export interface NeighboursOptions {
  /** Seconds of each attack. */
  readonly seconds: number;
  /** Names of those that are tried. */
  readonly attacks: readonly string[];
  readonly transport: TransportName;
  readonly pinning: Pinning;
}

/** One attack, as another client of the gateway sees it. */
export interface NeighbourResult {
  readonly attack: string;
  readonly what: string;
  readonly sent: number;
  readonly failed: number;
  readonly firstFailure: string;
  /** Milliseconds: p99 without the attack, and beside it. */
  readonly base: number;
  readonly attacked: number;
  /** The slowest request beside it. */
  readonly worst: number;
  /** Greatest resident memory above that of the quiet gateway, in MB. */
  readonly memory: number;
  readonly report: Report;
}

/** Measures what one client can do to another, attack by attack. */
export async function runNeighbours(options: NeighboursOptions): Promise<NeighbourResult[]> {
  const { transport, pinning } = options;
  await using scene = new Scene();
  progress(`neighbours (${transport}): starting`);
  const [http, https, limited, normal, other] = freePorts(5);
  const target = { http, https, limited };
  moveToCore(pinning.load);
  for (const port of [normal, other]) {
    const command = denoCommand("tests/bench/neighbours/backend.ts", [String(port)]);
    scene.spawn(`backend-${port}`, port === normal ? command : lastOnCore(command), {
      core: pinning.load,
    });
  }
  const pair = await writeCertificate(scene);
  const { dataplane } = await startGateway(scene, {
    files: {
      "all.yaml": [configuration(target, normal, other), await users(), secret("server", pair)]
        .join("---\n"),
    },
    workers: 1,
    openFiles: 10_000,
    core: pinning.proxy,
    besides: pinning.load,
    transport,
  });
  const answered = async (path: string) =>
    (await ask(http, "normal.example.com", path))?.status === 200;
  await until("the first response", scene.children, () => answered("/"));
  await warmUp(target);
  using load = new SteadyLoad(http, CONNECTIONS, RATE);
  await pause(WARM_UP);
  const results: NeighbourResult[] = [];
  for (const [attack, { what }] of Object.entries(ATTACKS)) {
    if (!options.attacks.includes(attack)) continue;
    progress(`neighbours (${transport}): ${attack}`);
    load.takeTimes();
    const [failed, sent] = [load.failed, load.sent];
    await pause(QUIET);
    const base = percentile(load.takeTimes(), 0.99);
    const quiet = residentMegabytes([dataplane.pid]);
    const command = lastOnCore(
      denoCommand("tests/bench/neighbours/attacks.ts", [attack, JSON.stringify(target)]),
    );
    const attacker = scene.spawn(`attack-${attack}`, command, {
      core: pinning.load,
      openFiles: 10_000,
    });
    await until("the attacker", [attacker], () => Promise.resolve(isReady(attacker.stdout)));
    await pause(SETTLE);
    load.takeTimes();
    Deno.kill(attacker.pid, "SIGUSR1");
    let memory = 0;
    const end = performance.now() + options.seconds * 1_000;
    const newcomers = attack === "passwords" ? comers(http, options.seconds) : null;
    while (performance.now() < end) {
      await pause(200);
      memory = Math.max(memory, residentMegabytes([dataplane.pid]) - quiet);
    }
    const times = load.takeTimes();
    Deno.kill(attacker.pid, "SIGTERM");
    await attacker.ended;
    const refused = await newcomers;
    const text = Deno.readTextFileSync(attacker.stdout).replace("ready\n", "").trim();
    results.push({
      attack,
      what,
      sent: load.sent - sent,
      failed: load.failed - failed + (refused ?? 0),
      firstFailure: refused !== null && refused > 0 ? "newcomers refused" : load.firstFailure,
      base,
      attacked: percentile(times, 0.99),
      worst: Math.max(...times),
      memory,
      report: text === "" ? {} : JSON.parse(text),
    });
    await pause(SETTLE);
  }
  return results;
}

/**
 * A command that has the core which the measuring client has nothing to do on: what the attacker and its
 * backend compute is not what the gateway does to others.
 */
function lastOnCore(command: readonly string[]): string[] {
  return ["nice", "-n", "19", ...command];
}

/** Whether the attacker has said that it waits; its shell may not have made the file yet. */
function isReady(output: string): boolean {
  try {
    return Deno.readTextFileSync(output).startsWith("ready");
  } catch {
    return false;
  }
}

/** Clients with passwords of their own, one after the other; returns how many were not let in. */
async function comers(port: number, seconds: number): Promise<number> {
  let refused = 0;
  for (let i = 0; i < NEWCOMERS; i++) {
    using connection = await HttpConnection.open(port);
    const authorization = `Basic ${btoa(`user${i}:right${i}`)}`;
    const { status } = await connection.request("GET", "/", { host: "auth.test", authorization });
    if (status !== 200) refused++;
    await pause(seconds * 1_000 / NEWCOMERS / 2);
  }
  return refused;
}

async function users(): Promise<string> {
  const lines = [`slow:${await bcrypt.hash("nobody knows", 10)}`];
  for (let i = 0; i < NEWCOMERS; i++) lines.push(`user${i}:${await bcrypt.hash(`right${i}`, 5)}`);
  return `apiVersion: v1
kind: Secret
metadata: { name: users }
data: { htpasswd: ${btoa(lines.join("\n"))} }
`;
}

function configuration(
  { http, https, limited }: { http: number; https: number; limited: number },
  normal: number,
  other: number,
): string {
  const route = (name: string, hostname: string, backend: string) =>
    `---
apiVersion: novaedge.io/v1alpha1
kind: ProxyRoute
metadata: { name: ${name} }
spec:
  hostnames: ["${hostname}"]
  rules: [{ name: all, backendRefs: [{ name: ${backend} }] }]
`;
  const backend = (name: string, port: number, protocol: string) =>
    `---
apiVersion: novaedge.io/v1alpha1
kind: ProxyBackend
metadata: { name: ${name} }
spec: { protocol: ${protocol}, endpoints: [{ address: 127.0.0.1, port: ${port} }] }
`;
  const secure = "protocol: HTTPS, tls: { secretRef: { name: server } }";
  return `apiVersion: novaedge.io/v1alpha1
kind: ProxyGateway
metadata: { name: edge }
spec:
  compression: { enabled: true, algorithms: [br, gzip] }
  listeners:
    - { name: http, port: ${http}, address: 127.0.0.1, protocol: HTTP }
    - { name: https, port: ${https}, address: 127.0.0.1, ${secure} }
    - { name: limited, port: ${limited}, address: 127.0.0.1, ${secure}, connectionLimits: { perClient: 5 } }
${route("normal", "normal.example.com", "normal")}${route("wild", "*.test", "normal")}${
    route("h2", "h2.test", "h2")
  }${route("big", "big.test", "other")}${route("auth", "auth.test", "normal")}${
    backend("normal", normal, "HTTP")
  }${backend("other", other, "HTTP")}${backend("h2", other, "HTTP2")}---
apiVersion: novaedge.io/v1alpha1
kind: ProxyPolicy
metadata: { name: passwords }
spec:
  targetRef: { kind: ProxyRoute, name: auth }
  type: BasicAuth
  basicAuth: { realm: bench, secretRef: { name: users } }
`;
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
