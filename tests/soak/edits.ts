/**
 * Hundreds of edits of a folder under a steady load over TLS, half of them bad: no request that was served before may
 * fail, the outcome of each bad edit must name object, field and reason, here and by `novaedgectl check`, and each good
 * edit must be served within a second of its save. Exit code 1 otherwise.
 *
 * Usage: edits.ts [--edits N] [--transport node|native] [--seed N]
 */
import { join } from "node:path";
import { parseFlags } from "../../common/flags.ts";
import { readCommandLine } from "../../common/program.ts";
import { TRANSPORTS } from "../../dataplane/net/create_transport.ts";
import { print, progress } from "../bench/print.ts";
import { secret } from "../support/authority.ts";
import { textBackend } from "../support/backends.ts";
import { HttpConnection } from "../support/http_client.ts";
import { freePort, startProgram } from "../support/programs.ts";
import { startTask } from "../support/tasks.ts";
import { badEdits } from "./edits/bad_edits.ts";
import { EditedSite, routeHost, ROUTES, versionedRoute } from "./edits/site.ts";
import { TlsLoad } from "./edits/tls_load.ts";
import { Dice } from "./fuzz_dice.ts";

const FLAGS = {
  "edits": { type: "integer", default: 500, range: [1, 100_000], help: "how many" },
  "transport": {
    type: "string",
    default: "node",
    choices: TRANSPORTS,
    help: "who carries the dataplane's streams",
  },
  "seed": { type: "integer", default: 0, range: [0, 2 ** 31], help: "of the dice, 0 for any" },
} as const;

/** Milliseconds in which a good edit must be served, and in which a bad one must be told. */
const SERVED = 1_000;
const TOLD = 20_000;
const LOOK = 10;

const flags = readCommandLine(
  "edits",
  () => parseFlags("edits", FLAGS, Deno.args, () => undefined),
);
const seed = flags.seed || crypto.getRandomValues(new Uint32Array(1))[0] >>> 1;
print(`seed ${seed}`);
const dice = new Dice(seed);
const violations: string[] = [];

await using blue = textBackend("blue");
await using green = textBackend("green");
const folder = await Deno.makeTempDir({ prefix: "novaedge-edits-" });
const resources = join(folder, "resources");
const site = await EditedSite.create(resources, {
  secure: freePort(),
  ingress: [freePort(), freePort()],
  blue: blue.port,
  green: green.port,
});
const admin = freePort();
const gateway = startProgram("standalone", [
  ...["--resources", resources, "--state-dir", join(folder, "state"), "--workers", "2"],
  ...["--admin", `127.0.0.1:${admin}`, "--transport", flags.transport],
  ...["--access-log", join(folder, "access.log")],
]);
await gateway.line(/Stop: +Ctrl-C/);
const load = new TlsLoad(site.secure);
const start = performance.now();
const probe = await HttpConnection.open(site.secure, { tls: { servername: routeHost(0) } });

interface Shown {
  readonly errors: readonly Record<"file" | "object" | "path" | "reason", string>[];
  readonly objects: readonly {
    readonly kind: string;
    readonly namespace: string;
    readonly name: string;
    readonly conditions: readonly Condition[];
    readonly listeners: readonly { readonly conditions: readonly Condition[] }[];
  }[];
}
interface Condition {
  readonly type: string;
  readonly status: boolean;
  readonly reason: string;
  readonly message: string;
}

/** Everything that the admin API says against files and objects, a line each. */
async function said(): Promise<string[]> {
  const { errors, objects } = await (await fetch(`http://127.0.0.1:${admin}/config`))
    .json() as Shown;
  return [
    ...errors.map(({ file, object, path, reason }) => `${file}: ${object}: ${path}: ${reason}`),
    ...objects.flatMap(({ kind, namespace, name, conditions, listeners }) =>
      [...conditions, ...listeners.flatMap((listener) => listener.conditions)]
        .filter(({ status }) => !status)
        .map(({ reason, message }) => `${kind}/${namespace}/${name}: ${reason}: ${message}`)
    ),
  ];
}

