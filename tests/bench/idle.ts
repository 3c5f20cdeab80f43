import { startBackend } from "./backend.ts";
import { writeCertificate } from "./certificate.ts";
import { type Contender, lineUp } from "./contenders.ts";
import { residentMegabytes } from "./cpu.ts";
import type { Pinning } from "./pinning.ts";
import { progress } from "./print.ts";
import { ask } from "./raw_client.ts";
import { hosts } from "./resources.ts";
import { denoCommand } from "./runtime.ts";
import { type Child, Scene, until } from "./scene.ts";

const WORKERS = 2;
/** Open files beyond the clients: few connections to the backend serve them, one after the other. */
const OTHER_FILES = 2_000;
/** Milliseconds that all connections may take to open. */
const OPENING = 300_000;
/** Milliseconds until memory is looked at, before and after: what is freed at once does not count. */
const SETTLE = 10_000;

export interface IdleOptions {
  readonly connections: number;
  readonly tls: boolean;
  /** Names of those that are compared. */
  readonly proxies: readonly string[];
  readonly pinning: Pinning;
}

/** What a process of `idle_load.ts` is told. */
export interface IdlePlan {
  readonly port: number;
  readonly connections: number;
  readonly tls: boolean;
  readonly host: string;
}

/** What it says when it is done. */
export interface IdleOpened {
  readonly open: number;
  readonly failed: number;
  readonly firstFailure: string;
}

/** Resident memory of a proxy, in MB. */
export interface IdleProxy {
  readonly name: string;
  readonly version: string;
  readonly before: number;
  readonly idle: number;
  readonly open: number;
  readonly errors: readonly string[];
}

export interface IdleResult {
  readonly connections: number;
  readonly tls: boolean;
  readonly workers: number;
  readonly proxies: readonly IdleProxy[];
  readonly leftOut: readonly string[];
}

/** Measures the memory of connections that do nothing after one request, one proxy after the other. */
export async function runIdle(options: IdleOptions): Promise<IdleResult> {
  const { connections, tls, pinning } = options;
  const what = `idle${tls ? " (TLS)" : ""}`;
  const names = hosts(5);
  await using scene = new Scene();
  const backend = await startBackend(scene, pinning.load);
  const setup = {
    client: "http1" as const,
    certificate: tls ? await writeCertificate(scene) : null,
    backend: "http1" as const,
    backendPort: backend.port,
    hosts: names,
    workers: WORKERS,
    clients: connections + OTHER_FILES,
    openFiles: connections + OTHER_FILES,
    core: pinning.proxy,
    besides: pinning.load,
  };
  const line = await lineUp(what, scene, options.proxies, setup, async (port) => {
    return (await ask(port, names[0], "/", { tls }))?.status === 200;
  });
  const measured = new Map<number, Pick<IdleProxy, "before" | "idle" | "open">>();
  for (const contender of line.contenders) {
    const { name, errors } = line.entrants[contender.index];
    progress(`${what}: ${connections} connections to ${name}`);
    try {
      const plan = { port: contender.port, connections, tls, host: names[0] };
      measured.set(contender.index, await measure(scene, plan, contender, pinning, errors));
    } catch (error) {
      errors.push((error as Error).message);
    }
  }
  const results = line.entrants.map(({ name, version, errors }, index) => ({
    name,
    version,
    ...(measured.get(index) ?? { before: NaN, idle: NaN, open: 0 }),
    errors,
  }));
  return { connections, tls, workers: WORKERS, proxies: results, leftOut: line.leftOut };
}

async function measure(
  scene: Scene,
  plan: IdlePlan,
  { running, index }: Contender,
  pinning: Pinning,
  errors: string[],
): Promise<Pick<IdleProxy, "before" | "idle" | "open">> {
  await settle();
  const before = residentMegabytes(running.pids());
  const load = scene.spawn(
    `idle${index}`,
    denoCommand("tests/bench/idle_load.ts", [JSON.stringify(plan)]),
    { core: pinning.load, openFiles: plan.connections + OTHER_FILES },
  );
  try {
    await until("open connections", [load], () => Promise.resolve(said(load).length > 0), OPENING);
    const opened = JSON.parse(said(load)[0]) as IdleOpened;
    if (opened.failed > 0) {
      errors.push(`${opened.failed} connections failed: ${opened.firstFailure}`);
    }
    await settle();
    const idle = residentMegabytes(running.pids());
    const [, ...lost] = said(load);
    if (lost.length > 0) errors.push(`${lost.length} connections lost: ${lost[0]}`);
    return { before, idle, open: opened.open - lost.length };
  } finally {
    await scene.end(load);
  }
}

/** Whole lines that a process has printed; losses may come before the sum. */
function said(child: Child): string[] {
  const lines = outputOf(child).split("\n").slice(0, -1);
  const sum = lines.filter((line) => line.startsWith("{"));
  return sum.length === 0 ? [] : [...sum, ...lines.filter((line) => !line.startsWith("{"))];
}

function outputOf({ stdout }: Child): string {
  try {
    return Deno.readTextFileSync(stdout);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return ""; // Not opened yet.
    throw error;
  }
}

function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, SETTLE));
}
