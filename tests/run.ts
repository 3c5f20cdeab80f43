/**
 * Runs the test suites and ends with one line of totals. What is skipped is named, with its reason as
 * part of its name. Arguments: folders or files to test; everything that needs only Node and npm by
 * default.
 */
import { join } from "node:path";
import { nativeProblem } from "../dataplane/net/native/native_problem.ts";
import { V8_ARGUMENT } from "../common/v8_flags.ts";

interface Totals {
  passed: number;
  failed: number;
  readonly failures: string[];
  readonly skipped: string[];
}

/** Reads the totals of a JUnit report. */
function readReport(xml: string): Totals {
  const totals: Totals = { passed: 0, failed: 0, failures: [], skipped: [] };
  for (
    const [, attributes, body = ""] of xml.matchAll(
      /<testcase ([^>]*?)(?:\/>|>(.*?)<\/testcase>)/gs,
    )
  ) {
    const name = /name="([^"]*)"/.exec(attributes)?.[1] ?? "?";
    const file = /classname="([^"]*)"/.exec(attributes)?.[1] ?? "";
    if (body.includes("<skipped")) totals.skipped.push(name);
    else if (/<(failure|error)/.test(body)) {
      totals.failed++;
      totals.failures.push(`${file}: ${name}`);
    } else totals.passed++;
  }
  return totals;
}

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

const HELP = `Usage: deno task test [--transport=native] [FOLDER|FILE ...]

Runs tests and ends with their totals; all that need only Node and npm without a folder or file.

  --transport=native  programs that tests start carry their traffic by the native transport
  --help              this text
`;
if (Deno.args.some((argument) => argument === "--help" || argument === "-h")) {
  print(HELP.trimEnd());
  Deno.exit(0);
}

/** Programs that tests start carry their streams by this transport. */
const TRANSPORT = "--transport=";
const transport = Deno.args.find((argument) => argument.startsWith(TRANSPORT))
  ?.slice(TRANSPORT.length) ?? "";
const places = Deno.args.filter((argument) => !argument.startsWith(TRANSPORT));
const problem = transport === "native" ? nativeProblem() : "";
if (problem !== "") {
  print(`skipped: the native transport ${problem}`);
  print("0 passed, 0 failed, 1 skipped");
  Deno.exit(0);
}

/** Suites that need more than Node and npm have tasks of their own. */
const IGNORED = places.length > 0 ? [] : ["--ignore=tests/interop,tests/cluster"];
const folder = await Deno.makeTempDir({ prefix: "novaedge-test-" });
try {
  const report = join(folder, "report.xml");
  const { code } = await new Deno.Command(Deno.execPath(), {
    args: [
      "test",
      "-A",
      "--unstable-worker-options",
      "--no-check",
      V8_ARGUMENT,
      `--junit-path=${report}`,
      ...IGNORED,
      ...places,
    ],
    cwd: join(import.meta.dirname!, ".."),
    env: {
      DENO_NO_UPDATE_CHECK: "1",
      ...(transport === "" ? {} : { NOVAEDGE_TRANSPORT: transport }),
    },
  }).spawn().status;
  const totals = readReport(await Deno.readTextFile(report).catch(() => ""));
  // A suite that could not be loaded has no test case of its own in the report.
  if (code !== 0 && totals.failed === 0) totals.failed = 1;
  for (const name of totals.skipped) print(`skipped: ${name}`);
  for (const name of totals.failures) print(`failed: ${name}`);
  print(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped.length} skipped`);
  Deno.exitCode = totals.failed === 0 ? 0 : 1;
} finally {
  await Deno.remove(folder, { recursive: true });
}