async function until(holds: () => Promise<boolean>, most: number): Promise<number> {
  const start = performance.now();
  while (!await holds()) {
    if (performance.now() - start > most) return Infinity;
    await new Promise((resolve) => setTimeout(resolve, LOOK));
  }
  return performance.now() - start;
}

/** `novaedgectl check`, as its task runs it. */
async function checked(): Promise<{ code: number; lines: string[] }> {
  await using program = startTask("ctl", ["check", resources]);
  const { code } = await program.end("SIGWINCH");
  return { code, lines: program.lines };
}

const versions = new Array<number>(ROUTES).fill(0);
const times: number[] = [];

async function goodEdit(number: number): Promise<void> {
  const route = dice.below(ROUTES);
  versions[route] = number;
  await site.write(`routes/r${route}.yaml`, versionedRoute(route, number));
  const host = routeHost(route);
  const served = async () =>
    (await probe.request("GET", "/", { host })).headers.get("x-version") === `${number}`;
  const time = await until(served, TOLD);
  times.push(time);
  if (time > SERVED) violations.push(`edit ${number}: served after ${time.toFixed(0)} ms`);
}

async function badEdit(number: number): Promise<void> {
  const all = badEdits(site, number);
  const { name, file, text, says, offline = says } = all[Math.floor(number / 2) % all.length];
  await site.save(file, text);
  let lines: string[] = [];
  const told = await until(async () => {
    lines = await said();
    return lines.some((line) => says.test(line));
  }, TOLD);
  if (told === Infinity) {
    violations.push(`edit ${number}, ${name}: ${says} not in\n${lines.join("\n")}`);
  }
  const check = await checked();
  const place = new RegExp(`${resources}/[^:]+:\\d+: error: `);
  const found = check.lines.some((line) => place.test(line) && offline.test(line));
  if (check.code !== 1 || !found) {
    violations.push(
      `edit ${number}, ${name}: check ended with ${check.code}\n${check.lines.join("\n")}`,
    );
  }
  await site.restore(file);
  if (await until(async () => (await said()).length === 0, TOLD) === Infinity) {
    violations.push(`edit ${number}, ${name}: still said: ${(await said()).join("\n")}`);
  }
}

for (let number = 1; number <= flags.edits; number++) {
  if (number % 2 === 0) await badEdit(number);
  else await goodEdit(number);
  // A certificate that is renewed is an edit like others.
  if (number % 50 === 0) await site.write("secret.yaml", secret("site", dice.pick(site.pairs)));
  if (number % 50 === 0) {
    progress(`${number} edits, ${load.sent} requests, ${load.failures.length} failed`);
  }
}
const check = await checked();
if (check.code !== 0) {
  violations.push(`at the end check ends with ${check.code}: ${check.lines.join("\n")}`);
}

await load.stop();
const rate = load.sent / (performance.now() - start) * 1_000;
probe.close();
await gateway.end("SIGTERM");
await Deno.remove(folder, { recursive: true });
const sorted = times.toSorted((a, b) => a - b);
for (const failure of load.failures.slice(0, 20)) print(`request failed: ${failure}`);
for (const violation of violations) print(`violation: ${violation}`);
const ok = violations.length === 0 && load.failures.length === 0;
print(
  `${ok ? "ok" : "FAILED"}: ${flags.edits} edits, ${load.sent} requests (${
    rate.toFixed(0)
  } a second), ${load.failures.length} failed, ` +
    `${violations.length} violations; good edits served after ${
      sorted[Math.floor(sorted.length / 2)]?.toFixed(0)
    } ms (median), ${sorted.at(-1)?.toFixed(0)} ms (most)`,
);
Deno.exit(ok ? 0 : 1);
