/**
 * What a request costs beside other proxies, how long a change takes to be served, and how much memory
 * the dataplane needs. Exit code 1 when a request failed, a change was lost or something did not start;
 * a missed gate alone is printed as SHORT and is no failure, for it depends on the machine.
 */
import { messageOf } from "../../common/errors.ts";
import { readCommandLine } from "../../common/program.ts";
import { FlagError, type FlagTable, type FlagValues, parseFlags } from "../../common/flags.ts";
import { VERSION } from "../../common/version.ts";
import { buildProblem } from "../cluster/binaries.ts";
import { CASES } from "./cases.ts";
import { PROXY_NAMES } from "./contenders.ts";
import { type GateResult, gatesOf, reportGates } from "./gates.ts";
import { type IdleResult, runIdle } from "./idle.ts";
import { idleGates, reportIdle } from "./idle_report.ts";
import { missingProgram } from "./loads/find.ts";
import { runKubernetes } from "./kubernetes.ts";
import { reportKubernetes } from "./kubernetes_report.ts";
import { runLatency } from "./latency.ts";
import { latencyGates, reportLatency } from "./latency_report.ts";
import { runMemory } from "./memory.ts";
import { reportMemory } from "./memory_report.ts";
import { findPinning, type Pinning } from "./pinning.ts";
import { nativeProblem } from "../../dataplane/net/native/native_problem.ts";
import { TRANSPORTS } from "../../dataplane/net/create_transport.ts";
import { ATTACKS } from "./neighbours/attacks.ts";
import { runNeighbours } from "./neighbours/neighbours.ts";
import { neighbourGates, reportNeighbours } from "./neighbours/neighbours_report.ts";
import { runPolicies } from "./policies.ts";
import { policyGates, reportPolicies } from "./policies_report.ts";
import { print } from "./print.ts";
import { type Layout, LAYOUTS, runPropagation } from "./propagation.ts";
import { reportPropagation } from "./propagation_report.ts";
import { type CaseResult, runCase } from "./requests.ts";
import { reportCase, reportNotes } from "./requests_report.ts";
import { reportRouter, runRouter } from "./router.ts";
import { endAllScenes } from "./scene.ts";
import { missingTools } from "./tools.ts";

const FLAGS = {
  "only": {
    type: "string",
    default: "all",
    choices: [
      "requests",
      "latency",
      "policies",
      "router",
      "propagation",
      "kubernetes",
      "memory",
      "idle",
      "neighbours",
      "all",
    ],
    help:
      "which bench: requests, latency, policies, router, propagation, kubernetes, memory, idle, " +
      "neighbours or all",
  },
  "cases": {
    type: "string",
    default: Object.keys(CASES).join(","),
    help: "requests: cases, with commas between them",
  },
  "proxies": {
    type: "string",
    default: PROXY_NAMES.join(","),
    help: "requests, idle: who is compared, with commas between them",
  },
  "rounds": { type: "integer", default: 7, range: [1, 1000], help: "requests: rounds per case" },
  "seconds": {
    type: "integer",
    default: 4,
    range: [1, 3600],
    help: "requests: seconds per proxy and round",
  },
  "layouts": {
    type: "string",
    default: LAYOUTS.join(","),
    help: "propagation: a file a route (files), all in one (file)",
  },
  "routes": { type: "integer", default: 3000, range: [1, 100_000], help: "propagation: routes" },
  "changes": {
    type: "integer",
    default: 1000,
    range: [1, 1_000_000],
    help: "propagation: changes",
  },
  "rate": { type: "integer", default: 500, range: [1, 5000], help: "propagation: requests/s" },
  "connections": {
    type: "integer",
    default: 16,
    range: [1, 1000],
    help: "propagation: connections, enough to reach both workers",
  },
  "kube-routes": {
    type: "integer",
    default: 3000,
    range: [100, 100_000],
    help: "kubernetes: routes while changes are timed",
  },
  "kube-large-routes": {
    type: "integer",
    default: 5000,
    range: [100, 100_000],
    help: "kubernetes: routes when memory is measured",
  },
  "kube-changes": {
    type: "integer",
    default: 500,
    range: [1, 1_000_000],
    help: "kubernetes: changes",
  },
  "kube-agents": { type: "integer", default: 100, range: [1, 1000], help: "kubernetes: agents" },
  "kube-churn": {
    type: "integer",
    default: 10,
    range: [0, 1000],
    help: "kubernetes: Services whose endpoints change, per second",
  },
  "memory-routes": {
    type: "integer",
    default: 5000,
    range: [1001, 100_000],
    help: "memory: routes, beside a run with 1,000",
  },
  "memory-load": {
    type: "integer",
    default: 60,
    range: [1, 86_400],
    help: "memory: seconds of load",
  },
  "memory-idle": {
    type: "integer",
    default: 30,
    range: [0, 86_400],
    help: "memory: seconds of idleness after it",
  },
  "idle-connections": {
    type: "integer",
    default: 10_000,
    range: [1, 19_000],
    help: "idle: connections, plain and then with TLS",
  },
  "attacks": {
    type: "string",
    default: Object.keys(ATTACKS).join(","),
    help: "neighbours: attacks, with commas between them",
  },
  "attack-seconds": {
    type: "integer",
    default: 30,
    range: [2, 600],
    help: "neighbours: seconds of each attack",
  },
  "json": { type: "string", default: "", help: "file for every figure of every round" },
} as const satisfies FlagTable;

