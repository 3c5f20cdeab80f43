/**
 * Builds the image as an archive, without Docker, from what this machine has: for clusters without a registry.
 * Usage: deno run -A deploy/image/build.ts NAME OUT.tar
 */
import { join } from "node:path";
import { copyProgram, execute, writeImage } from "./archive.ts";

const ROOT = join(import.meta.dirname!, "../..");
/** What programs need of the repository. */
const CODE = [
  "agent",
  "api",
  "common",
  "controller",
  "dataplane",
  "proto",
  "deno.json",
  "deno.lock",
];
const ENTRIES = [
  ...["controller/main.ts", "agent/main.ts", "dataplane/main.ts"],
  // Threads of the dataplane are loaded by name.
  ...["traffic_worker", "health_worker", "password_worker"].map((name) =>
    `dataplane/worker/${name}.ts`
  ),
];
/** Nobody, where a pod does not say otherwise. */
const USER = "65532:65532";

export async function buildImage(name: string, archive: string): Promise<void> {
  const root = await Deno.makeTempDir({ prefix: "novaedge-root-" });
  try {
    const files =
      (await execute("git", ["ls-files", "-z", "-co", "--exclude-standard", "--", ...CODE], ROOT))
        .split("\0")
        .filter((file) =>
          file !== "" && !file.endsWith("_test.ts") && !file.includes("/testdata/")
        );
    for (const file of files) {
      await Deno.mkdir(join(root, "app", file, ".."), { recursive: true });
      await Deno.copyFile(join(ROOT, file), join(root, "app", file));
    }
    const cache = new Deno.Command(Deno.execPath(), {
      args: ["cache", ...ENTRIES],
      cwd: join(root, "app"),
      env: { DENO_DIR: join(root, "deno-dir"), DENO_NO_UPDATE_CHECK: "1" },
    });
    const { success, stderr } = await cache.output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    await copyProgram(Deno.execPath(), root, "/usr/local/bin/deno");
    await copyProgram("/bin/sh", root, "/bin/sh");
    await copyProgram((await execute("sh", ["-c", "command -v ip"], "/")).trim(), root, "/sbin/ip");
    // For the native transport, where this machine has it.
    for (const library of await nativeLibraries()) await copyProgram(library, root, library);
    const launcher = await execute(Deno.execPath(), [
      "run",
      "-A",
      join(import.meta.dirname!, "launcher.ts"),
    ], ROOT);
    await Deno.writeTextFile(join(root, "usr/local/bin/novaedge"), launcher, { mode: 0o755 });
    for (const folder of ["tmp", "run/novaedge", "var/lib/novaedge"]) {
      await Deno.mkdir(join(root, folder), { recursive: true });
      await Deno.chmod(join(root, folder), 0o1777);
    }
    await writeImage({
      names: [name],
      root,
      entrypoint: ["/usr/local/bin/novaedge"],
      environment: { DENO_DIR: "/deno-dir", DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1" },
      user: USER,
      workingFolder: "/app",
    }, archive);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

if (import.meta.main) {
  const [name, archive] = Deno.args;
  if (archive === undefined) {
    throw new Error("usage: deno run -A deploy/image/build.ts NAME OUT.tar");
  }
  await buildImage(name, archive);
}

/** OpenSSL's libraries as the loader finds them; none where it is missing. */
async function nativeLibraries(): Promise<string[]> {
  const known = await execute("sh", ["-c", "/sbin/ldconfig -p"], "/").catch(() => "");
  return ["libssl.so.3", "libcrypto.so.3"].flatMap((name) => {
    const path = new RegExp(`^\\s*${name.replaceAll(".", "\\.")} .*=> (/\\S+)$`, "m").exec(known)
      ?.[1];
    return path === undefined ? [] : [path];
  });
}
