/**
 * Runs the official conformance suite of the Gateway API against a cluster of its own, with everything as it is
 * deployed, and keeps the report in docs/conformance. Ends with one line of totals.
 */
import { join } from "node:path";
import { parseFlags } from "../../common/flags.ts";
import { readCommandLine } from "../../common/program.ts";
import { VERSION } from "../../common/version.ts";
import { Cluster } from "../cluster/cluster.ts";
import { SUITE, suiteProgram } from "../cluster/images.ts";
import { deployNovaEdge } from "../cluster/novaedge.ts";
import { ownTarget } from "../cluster/target.ts";
import { clusterProblem } from "../cluster/tools.ts";

const REPORT = join(import.meta.dirname!, "../../docs/conformance", `v${SUITE}.yaml`);
const PROFILES = ["GATEWAY-HTTP", "GATEWAY-GRPC"];

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

readCommandLine("conformance", () => parseFlags("conformance", {}, Deno.args, () => undefined));
const problem = await clusterProblem();
if (problem !== "") {
  print(`the conformance suite of the Gateway API (${problem})`);
  print("0 passed, 0 failed, 1 skipped");
  Deno.exit(0);
}

/** Tests of the suite by their end; those of features that nobody claims are not counted. */
function totals(log: string): { passed: number; failed: string[] } {
  const failed: string[] = [];
  let passed = 0;
  for (const [, end, name] of log.matchAll(/^ {4}--- (PASS|FAIL): TestConformance\/(\w+) /gm)) {
    if (end === "PASS") passed++;
    else failed.push(name);
  }
  return { passed, failed };
}

async function runSuite(cluster: Cluster, folder: string): Promise<string> {
  const options = join(folder, "options.yaml");
  const address = (value: string) => [{ type: "IPAddress", value }];
  await Deno.writeTextFile(
    options,
    JSON.stringify({
      gatewayClassName: "novaedge",
      usableNetworkAddresses: address(`${cluster.lan.network}.200`),
      // Of no pool.
      unusableNetworkAddresses: address("192.0.2.77"),
    }),
  );
  const { stdout, stderr } = await new Deno.Command(await suiteProgram(), {
    args: [
      "-test.v",
      "-test.timeout=30m",
      "-test.run=^TestConformance$",
      `--conformance-options-file=${options}`,
      `--conformance-profiles=${PROFILES.join(",")}`,
      "--organization=novaedge",
      "--project=novaedge",
      "--url=https://novaedge.io",
      `--version=${VERSION}`,
      "--contact=maintainers",
      `--report-output=${join(folder, "report.yaml")}`,
    ],
    env: { KUBECONFIG: cluster.kubeconfig },
  }).output();
  const text = new TextDecoder();
  return text.decode(stdout) + text.decode(stderr);
}

const folder = await Deno.makeTempDir({ prefix: "novaedge-conformance-" });
let failures = 1;
try {
  await using cluster = await Cluster.start();
  const target = ownTarget(cluster);
  await deployNovaEdge(target, { version: `v${SUITE}`, channel: "experimental" });
  const log = await runSuite(cluster, folder);
  const { passed, failed } = totals(log);
  if (passed + failed.length === 0) print(log.split("\n").slice(-40).join("\n"));
  for (const name of failed) {
    print(`== ${name}`);
    print(log.split("\n").filter((line) => line.includes(name)).slice(-20).join("\n"));
  }
  failures = passed === 0 ? 1 : failed.length;
  if (failures === 0) {
    // The day of the run would make every report another one.
    const report = await Deno.readTextFile(join(folder, "report.yaml"));
    await Deno.writeTextFile(REPORT, report.replace(/^(date: "\d{4}-\d{2}-\d{2})T[^"]*"/m, '$1"'));
  }
  print(`${passed} passed, ${failures} failed, 0 skipped`);
} finally {
  await Deno.remove(folder, { recursive: true });
}
Deno.exit(failures === 0 ? 0 : 1);