type Flags = FlagValues<typeof FLAGS>;

const SMALLER_ROUTES = 1000;

/** Reads a list with commas between its items. */
function listed<T extends string>(flag: string, text: string, known: readonly T[]): T[] {
  return text.split(",").map((part) => {
    const name = part.trim();
    const found = known.find((one) => one === name);
    if (found !== undefined) return found;
    throw new FlagError(`--${flag}: "${name}" is not one of ${known.join(", ")}`);
  });
}

interface Plan {
  readonly flags: Flags;
  readonly cases: readonly string[];
  readonly proxies: readonly string[];
  readonly layouts: readonly Layout[];
}

function readPlan(): Plan {
  return readCommandLine("bench", () => {
    const flags = parseFlags("bench", FLAGS, Deno.args, (variable) => Deno.env.get(variable));
    return {
      flags,
      cases: listed("cases", flags.cases, Object.keys(CASES)),
      proxies: listed("proxies", flags.proxies, PROXY_NAMES),
      layouts: listed("layouts", flags.layouts, LAYOUTS),
    };
  });
}

/** The figures of one run, as --json writes them. */
interface Figures extends Record<string, unknown> {
  readonly gates: GateResult[];
}

/** Runs a bench; what it throws is a line of the report, so that the others still run. */
async function attempt(name: string, bench: () => Promise<boolean>): Promise<boolean> {
  try {
    return await bench();
  } catch (error) {
    print();
    print(`ERROR ${name}: ${messageOf(error)}`);
    return false;
  }
}

async function benchRequests(plan: Plan, pinning: Pinning, figures: Figures): Promise<boolean> {
  const { rounds, seconds } = plan.flags;
  const results: CaseResult[] = [];
  let clean = true;
  for (const name of plan.cases) {
    const missing = missingProgram(CASES[name]);
    if (missing !== null) {
      print();
      print(`left out: ${name}, for ${missing} is not installed`);
      continue;
    }
    const done = await attempt(name, async () => {
      const result = await runCase(name, { rounds, seconds, pinning, proxies: plan.proxies });
      results.push(result);
      return reportCase(result);
    });
    clean &&= done;
  }
  reportNotes(results);
  figures.requests = results;
  figures.gates.push(...results.flatMap(gatesOf));
  return clean;
}

async function benchLatency(plan: Plan, pinning: Pinning, figures: Figures): Promise<boolean> {
  const { rounds, seconds } = plan.flags;
  const result = await runLatency({ rounds, seconds, proxies: plan.proxies, pinning });
  figures.latency = result;
  figures.gates.push(...latencyGates(result));
  return reportLatency(result);
}

async function benchPropagation({ flags, layouts }: Plan, figures: Figures): Promise<boolean> {
  const results = [];
  for (const layout of layouts) results.push(await runPropagation(layout, flags));
  figures.propagation = results;
  return reportPropagation(results, flags);
}

async function benchKubernetes({ flags }: Plan, figures: Figures): Promise<boolean> {
  const problem = await buildProblem();
  if (problem !== "") {
    print();
    print(`left out: kubernetes: ${problem}`);
    return true;
  }
  const options = {
    routes: flags["kube-routes"],
    largeRoutes: flags["kube-large-routes"],
    changes: flags["kube-changes"],
    agents: flags["kube-agents"],
    churn: flags["kube-churn"],
    rate: flags.rate,
    connections: flags.connections,
  };
  const result = await runKubernetes(options);
  figures.kubernetes = result;
  return reportKubernetes(result, options);
}

