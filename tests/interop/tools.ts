import { join } from "node:path";
import { nativeProblem } from "../../dataplane/net/native/native_problem.ts";

/** Real programs that tests talk to. What is missing is installed where that is possible. */

const CACHE = join(Deno.env.get("HOME") ?? "/tmp", ".cache", "novaedge-tools");

/** Debian packages by the program they bring. */
const PACKAGES: Readonly<Record<string, string>> = {
  nginx: "nginx",
  haproxy: "haproxy",
  curl: "curl",
  openssl: "openssl",
  nghttp: "nghttp2-client",
  h2load: "nghttp2-client",
  "redis-server": "redis-server",
};

/** Go modules by the program they bring. */
const MODULES: Readonly<Record<string, string>> = {
  h2spec: "github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible",
  grpcurl: "github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.4",
};

/** Python packages by the module they bring. */
const PYTHON: Readonly<Record<string, string>> = { websockets: "websockets==15.0.1" };

interface Output {
  readonly ok: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end. */
export async function run(
  command: string,
  args: readonly string[],
  options: Deno.CommandOptions = {},
): Promise<Output> {
  try {
    const { success, stdout, stderr } = await new Deno.Command(command, {
      ...options,
      args: [...args],
      stdin: "null",
    }).output();
    const decoder = new TextDecoder();
    return { ok: success, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
  } catch (error) {
    return { ok: false, stdout: "", stderr: (error as Error).message };
  }
}

async function find(program: string): Promise<string | null> {
  const own = join(CACHE, "bin", program);
  if (await Deno.stat(own).then(() => true, () => false)) return own;
  const { ok, stdout } = await run("sh", [
    "-c",
    `command -v ${program} || ls /usr/sbin/${program}`,
  ]);
  return ok ? stdout.trim() : null;
}

let updated: Promise<Output> | null = null;

async function installPackage(name: string): Promise<string> {
  if (Deno.uid() !== 0) return "it is not installed, and only root could install it";
  updated ??= run("apt-get", ["update", "-q"]);
  if (!(await updated).ok) return "it is not installed, and apt-get has no package lists";
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  // A service that starts by itself would take the ports of tests.
  await Deno.writeTextFile("/usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  try {
    const args = ["install", "-y", "-q", "--no-install-recommends", name];
    const { ok, stderr } = await run("apt-get", args, { env });
    return ok ? "" : `apt-get install ${name} failed: ${stderr.trim().split("\n").at(-1)}`;
  } finally {
    await Deno.remove("/usr/sbin/policy-rc.d").catch(() => {});
  }
}

async function installModule(module: string): Promise<string> {
  const go = await find("go");
  if (go === null) return "it is not installed, and Go, which could build it, is not either";
  const { ok, stderr } = await run(go, ["install", module], {
    env: { GOBIN: join(CACHE, "bin"), GOFLAGS: "-mod=mod" },
  });
  return ok ? "" : `go install ${module} failed: ${stderr.trim().split("\n").at(-1)}`;
}

/** Where a program is, or why it cannot be had. */
export async function tool(program: string): Promise<{ path: string } | { missing: string }> {
  const known = await find(program);
  if (known !== null) return { path: known };
  const module = MODULES[program];
  const problem = module === undefined
    ? await installPackage(PACKAGES[program])
    : await installModule(module);
  const path = problem === "" ? await find(program) : null;
  return path === null ? { missing: `${program}: ${problem}` } : { path };
}

const NATIVE = "native";

function nativeTransport(): { path: string } | { missing: string } {
  const problem = nativeProblem();
  return problem === "" ? { path: "" } : { missing: `the native transport ${problem}` };
}

/** A Python interpreter that has a module, or why there is none. */
export async function python(module: string): Promise<{ path: string } | { missing: string }> {
  const folder = join(CACHE, "python");
  const path = join(folder, "bin", "python");
  const works = () => run(path, ["-c", `import ${module}`]);
  if ((await works()).ok) return { path };
  const venv = await run("python3", ["-m", "venv", folder]);
  if (!venv.ok) return { missing: `python3 cannot make an environment: ${venv.stderr.trim()}` };
  const { ok, stderr } = await run(path, ["-m", "pip", "install", "-q", PYTHON[module]]);
  return ok ? { path } : { missing: `pip install ${PYTHON[module]}: ${stderr.trim()}` };
}

/**
 * A test that needs real programs; where one cannot be had it is skipped, and its name says why.
 * @param programs names of programs, "python:module", or "native" for the native transport
 */
export async function interop(
  name: string,
  programs: readonly string[],
  body: (paths: Readonly<Record<string, string>>, t: Deno.TestContext) => Promise<void>,
): Promise<void> {
  const paths: Record<string, string> = {};
  const missing: string[] = [];
  for (const program of programs) {
    const found = program === NATIVE
      ? nativeTransport()
      : program.startsWith("python:")
      ? await python(program.slice("python:".length))
      : await tool(program);
    if ("path" in found) paths[program] = found.path;
    else missing.push(found.missing);
  }
  Deno.test({
    name: missing.length === 0 ? name : `${name} (${missing.join("; ")})`,
    ignore: missing.length > 0,
    fn: (t) => body(paths, t),
  });
}