async function benchMemory({ flags }: Plan, pinning: Pinning, figures: Figures): Promise<boolean> {
  const options = { load: flags["memory-load"], idle: flags["memory-idle"], pinning };
  const small = await runMemory(SMALLER_ROUTES, options);
  const large = await runMemory(flags["memory-routes"], options);
  figures.memory = [small, large];
  return reportMemory([small, large], options);
}

async function benchIdle(
  { flags, proxies }: Plan,
  pinning: Pinning,
  figures: Figures,
): Promise<boolean> {
  const results: IdleResult[] = [];
  let clean = true;
  for (const tls of [false, true]) {
    const result = await runIdle({
      connections: flags["idle-connections"],
      tls,
      proxies,
      pinning,
    });
    results.push(result);
    clean = reportIdle(result) && clean;
  }
  figures.idle = results;
  figures.gates.push(...results.flatMap(idleGates));
  return clean;
}

async function benchPolicies(
  { flags }: Plan,
  pinning: Pinning,
  figures: Figures,
): Promise<boolean> {
  const { rounds, seconds } = flags;
  const result = await runPolicies({ rounds, seconds, pinning });
  figures.policies = result;
  figures.gates.push(...policyGates(result));
  return reportPolicies(result);
}

async function benchNeighbours(
  { flags }: Plan,
  pinning: Pinning,
  figures: Figures,
): Promise<boolean> {
  let clean = true;
  const all: Record<string, unknown> = {};
  for (const transport of TRANSPORTS) {
    if (transport === "native" && nativeProblem() !== "") continue;
    const seconds = flags["attack-seconds"];
    const attacks = listed("attacks", flags.attacks, Object.keys(ATTACKS));
    const results = await runNeighbours({ seconds, attacks, transport, pinning });
    all[transport] = results;
    clean = reportNeighbours(transport, results) && clean;
    figures.gates.push(...neighbourGates(transport, results));
  }
  figures.neighbours = all;
  return clean;
}

function benchRouter(figures: Figures): Promise<boolean> {
  const result = runRouter();
  figures.router = result;
  reportRouter(result);
  return Promise.resolve(true);
}

function processor(): string {
  try {
    const text = Deno.readTextFileSync("/proc/cpuinfo");
    return /^model name\s*: (.*)$/m.exec(text)?.[1] ?? Deno.build.arch;
  } catch {
    return Deno.build.arch;
  }
}

async function main(): Promise<number> {
  const plan = readPlan();
  const { only, json } = plan.flags;
  const wanted = (bench: string) => only === "all" || only === bench;
  const pinning = findPinning();
  const figures: Figures = {
    date: new Date().toISOString(),
    version: VERSION,
    deno: Deno.version.deno,
    gates: [],
    machine: `${processor()}, ${navigator.hardwareConcurrency} cores, Linux ${Deno.osRelease()}`,
  };
  print(`NovaEdge ${VERSION}, deno ${Deno.version.deno}, ${figures.date}`);
  print(`${figures.machine}`);
  print(
    pinning.problem === ""
      ? `proxies on core ${pinning.proxy}, backend and load on core ${pinning.load}`
      : pinning.problem,
  );
  for (const line of missingTools()) print(line);
  const clean = [
    !wanted("requests") ||
    await attempt("requests", () => benchRequests(plan, pinning, figures)),
    !wanted("latency") || await attempt("latency", () => benchLatency(plan, pinning, figures)),
    !wanted("policies") ||
    await attempt("policies", () => benchPolicies(plan, pinning, figures)),
    !wanted("router") || await attempt("router", () => benchRouter(figures)),
    !wanted("propagation") ||
    await attempt("propagation", () => benchPropagation(plan, figures)),
    !wanted("kubernetes") || await attempt("kubernetes", () => benchKubernetes(plan, figures)),
    !wanted("memory") || await attempt("memory", () => benchMemory(plan, pinning, figures)),
    !wanted("neighbours") ||
    await attempt("neighbours", () => benchNeighbours(plan, pinning, figures)),
    !wanted("idle") || await attempt("idle", () => benchIdle(plan, pinning, figures)),
  ].every(Boolean);
  reportGates(figures.gates);
  if (json !== "") await Deno.writeTextFile(json, `${JSON.stringify(figures, null, 2)}\n`);
  return clean ? 0 : 1;
}

/** Exit code after SIGINT, as shells give it. */
const EXIT_INTERRUPTED = 130;

let interrupted = false;
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.addSignalListener(signal, () => {
    interrupted = true;
    void endAllScenes().finally(() => Deno.exit(EXIT_INTERRUPTED));
  });
}
const code = await main();
if (!interrupted) Deno.exit(code);
